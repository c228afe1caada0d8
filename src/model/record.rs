//! One signed fact of the federation, and what orders two of them.

use super::{BrokerId, Digest, RecordName, Stage, TrustDomain};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The largest signed body, in bytes: a descriptor set of the largest size that is taken fits with room to spare.
pub const LARGEST_BODY: usize = 16 << 20;
/// The most labels in a [`Scope`].
pub const MOST_LABELS: usize = 64;

/// Who wrote a record first: a broker of one organisation. Only it ever changes the record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Origin {
    /// The organisation that vouches for the broker.
    pub trust_domain: TrustDomain,
    /// The broker.
    pub broker: BrokerId,
}

/// The only version of a record, together with its origin. A later one is greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// Rises when the origin lost its state.
    pub epoch: u64,
    /// Rises with each change of the origin, across all its records.
    pub sequence: u64,
}

/// What a record tells of. Ordered as records are applied within a batch: what others stand on comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub enum Kind {
    /// The authorities of an organisation.
    Bundle,
    /// A platform.
    Platform,
    /// The descriptor set of a version.
    Descriptors,
    /// A version: contract and what its owner says of it.
    Version,
    /// A producer of one version: identity and endpoints.
    Producer,
    /// How a version and its producers are.
    Status,
    /// A kind that a newer broker knows: kept and forwarded, not used.
    Other(u32),
}

/// What an origin has one record of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordKey {
    /// Who wrote it.
    pub origin: Origin,
    /// What it tells of. Before the name, so that an origin's records stand in the order of a batch.
    pub kind: Kind,
    /// Its name.
    pub name: RecordName,
}

/// What export and import rules look at besides the name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// The stage of the version that it belongs to.
    pub stage: Option<Stage>,
    /// The labels of the version that it belongs to.
    pub labels: BTreeMap<String, String>,
}

/// What a record's signed body says before its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Origin, kind and name.
    pub key: RecordKey,
    /// Which state of it this is.
    pub stamp: Stamp,
    /// Whether it says that there is no such thing any more: a tombstone. Its payload is empty.
    pub is_deleted: bool,
    /// What rules look at.
    pub scope: Scope,
    /// When the origin wrote it, by its wall clock. For people, and to let tombstones go.
    pub written: Timestamp,
}

/// The exact bytes that the origin signed, and its signature: kept and forwarded as they are.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// The body: head and payload.
    pub body: Bytes,
    /// The signature over the body.
    pub signature: Bytes,
    /// The signature scheme, by its number in the TLS registry (RFC 8446 §4.2.3).
    pub scheme: u16,
    /// Digest of the signer's certificate chain, which travels once a session.
    pub signer: Digest,
}

/// A signed fact. `head` and `payload` are what `signed.body` says; whoever makes one by hand keeps that true.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// What the body says first.
    pub head: Head,
    /// What the body says of the thing, encoded as its kind demands; empty for a tombstone. A slice of the body.
    pub payload: Bytes,
    /// What was signed.
    pub signed: Signed,
}

impl Kind {
    /// The number of the kind on the wire.
    pub fn number(self) -> u32 {
        match self {
            Kind::Bundle => 1,
            Kind::Platform => 2,
            Kind::Descriptors => 3,
            Kind::Version => 4,
            Kind::Producer => 5,
            Kind::Status => 6,
            Kind::Other(number) => number,
        }
    }

    /// Whether this broker knows what to do with it.
    pub fn is_known(self) -> bool {
        !matches!(self, Kind::Other(_))
    }
}

impl From<u32> for Kind {
    fn from(number: u32) -> Self {
        match number {
            1 => Kind::Bundle,
            2 => Kind::Platform,
            3 => Kind::Descriptors,
            4 => Kind::Version,
            5 => Kind::Producer,
            6 => Kind::Status,
            other => Kind::Other(other),
        }
    }
}

impl From<Kind> for u32 {
    fn from(kind: Kind) -> Self {
        kind.number()
    }
}

impl Record {
    /// The memory that it takes, in bytes, as far as its author decides about it.
    pub fn size(&self) -> usize {
        let labels = &self.head.scope.labels;
        let labels: usize = labels.iter().map(|(key, value)| key.len() + value.len() + 48).sum();
        size_of::<Self>() + self.signed.body.len() + self.signed.signature.len() + labels
    }

    /// Whether both are the same state of the same thing, and yet say different things: the origin speaks with two
    /// tongues. Another signature over the same body is none of that.
    pub fn equivocates(&self, other: &Self) -> bool {
        self.head.key.origin == other.head.key.origin
            && self.head.stamp == other.head.stamp
            && self.signed.body != other.signed.body
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.broker, self.trust_domain)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.sequence)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Bundle => f.write_str("bundle"),
            Kind::Platform => f.write_str("platform"),
            Kind::Descriptors => f.write_str("descriptors"),
            Kind::Version => f.write_str("version"),
            Kind::Producer => f.write_str("producer"),
            Kind::Status => f.write_str("status"),
            Kind::Other(number) => write!(f, "kind {number}"),
        }
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").field("bytes", &self.body.len()).field("signer", &self.signer).finish()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = &self.head;
        write!(f, "{} {} of {} at {}", head.key.kind, head.key.name, head.key.origin, head.stamp)?;
        if head.is_deleted { f.write_str(", deleted") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_back_and_stand_in_the_order_of_a_batch() {
        assert!((0..100).all(|n| Kind::from(n).number() == n));
        assert!(Kind::Descriptors < Kind::Version && Kind::Version < Kind::Producer);
        assert!(Kind::Status < Kind::Other(0));
    }
}
