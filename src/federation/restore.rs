//! The start: what the configuration declares is LIVE, what was stored is STALE until it is renewed.

mod configured;
mod memory;

use super::apply::{Apply, QUEUE};
use super::declared::{self, Declared};
use super::discovery::Targets;
use super::draft::Draft;
use super::limit::Limiter;
use super::offer::Described;
use super::record::{self, Stored};
use super::state::State;
use super::{Clock, Error, ROOM, Registrar, Rules, SCREENINGS, Settings};
use crate::access::{self, Policy};
use crate::catalog::{self, Change, Snapshot};
use crate::descriptors::{self, Set};
use crate::lifecycle;
use crate::model::{
    Digest, Platform, PlatformName, ProducerName, Registration, ServiceName, Source, VersionName, Violation,
};
use crate::store::{Contents, Record, Store};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

/// What the room stands on.
pub struct Ground {
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// Changes who may do what, as manifests of platforms and grants say.
    pub rules: access::Writer,
    /// The empty catalogue.
    pub catalog: (catalog::Writer, catalog::Reader),
    /// The index of descriptors.
    pub descriptors: descriptors::Writer,
    /// Where registrations are kept.
    pub store: Store,
    /// What the store held.
    pub contents: Contents,
    /// Producers of the configuration file, as if they had registered.
    pub configured: Vec<Registration>,
    /// Producers of the configuration file whose contracts are read from themselves.
    pub targets: Targets,
    /// The wall clock.
    pub clock: Clock,
}

/// What is wrong with the producers of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misconfigured(pub Vec<(ProducerName, Violation)>);

/// Publishes what is known and begins to take registrations. To be called on a runtime.
pub fn start(ground: Ground, settings: Settings) -> Result<Registrar, Misconfigured> {
    let Ground {
        policy,
        rules: mut policy_writer,
        catalog: (writer, reader),
        descriptors,
        store,
        contents,
        configured,
        targets,
        clock,
    } = ground;
    let named = configured.iter().map(|registration| &registration.producer).chain(targets.keys());
    let names: BTreeSet<_> = named.cloned().collect();
    let limiter = || Arc::new(Limiter::new(settings.quota.registrations_per_second));
    let (limiter, checks) = (limiter(), limiter());
    let Contents { producers, descriptors: sets, contracts, claims, resources, .. } = contents;
    let (stored, past) = (read(producers), memory::Past::read(contracts));
    let unreadable = past.lost(&stored);
    let index = descriptors.reader();
    let rules = Arc::new(Rules { policy, settings, configured: names, unreadable, descriptors: index });

    let snapshot = Snapshot::clone(&writer.snapshot());
    let mut draft = Draft::new(&rules, State::default(), snapshot, (Instant::now(), clock()));
    draft.is_start = true;
    put_platforms(&mut draft, &rules);
    let mut manifests = declared::read(resources);
    declared::platforms(&mut draft, &mut manifests, &mut policy_writer);
    let mut sets = Sets { stored: sets, screened: HashMap::new() };
    let bare = draft.catalog.clone();
    let unheld = memory::contracts(&mut draft, &rules, &mut sets, past, &stored);
    configured::put(&mut draft, &rules, bare, configured)?;
    let mut waiting = declared::resources(&mut draft, manifests, &mut sets);
    waiting.extend(restore(&mut draft, &rules, &mut sets, stored));
    draft.tell_drifts();
    let unheld: Vec<_> = unheld.unwrap_or_else(told);
    let unheld = unheld.into_iter().filter(|set| !draft.state.keeps(set));
    draft.writes.extend(unheld.map(record::delete_descriptors).collect::<Vec<_>>());
    memory::claims(&mut draft, claims, &waiting).unwrap_or_else(told);
    let pending = std::mem::take(&mut draft.writes);

    let (queue, requests) = mpsc::channel(QUEUE);
    let (declarations, declared_requests) = mpsc::channel(declared::QUEUE);
    let published = declared::Published::default();
    let (told_targets, _) = watch::channel(targets.clone());
    let (seen_drifts, drifts) = watch::channel(Vec::new());
    let mut apply = Apply {
        rules: rules.clone(),
        policy: policy_writer,
        clock: clock.clone(),
        state: State::default(),
        catalog: writer,
        descriptors,
        store,
        drifts,
        pending,
        targets: told_targets.clone(),
        configured_targets: targets,
        declared: published.clone(),
    };
    apply.publish(draft);
    apply.tell_targets();
    lifecycle::spawn("registrations", apply.run(requests, declared_requests));
    let (room, screening) = (Arc::new(Semaphore::new(ROOM as usize)), Arc::new(Semaphore::new(SCREENINGS)));
    let catalog = reader;
    Ok(Registrar {
        queue,
        declarations,
        declared: published,
        rules,
        catalog,
        limiter,
        checks,
        room,
        screening,
        targets: told_targets,
        drifts: seen_drifts,
        clock,
    })
}

fn put_platforms(draft: &mut Draft<'_>, rules: &Rules) {
    let mut platforms = rules.policy.platforms();
    platforms.sort_by(|a, b| a.name.cmp(&b.name));
    draft.state.declared = Declared::new(platforms.iter().map(|platform| Platform::clone(platform)));
    for platform in platforms {
        // Putting a platform is never refused.
        if let Ok(next) = draft.catalog.apply(Change::PutPlatform(Platform::clone(&platform))) {
            draft.catalog = next;
        }
    }
}

/// Reads what was stored; what cannot be read harms only itself.
fn read(mut records: Vec<Record>) -> Vec<Stored> {
    // As they were written: of two declarations of one version, the later is in force again.
    records.sort_by_key(|record| record.sequence);
    let read = |Record { key, value, .. }: Record| match record::read(&value) {
        Ok(stored) => Some(stored),
        Err(error) => {
            let key = String::from_utf8_lossy(&key).into_owned();
            tracing::error!(key, %error, "a stored registration cannot be read; it is kept, not published");
            None
        }
    };
    records.into_iter().filter_map(read).collect()
}

/// Publishes what was stored. What the configuration no longer allows stays stored, so that it is back when the
/// configuration is; gives the claims of those.
fn restore(
    draft: &mut Draft<'_>,
    rules: &Rules,
    sets: &mut Sets,
    stored: Vec<Stored>,
) -> BTreeSet<(ServiceName, PlatformName)> {
    let mut waiting = BTreeSet::new();
    for stored in stored {
        let name = stored.producer.name.clone();
        let kept = record::sets(&stored.versions);
        let services: Vec<_> = stored.versions.iter().flat_map(|v| v.services.iter().cloned()).collect();
        let refusal = match allowed(draft, rules, &stored) {
            Ok(()) => {
                let described = sets.of(&stored, rules);
                draft.restore(stored, described).err().map(|error| error.to_string())
            }
            Err(reason) => Some(reason),
        };
        if let Some(reason) = refusal {
            tracing::warn!(producer = %name, reason, "a stored registration is kept, not published");
            kept.iter().for_each(|set| draft.state.keep(*set));
            waiting.extend(services.into_iter().map(|service| (service, name.platform.clone())));
        }
    }
    waiting
}

/// What could not be written as it should is told; the broker runs all the same, and tries again at its next start.
fn told<T: Default>(error: Error) -> T {
    tracing::error!(error = &error as &dyn std::error::Error, "not all of the past could be brought back");
    T::default()
}

/// Whether the configuration of today still allows what was registered under that of yesterday.
fn allowed(draft: &Draft<'_>, rules: &Rules, stored: &Stored) -> Result<(), String> {
    let name = &stored.producer.name;
    let is_discovered = stored.producer.source == Source::Discovery;
    if draft.state.declared.has_producer(name) && !is_discovered {
        return Err("a manifest declares a producer of this name".to_owned());
    }
    if is_discovered && draft.state.declared.holds_back(name) && !rules.configured.contains(name) {
        return Err("the manifest that lets it be discovered is not in force".to_owned());
    }
    if rules.configured.contains(name) && !is_discovered {
        return Err("the configuration holds a producer of this name".to_owned());
    }
    for identity in [&stored.producer.registrant, &stored.producer.identity] {
        rules.policy.may_register(identity, &name.platform).map_err(|denial| denial.to_string())?;
    }
    let mut services = stored.versions.iter().flat_map(|version| &version.services);
    services.try_for_each(|service| rules.policy.grants(&name.platform, service)).map_err(|d| d.to_string())
}

/// The stored descriptor sets; each is screened once, and again at every start: what we know of unsoundness grows.
pub(super) struct Sets {
    /// Ordered by digest.
    stored: Vec<Record>,
    screened: HashMap<Digest, Arc<Described>>,
}

impl Sets {
    /// The descriptors of each version.
    fn of(&mut self, stored: &Stored, rules: &Rules) -> Vec<(VersionName, Arc<Described>)> {
        let versions = stored.versions.iter();
        let named = versions.filter_map(|version| Some((version.name.clone(), version.descriptors?)));
        named.filter_map(|(name, digest)| Some((name, self.get(digest, rules)?))).collect()
    }

    /// The set of that digest, which is wanted.
    pub(super) fn get(&mut self, digest: Digest, rules: &Rules) -> Option<Arc<Described>> {
        if self.place(&digest).is_none() {
            tracing::error!(%digest, "a stored registration names a descriptor set that is not stored");
        }
        self.find(digest, rules)
    }

    /// The set of that digest, if it is stored.
    fn find(&mut self, digest: Digest, rules: &Rules) -> Option<Arc<Described>> {
        if let Some(known) = self.screened.get(&digest) {
            return Some(known.clone());
        }
        let bytes = self.stored[self.place(&digest)?].value.clone();
        match Set::screen(&bytes, &rules.settings.descriptors) {
            Ok(set) => {
                let described = Arc::new(Described { digest, bytes, set });
                self.screened.insert(digest, described.clone());
                Some(described)
            }
            Err(error) => {
                tracing::warn!(%digest, %error, "a stored descriptor set is no longer described");
                None
            }
        }
    }

    fn place(&self, digest: &Digest) -> Option<usize> {
        self.stored.binary_search_by(|record| record.key.as_slice().cmp(digest.as_bytes())).ok()
    }
}

impl fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configured producers are refused:")?;
        self.0.iter().try_for_each(|(name, violation)| write!(f, "\n  {name}: {violation}"))
    }
}

impl std::error::Error for Misconfigured {}
