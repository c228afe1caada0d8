//! What two brokers agreed to exchange: roles, rules, and whether a record may pass between them.

use super::{BorderRules, BrokerId, Kind, Path, Record, Rejection, Travel};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The hop limit where the configuration names none.
pub const HOP_LIMIT: usize = 4;

/// What we are to the other side (BGP roles, RFC 9234 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// We carry for them: they get all that we have, and we pass on all that they give us.
    Provider,
    /// They carry for us: they get what is ours and our customers', and give us all that they have.
    Customer,
    /// Each gives what is its own and its customers'; nobody carries for the other.
    Peer,
}

/// What was agreed with one broker. Without rules nothing passes, in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peering {
    /// The other broker.
    pub peer: BrokerId,
    /// What we are to it.
    pub role: Role,
    /// What it may know.
    pub export: BorderRules,
    /// What we take.
    pub import: BorderRules,
    /// How many sessions a record may cross to reach anybody over this peering.
    pub hop_limit: usize,
}

/// Why a record does not go to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Withheld {
    /// It came through that peer: it knows already.
    #[error("it passed that broker")]
    InPath,
    /// It would go further than allowed.
    #[error("it would cross more sessions than allowed")]
    TooFar,
    /// It may go to customers only, and the peer is none.
    #[error("it came from a provider or a peer, and goes to customers only")]
    NoTransit,
    /// No export rule names it.
    #[error("no export rule names it")]
    NotExported,
}

/// What becomes of a record for one peer, after a change of record, rules or role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Export {
    /// It is told, with this way.
    Tell(Travel),
    /// The peer knew it and shall no longer: out of scope, which is not deleted.
    OutOfScope(Withheld),
    /// The peer does not know it, and need not.
    Nothing(Withheld),
}

impl Role {
    /// What the other side must be.
    pub fn other(self) -> Self {
        match self {
            Role::Provider => Role::Customer,
            Role::Customer => Role::Provider,
            Role::Peer => Role::Peer,
        }
    }

    /// Whether two sides understand their peering alike (RFC 9234 §4.2).
    pub fn fits(self, other: Self) -> bool {
        self.other() == other
    }
}

impl Peering {
    /// A peering that passes nothing yet.
    pub fn new(peer: BrokerId, role: Role) -> Self {
        Self {
            peer,
            role,
            export: BorderRules::default(),
            import: BorderRules::default(),
            hop_limit: HOP_LIMIT,
        }
    }

    /// The way with which a record goes to the peer, or why it does not. `travel` is how it came to `me`, as
    /// [`Peering::may_import`] returned it, or [`Travel::own`].
    ///
    /// A tombstone passes under the same rules as what it ends.
    pub fn may_export(&self, record: &Record, travel: &Travel, me: &BrokerId) -> Result<Travel, Withheld> {
        if self.peer == record.head.key.origin.broker || travel.path.passed(&self.peer) {
            return Err(Withheld::InPath);
        }
        let path = travel.path.then(me);
        if path.hops() > self.hop_limit {
            return Err(Withheld::TooFar);
        }
        let is_to_customer = self.role == Role::Provider;
        if travel.only_to_customers.is_some() && !is_to_customer {
            return Err(Withheld::NoTransit);
        }
        if !self.export.allows(record) {
            return Err(Withheld::NotExported);
        }
        // Marked by the sender too, so that one broker that forgets does not make a leak of it.
        let stamped = matches!(self.role, Role::Provider | Role::Peer).then(|| me.clone());
        Ok(Travel { path, only_to_customers: travel.only_to_customers.clone().or(stamped) })
    }

    /// What becomes of a record for the peer, which knows it already or does not.
    pub fn export(&self, record: &Record, travel: &Travel, me: &BrokerId, is_known: bool) -> Export {
        match (self.may_export(record, travel, me), is_known) {
            (Ok(travel), _) => Export::Tell(travel),
            (Err(why), true) => Export::OutOfScope(why),
            (Err(why), false) => Export::Nothing(why),
        }
    }

    /// The way with which a record that the peer sent is kept, or why it is not taken. `travel` is as it was sent.
    pub fn may_import(&self, record: &Record, travel: &Travel, me: &BrokerId) -> Result<Travel, Rejection> {
        if record.head.key.origin.broker == *me || travel.path.passed(me) {
            return Err(Rejection::Loop);
        }
        self.hold_path(record, &travel.path)?;
        let marked = travel.only_to_customers.as_ref();
        let only_to_customers = match (self.role, marked) {
            // What a customer or a peer was given to keep, it may not hand up or across.
            (Role::Provider, Some(broker)) => return Err(Rejection::Leak(broker.clone())),
            (Role::Peer, Some(broker)) if *broker != self.peer => {
                return Err(Rejection::Leak(broker.clone()));
            }
            (Role::Provider, None) => None,
            (Role::Customer | Role::Peer, marked) => Some(marked.unwrap_or(&self.peer).clone()),
        };
        if !self.import.allows(record) {
            return Err(Rejection::NotImported);
        }
        Ok(Travel { path: travel.path.clone(), only_to_customers })
    }

    fn hold_path(&self, record: &Record, path: &Path) -> Result<(), Rejection> {
        let brokers = path.brokers();
        if brokers.first() != Some(&record.head.key.origin.broker) {
            return Err(Rejection::BadPath("it does not begin with its origin"));
        }
        if brokers.last() != Some(&self.peer) {
            return Err(Rejection::BadPath("it does not end with who sent it"));
        }
        if path.repeats() {
            return Err(Rejection::BadPath("it passes a broker twice"));
        }
        if path.hops() > self.hop_limit {
            return Err(Rejection::TooFar { hops: path.hops(), limit: self.hop_limit });
        }
        Ok(())
    }
}

impl BorderRules {
    /// Whether some rule names the record. Authorities pass wherever anything passes: what passes is judged by them.
    pub fn allows(&self, record: &Record) -> bool {
        match record.head.key.kind {
            Kind::Bundle => !self.is_empty(),
            _ => self.allow(&record.head.key.name, &record.head.scope),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Provider => "provider",
            Role::Customer => "customer",
            Role::Peer => "peer",
        })
    }
}

#[cfg(test)]
mod tests;
