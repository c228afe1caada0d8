//! Which series there are: the one place that makes them, and holds them to their bound.

use crate::model::{PlatformName, VersionName};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// No series yet.
pub(super) const NONE: u32 = 0;
/// Where calls are counted when all series are taken.
pub(super) const OVERFLOW: u32 = 1;
/// Where calls are counted that go nowhere.
pub(super) const UNROUTED: u32 = 2;
const FIRST: u32 = 3;

/// So many services of versions are known at once; calls to more are counted as methods that nobody knows.
pub(super) const ROUTES: usize = 65_536;

/// A service of a version, with the series of its methods.
#[derive(Debug)]
pub(super) struct Route {
    version: VersionName,
    service: Box<str>,
    /// By name. A method that was never called has no series.
    methods: Box<[(Box<str>, AtomicU32)]>,
    /// Of all that its descriptors do not know.
    other: AtomicU32,
}

/// What a series is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    /// Calls that were too many to be told apart.
    Overflow,
    /// Calls that went nowhere.
    Unrouted,
    /// A method of ours: `service/method`.
    Own(Box<str>),
    /// A method of a version: `service/method`, or all that its descriptors do not know.
    Routed(VersionName, Option<Box<str>>),
}

#[derive(Debug)]
struct Entry {
    label: Label,
    /// How many calls had begun when last asked.
    begun: u64,
}

/// All series.
#[derive(Debug)]
pub(super) struct Table {
    limit: usize,
    next: u32,
    routes: HashMap<VersionName, Vec<Arc<Route>>>,
    route_count: usize,
    others: HashMap<VersionName, u32>,
    entries: BTreeMap<u32, Entry>,
    /// How many series each platform has: one takes at most half of them.
    of_platform: HashMap<PlatformName, usize>,
}

/// The series that a sweep has left.
pub(super) struct Left {
    /// Whether any were forgotten.
    pub(super) is_less: bool,
    ids: HashSet<u32>,
    next: u32,
}

impl Left {
    /// Whether the series is left, or was made since.
    pub(super) fn has(&self, id: u32) -> bool {
        id >= self.next || self.ids.contains(&id)
    }
}

impl Route {
    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// Whether no descriptor told its methods.
    pub(super) fn is_empty(&self) -> bool {
        self.methods.is_empty()
    }

    /// Where the series of a method stands, and whether the descriptors know it.
    pub(super) fn place(&self, method: &str) -> (&AtomicU32, bool) {
        match self.methods.binary_search_by(|(name, _)| (**name).cmp(method)) {
            Ok(place) => (&self.methods[place].1, true),
            Err(_) => (&self.other, false),
        }
    }
}

impl Table {
    pub(super) fn new(limit: usize) -> Self {
        let entry = |label| Entry { label, begun: 0 };
        let entries = [(OVERFLOW, entry(Label::Overflow)), (UNROUTED, entry(Label::Unrouted))].into();
        let (routes, others, of_platform) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { limit, next: FIRST, routes, route_count: 0, others, entries, of_platform }
    }

    /// Whether no more routes are kept.
    pub(super) fn is_full(&self) -> bool {
        self.route_count >= ROUTES
    }

    /// A route that is not kept and knows no method: two threads that had one with methods would make the same series.
    pub(super) fn lump(&self, version: &VersionName, service: &str) -> Arc<Route> {
        let other = AtomicU32::new(self.others.get(version).copied().unwrap_or(NONE));
        Arc::new(Route { version: version.clone(), service: service.into(), methods: Box::default(), other })
    }

    pub(super) fn route(&self, version: &VersionName, service: &str) -> Option<Arc<Route>> {
        self.routes.get(version)?.iter().find(|route| *route.service == *service).cloned()
    }

    /// Adds a route, in place of one whose methods nobody knew. If somebody was quicker, theirs stays.
    pub(super) fn add_route(
        &mut self,
        version: &VersionName,
        service: &str,
        methods: Vec<String>,
    ) -> Arc<Route> {
        if let Some(route) =
            self.route(version, service).filter(|route| !route.is_empty() || methods.is_empty())
        {
            return route;
        }
        if self.is_full() && self.route(version, service).is_none() {
            return self.lump(version, service);
        }
        let names = methods.into_iter().map(String::into_boxed_str);
        let mut methods: Vec<_> = names.map(|name| (name, AtomicU32::new(NONE))).collect();
        methods.sort_by(|a, b| a.0.cmp(&b.0));
        methods.dedup_by(|a, b| a.0 == b.0);
        let other = AtomicU32::new(self.others.get(version).copied().unwrap_or(NONE));
        let (methods, service) = (methods.into_boxed_slice(), service.into());
        let route = Arc::new(Route { version: version.clone(), service, methods, other });
        let of_version = self.routes.entry(version.clone()).or_default();
        match of_version.iter_mut().find(|old| old.service == route.service) {
            Some(old) => *old = route.clone(),
            None => {
                of_version.push(route.clone());
                self.route_count += 1;
            }
        }
        route
    }

    /// The series of a method, made if there is room.
    pub(super) fn allocate(&mut self, route: &Route, method: &str) -> u32 {
        let (place, is_known) = route.place(method);
        let there = place.load(Ordering::Relaxed);
        if there != NONE {
            return there;
        }
        let version = &route.version;
        let id = if is_known {
            let full = format!("{}/{method}", route.service).into_boxed_str();
            self.make(version, Some(full))
        } else if let Some(other) = self.others.get(version) {
            *other
        } else {
            let id = self.make(version, None);
            if id != OVERFLOW {
                self.others.insert(version.clone(), id);
            }
            id
        };
        place.store(id, Ordering::Relaxed);
        id
    }

    /// The series of a method of ours; there are as many as this build has methods.
    pub(super) fn own(&mut self, service: &str, method: &str) -> u32 {
        let label = Label::Own(format!("{service}/{method}").into());
        let there = self.entries.iter().find(|(_, entry)| entry.label == label).map(|(id, _)| *id);
        there.unwrap_or_else(|| self.insert(label))
    }

    /// What each series is of.
    pub(super) fn labels(&self) -> Vec<(u32, Label)> {
        self.entries.iter().map(|(id, entry)| (*id, entry.label.clone())).collect()
    }

    /// Forgets versions that are not kept and were not called since last asked, and tells which series are left. Also
    /// lets those that found no room ask again.
    pub(super) fn sweep(
        &mut self,
        is_kept: impl Fn(&VersionName) -> bool,
        begun: impl Fn(u32) -> u64,
    ) -> Left {
        let mut idle: HashMap<&VersionName, bool> = HashMap::new();
        for (id, entry) in &mut self.entries {
            let now = begun(*id);
            let is_idle = std::mem::replace(&mut entry.begun, now) == now;
            if let Label::Routed(version, _) = &entry.label {
                *idle.entry(version).or_insert(true) &= is_idle;
            }
        }
        let gone: HashSet<VersionName> = self
            .routes
            .keys()
            .filter(|version| !is_kept(version) && idle.get(version).copied().unwrap_or(true))
            .cloned()
            .collect();
        self.routes.retain(|version, _| !gone.contains(version));
        self.others.retain(|version, _| !gone.contains(version));
        self.route_count = self.routes.values().map(Vec::len).sum();
        let before = self.entries.len();
        self.entries
            .retain(|_, entry| !matches!(&entry.label, Label::Routed(version, _) if gone.contains(version)));
        self.of_platform.clear();
        for entry in self.entries.values() {
            if let Label::Routed(version, _) = &entry.label {
                *self.of_platform.entry(version.platform.clone()).or_default() += 1;
            }
        }
        let lumped = self
            .routes
            .values()
            .flatten()
            .flat_map(|route| route.methods.iter().map(|(_, place)| place).chain([&route.other]));
        if self.entries.len() < self.limit {
            lumped.for_each(|place| {
                // Whoever has a series keeps it.
                let _ = place.compare_exchange(OVERFLOW, NONE, Ordering::Relaxed, Ordering::Relaxed);
            });
        }
        let ids = self.entries.keys().copied().collect();
        Left { is_less: self.entries.len() < before, ids, next: self.next }
    }

    pub(super) fn fill(&self) -> (usize, usize) {
        (self.entries.len(), self.limit)
    }

    fn make(&mut self, version: &VersionName, method: Option<Box<str>>) -> u32 {
        let taken = self.of_platform.get(&version.platform).copied().unwrap_or(0);
        if self.entries.len() >= self.limit || taken >= self.limit / 2 {
            return OVERFLOW;
        }
        self.of_platform.insert(version.platform.clone(), taken + 1);
        self.insert(Label::Routed(version.clone(), method))
    }

    fn insert(&mut self, label: Label) -> u32 {
        let id = self.next;
        // Never one that was before: a call that is still open must not end in another's series.
        self.next = self.next.checked_add(1).unwrap_or(OVERFLOW);
        if id == OVERFLOW {
            self.next = OVERFLOW;
            return OVERFLOW;
        }
        self.entries.insert(id, Entry { label, begun: 0 });
        id
    }
}
