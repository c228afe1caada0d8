//! What probing has shown of each endpoint: one writer, cheap readers.

use super::{Ejection, Ejections};
use crate::model::{Address, Endpoint, Producer, ProducerName, ServiceName, State, Validity};
use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;
use rpds::HashTrieMapSync;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How an endpoint is, as one look saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// How it is.
    pub state: State,
    /// Whether it answered at all.
    pub is_reachable: bool,
    /// Why, for programs: `UPPER_SNAKE_CASE`.
    pub reason: &'static str,
    /// Why, for people.
    pub message: String,
    /// How each service is that was asked for by name; empty where the endpoint does not tell them apart.
    pub services: BTreeMap<ServiceName, State>,
}

/// The last look at an endpoint, and since when it has looked like that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// How it is.
    pub state: State,
    /// Whether it answered at all.
    pub is_reachable: bool,
    /// Why, for programs: `UPPER_SNAKE_CASE`.
    pub reason: &'static str,
    /// Why, for people.
    pub message: String,
    /// How each service is that was asked for by name.
    pub services: BTreeMap<ServiceName, State>,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// When it was last looked at.
    pub observed: Timestamp,
    /// When its certificate is valid, as the last handshake showed it; `None` if there was none.
    pub certificate: Option<Validity>,
}

/// What has been seen, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    looks: HashTrieMapSync<ProducerName, Endpoints>,
    revision: u64,
    /// Who is left out for what calls showed.
    ejections: Arc<Ejections>,
}

/// Few for each producer: a search is quicker than a hash.
type Endpoints = Arc<[(Address, Arc<Observation>)]>;

/// Reads what has been seen. Clones see the same.
#[derive(Debug, Clone, Default)]
pub struct Observations(Arc<ArcSwap<Seen>>);

/// The sole way to change what [`Observations`] show.
#[derive(Debug, Default)]
pub struct Observer {
    seen: Observations,
}

impl Observation {
    /// How one service is there: what was said of it by name, else of the whole.
    pub fn of(&self, service: &str) -> State {
        self.services.get(service).copied().unwrap_or(self.state)
    }
}

impl Seen {
    /// The last look at an endpoint; `None` if nobody has looked yet.
    pub fn get(&self, producer: &ProducerName, address: &Address) -> Option<&Arc<Observation>> {
        self.looks.get(producer)?.iter().find(|(at, _)| at == address).map(|(_, observation)| observation)
    }

    /// Rises when a look saw something else than the one before, and when an endpoint is forgotten.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The same, beside what calls showed.
    pub fn beside(&self, ejections: Ejections) -> Self {
        Self { ejections: Arc::new(ejections), ..self.clone() }
    }

    /// Why an endpoint is left out for a time, as far as that is known here.
    pub fn ejection(&self, producer: &Producer, endpoint: &Endpoint) -> Option<&Ejection> {
        self.ejections.of(producer, endpoint)
    }
}

impl Observations {
    /// What has been seen until now.
    pub fn load(&self) -> Guard<Arc<Seen>> {
        self.0.load()
    }
}

impl Observer {
    /// Has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// For those who only read.
    pub fn reader(&self) -> Observations {
        self.seen.clone()
    }

    /// Notes a look. True if it differs from the last one in more than its time.
    pub fn record(&mut self, producer: &ProducerName, address: &Address, look: Look, now: Timestamp) -> bool {
        let seen = self.seen.load();
        let before = seen.get(producer, address);
        let since = before.filter(|before| before.state == look.state).map_or(now, |before| before.since);
        let Look { state, is_reachable, reason, message, services } = look;
        let certificate = before.and_then(|before| before.certificate);
        let after =
            Observation { state, is_reachable, reason, message, services, since, observed: now, certificate };
        let is_new = before.is_none_or(|before| Observation { observed: now, ..(**before).clone() } != after);

        self.put(&seen, producer, address, after, is_new);
        is_new
    }

    /// Notes the certificate that an endpoint which was looked at has shown.
    pub fn certify(&mut self, producer: &ProducerName, address: &Address, certificate: Validity) {
        let seen = self.seen.load();
        let before = seen.get(producer, address).filter(|before| before.certificate != Some(certificate));
        if let Some(before) = before {
            let after = Observation { certificate: Some(certificate), ..(**before).clone() };
            self.put(&seen, producer, address, after, false);
        }
    }

    /// Forgets endpoints that are no longer registered.
    pub fn retain(&mut self, keep: impl Fn(&ProducerName, &Address) -> bool) {
        let seen = self.seen.load();
        let mut left = seen.looks.clone();
        for (producer, endpoints) in seen.looks.iter() {
            let kept: Endpoints = endpoints.iter().filter(|(at, _)| keep(producer, at)).cloned().collect();
            if kept.is_empty() {
                left.remove_mut(producer);
            } else if kept.len() < endpoints.len() {
                left.insert_mut(producer.clone(), kept);
            }
        }
        self.publish(left, seen.revision + 1);
    }

    fn put(&self, seen: &Seen, producer: &ProducerName, address: &Address, after: Observation, is_new: bool) {
        let others = seen.looks.get(producer).into_iter().flat_map(|endpoints| endpoints.iter());
        let others = others.filter(|(at, _)| at != address).cloned();
        let endpoints: Endpoints = others.chain([(address.clone(), Arc::new(after))]).collect();
        let looks = seen.looks.insert(producer.clone(), endpoints);
        self.publish(looks, seen.revision + u64::from(is_new));
    }

    fn publish(&self, looks: HashTrieMapSync<ProducerName, Endpoints>, revision: u64) {
        self.seen.0.store(Arc::new(Seen { looks, revision, ejections: Arc::default() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(state: State, message: &str) -> Look {
        let services = BTreeMap::from([(ServiceName::parse("a.v1.A").unwrap(), State::NotServing)]);
        Look { state, is_reachable: true, reason: "TEST", message: message.into(), services }
    }

    #[test]
    fn a_state_keeps_its_since_until_it_changes() {
        let (name, address) =
            (ProducerName::parse("platforms/p/producers/x").unwrap(), Address::parse("h:1").unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut observer = Observer::new();
        let reader = observer.reader();
        assert!(reader.load().get(&name, &address).is_none());

        assert!(observer.record(&name, &address, look(State::Serving, ""), at(1)));
        assert!(!observer.record(&name, &address, look(State::Serving, ""), at(2)), "only the time differs");
        assert!(observer.record(&name, &address, look(State::Serving, "slow"), at(3)));
        let seen = reader.load().get(&name, &address).unwrap().clone();
        assert_eq!((seen.since, seen.observed), (at(1), at(3)));
        assert_eq!((seen.of("a.v1.A"), seen.of("b.v1.B")), (State::NotServing, State::Serving));

        let certificate = Validity { not_before: at(1), not_after: at(9) };
        observer.certify(&name, &address, certificate);
        assert!(observer.record(&name, &address, look(State::NotServing, ""), at(4)));
        assert_eq!(reader.load().get(&name, &address).unwrap().certificate, Some(certificate));
        assert_eq!(reader.load().get(&name, &address).unwrap().since, at(4));

        let other = Address::parse("h:2").unwrap();
        observer.record(&name, &other, look(State::Serving, ""), at(5));
        observer.retain(|_, at| *at == other);
        assert!(reader.load().get(&name, &address).is_none());
        assert!(reader.load().get(&name, &other).is_some());
    }
}
