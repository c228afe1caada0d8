//! The moments that page tokens refer to, so that all pages of a list show one and the same catalogue.

use crate::api::fault::Fault;
use crate::catalog::Snapshot;
use crate::model::TrustDomain;
use crate::status::Federation;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// At most so many are kept, each for one trust domain. Snapshots share what did not change, so that one costs about what was changed since.
const MOST: usize = 4096;
/// At most so many of them keep a fold of the status too, which shares little.
const MOST_WITH_STATUS: usize = 16;
/// No token is of use for longer.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// What a list is made from.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    pub(super) catalog: Arc<Snapshot>,
    /// `None` if the list does not look at it.
    pub(super) status: Option<Arc<Federation>>,
}

/// The moments that are kept, the newest last.
#[derive(Debug, Default)]
pub(super) struct Pins {
    kept: Mutex<VecDeque<Pin>>,
}

#[derive(Debug)]
struct Pin {
    id: u64,
    moment: Moment,
    /// For whom: a domain names as many callers as it likes, and they are to be at the expense of each other.
    domain: TrustDomain,
    since: Instant,
}

impl Pins {
    /// The moment of that id.
    pub(super) fn find(&self, id: u64) -> Result<Moment, Fault> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        drop_old(&mut kept);
        let found = kept.iter().rev().find(|pin| pin.id == id);
        found.map(|pin| pin.moment.clone()).ok_or_else(gone)
    }

    /// Keeps a moment for a caller of `domain`, and says under which id. Where there is no room, the oldest goes of
    /// the domain that has most: nobody ends the lists of those who have less.
    pub(super) fn keep(&self, moment: &Moment, domain: &TrustDomain) -> u64 {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        drop_old(&mut kept);
        if let Some(pin) = kept.iter().rev().find(|pin| pin.domain == *domain && pin.moment.is_same(moment)) {
            return pin.id;
        }
        let has_status = |pin: &Pin| pin.moment.status.is_some();
        if moment.status.is_some() && kept.iter().filter(|pin| has_status(pin)).count() >= MOST_WITH_STATUS {
            make_room(&mut kept, domain, has_status);
        }
        if kept.len() >= MOST {
            make_room(&mut kept, domain, |_| true);
        }
        // Ids tell nobody how many others there are, and 0 is no id.
        let id = fastrand::u64(1..);
        kept.push_back(Pin { id, moment: moment.clone(), domain: domain.clone(), since: Instant::now() });
        id
    }
}

impl Moment {
    /// Whether a list made from the other would be the same. A renewed lease is no new revision, and no list is
    /// filtered or ordered by what it changes.
    fn is_same(&self, other: &Self) -> bool {
        let same_status = match (&self.status, &other.status) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        self.catalog.revision() == other.catalog.revision() && same_status
    }
}

/// The answer to a token whose moment is no longer kept.
pub(super) fn gone() -> Fault {
    let message = "the catalogue has moved on since this list began; start again without page_token";
    Fault::aborted("PAGE_TOKEN_EXPIRED", message)
}

/// Drops the oldest pin of that kind of the domain that has most of them, once `newcomer` has one more.
fn make_room(kept: &mut VecDeque<Pin>, newcomer: &TrustDomain, is_kind: impl Fn(&Pin) -> bool) {
    let mut held = BTreeMap::from([(newcomer, 1)]);
    for pin in kept.iter().filter(|pin| is_kind(pin)) {
        *held.entry(&pin.domain).or_default() += 1;
    }
    let most = held.values().copied().max();
    let has_most = |pin: &Pin| is_kind(pin) && held.get(&pin.domain).copied() == most;
    if let Some(oldest) = kept.iter().position(has_most) {
        kept.remove(oldest);
    }
}

fn drop_old(kept: &mut VecDeque<Pin>) {
    while kept.front().is_some_and(|pin| pin.since.elapsed() >= LONGEST) {
        kept.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Change;
    use crate::model::{Platform, TrustDomain};
    use crate::status::fold;
    use jiff::{SignedDuration, Timestamp};

    fn domain(name: &str) -> TrustDomain {
        TrustDomain::parse(name).unwrap()
    }

    fn moments() -> impl Iterator<Item = Moment> {
        let mut catalog = Snapshot::default();
        (0..).map(move |i| {
            let name = format!("p{i}.example");
            let platform = Platform {
                name: name.parse().unwrap(),
                display_name: String::new(),
                trust_domain: TrustDomain::parse(&name).unwrap(),
                service_prefixes: vec![],
            };
            catalog = catalog.apply(Change::PutPlatform(platform)).unwrap();
            Moment { catalog: Arc::new(catalog.clone()), status: None }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_is_kept_for_a_time() {
        let pins = Pins::default();
        let moment = moments().next().unwrap();
        let id = pins.keep(&moment, &domain("a.example"));
        tokio::time::advance(LONGEST - Duration::from_secs(1)).await;
        assert_eq!(pins.keep(&moment, &domain("a.example")), id, "the same moment is kept once");
        assert!(Arc::ptr_eq(&pins.find(id).unwrap().catalog, &moment.catalog));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(pins.find(id).is_err());
        assert!(pins.kept.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_oldest_makes_room() {
        let pins = Pins::default();
        let ids: Vec<_> =
            moments().take(MOST + 1).map(|moment| pins.keep(&moment, &domain("a.example"))).collect();
        assert!(pins.find(ids[0]).is_err());
        assert!(ids[1..].iter().all(|id| pins.find(*id).is_ok()));
    }

    #[tokio::test]
    async fn fewer_keep_a_status_and_those_without_stay() {
        let pins = Pins::default();
        let with_status = |moment: Moment| {
            let seen = crate::uplink::Observer::new().reader();
            let now = Timestamp::UNIX_EPOCH;
            let status = fold(&moment.catalog, &seen.load(), SignedDuration::MAX, None, now);
            Moment { status: Some(Arc::new(status)), ..moment }
        };
        let (a, b) = (domain("a.example"), domain("b.example"));
        let plain = pins.keep(&moments().next().unwrap(), &a);
        let others = pins.keep(&with_status(moments().next().unwrap()), &b);
        let keep = |moment| pins.keep(&with_status(moment), &a);
        let ids: Vec<_> = moments().take(MOST_WITH_STATUS).map(keep).collect();
        assert!(pins.find(plain).is_ok() && pins.find(ids[0]).is_err());
        assert!(ids[1..].iter().chain([&others]).all(|id| pins.find(*id).is_ok()));
    }

    #[tokio::test]
    async fn who_keeps_most_makes_room() {
        let pins = Pins::default();
        let [a, b, c] = ["a.example", "b.example", "c.example"].map(domain);
        let moment = moments().next().unwrap();
        let (of_b, first) = (pins.keep(&moment, &b), pins.keep(&moment, &a));
        assert_ne!(first, of_b, "each domain has its own");
        let ids: Vec<_> = moments().skip(1).take(MOST).map(|moment| pins.keep(&moment, &a)).collect();
        assert!(pins.find(of_b).is_ok(), "the greedy one is at its own expense");
        assert!(pins.find(first).is_err() && pins.find(ids[0]).is_err() && pins.find(ids[1]).is_ok());
        let of_c = pins.keep(&moment, &c);
        assert!(pins.find(of_b).is_ok() && pins.find(of_c).is_ok() && pins.find(ids[1]).is_err());
    }
}
