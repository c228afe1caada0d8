//! Records, what they say, and the frames of a session, to and from `portolan.federation.v1`.
//!
//! What comes from a peer is bounded here, before anybody looks at it. An item that cannot be read is one
//! [`Item::Unreadable`](crate::model::sync::Item), so that it alone is refused; a frame that cannot be read ends the session.

mod body;
mod frame;
mod item;
mod payload;
#[cfg(test)]
mod tests;

pub use body::{body, parse_body};
pub use frame::{frame, parse_frame};
pub use item::signed;
pub use payload::{parse_payload, payload};

use super::pb::portolan::federation::v1 as pb;
use crate::model::sync::Position;
use crate::model::{BrokerId, Kind, Origin, RecordKey, RecordName, Role, Stamp, TrustDomain, Violation};

/// The most items in a batch.
pub const MOST_ITEMS: usize = 10_000;
/// The most origins that a frame speaks of.
pub const MOST_ORIGINS: usize = 4_096;
/// The most chains of signers in a batch.
pub const MOST_SIGNERS: usize = 64;
/// The most certificates in a chain.
pub const LONGEST_CHAIN: usize = 8;
/// The largest certificate, in bytes.
pub const LARGEST_CERTIFICATE: usize = 16 << 10;

/// An origin on the wire.
pub fn origin(origin: &Origin) -> pb::Origin {
    pb::Origin { trust_domain: origin.trust_domain.to_string(), broker: origin.broker.to_string() }
}

/// An origin from the wire.
pub fn parse_origin(path: &str, origin: Option<pb::Origin>) -> Result<Origin, Violation> {
    let origin = origin.ok_or_else(|| missing(path))?;
    let trust_domain = TrustDomain::parse(&origin.trust_domain)
        .map_err(|e| wrong(&format!("{path}.trust_domain"), e.to_string()))?;
    let broker =
        BrokerId::parse(&origin.broker).map_err(|e| wrong(&format!("{path}.broker"), e.to_string()))?;
    Ok(Origin { trust_domain, broker })
}

/// A stamp on the wire.
pub fn stamp(stamp: Stamp) -> pb::Stamp {
    pb::Stamp { epoch: stamp.epoch, sequence: stamp.sequence }
}

/// A role on the wire.
pub fn role(role: Role) -> pb::Role {
    match role {
        Role::Provider => pb::Role::Provider,
        Role::Customer => pb::Role::Customer,
        Role::Peer => pb::Role::Peer,
    }
}

/// A role from the wire; `None` if it is not said or not known.
pub fn parse_role(role: i32) -> Option<Role> {
    match pb::Role::try_from(role).ok()? {
        pb::Role::Unspecified => None,
        pb::Role::Provider => Some(Role::Provider),
        pb::Role::Customer => Some(Role::Customer),
        pb::Role::Peer => Some(Role::Peer),
    }
}

fn key(key: &RecordKey) -> pb::RecordKey {
    pb::RecordKey {
        origin: Some(origin(&key.origin)),
        kind: key.kind.number(),
        name: key.name.as_str().to_owned(),
    }
}

fn parse_key(path: &str, key: Option<pb::RecordKey>) -> Result<RecordKey, Violation> {
    let key = key.ok_or_else(|| missing(path))?;
    let name = RecordName::parse(&key.name).map_err(|e| wrong(&format!("{path}.name"), e.to_string()))?;
    Ok(RecordKey {
        origin: parse_origin(&format!("{path}.origin"), key.origin)?,
        kind: Kind::from(key.kind),
        name,
    })
}

fn parse_stamp(stamp: Option<pb::Stamp>) -> Stamp {
    // Unset is zero in protobuf: before everything.
    stamp.map_or(Stamp::default(), |stamp| Stamp { epoch: stamp.epoch, sequence: stamp.sequence })
}

fn position(position: Position) -> pb::Position {
    pb::Position { stamp: Some(stamp(position.stamp)), log: position.log, cursor: position.cursor }
}

fn parse_position(position: pb::Position) -> Position {
    Position { stamp: parse_stamp(position.stamp), log: position.log, cursor: position.cursor }
}

/// A sentence from a stranger: cut, and without what would forge what people read.
fn sentence(text: &str, longest: usize) -> String {
    let is_shown = |c: &char| !c.is_control() && !crate::model::is_invisible(*c);
    text.chars().filter(is_shown).take(longest).collect()
}

fn missing(path: &str) -> Violation {
    Violation::new(path, "REQUIRED", "it is missing")
}

fn wrong(path: &str, message: impl Into<String>) -> Violation {
    Violation::new(path, "INVALID", message)
}

fn at_most(path: &str, count: usize, limit: usize) -> Result<(), Violation> {
    if count <= limit {
        return Ok(());
    }
    Err(Violation::new(path, "OUT_OF_RANGE", format!("it has {count} items, and at most {limit} are read")))
}
