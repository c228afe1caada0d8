//! What two brokers say to each other in a session: plain data, as the wire carries it and the machine reads it.

use super::{Freshness, Kind, Origin, RecordKey, Rejection, Role, Signed, Stamp, Travel};
use bytes::Bytes;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One message of a session. Each side sends [`Open`] first, and once.
///
/// [`Batch`] is data: it waits for credit. All others are control: they never wait behind data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Who speaks, what it understands, what it wants and where it left off.
    Open(Open),
    /// How the sender goes on with one origin.
    Stance(Stance),
    /// A snapshot of one origin begins.
    Begin(Begin),
    /// Records and withdrawals.
    Batch(Batch),
    /// A snapshot of one origin is complete.
    End(End),
    /// What became of a batch.
    Verdicts(Verdicts),
    /// More may be sent.
    Credit(Credit),
    /// How far the sender is, and how fresh what it knows.
    Mark(Mark),
    /// One origin is no longer offered here. That deletes nothing.
    Withdraw(Withdraw),
    /// Proof for the receiver that it wrote more than it remembers: it lost its state and needs a higher epoch.
    Yours(Item),
    /// The session ends; the peering goes on. What was told stays.
    GoAway(GoAway),
    /// The peering ends. What was told is out of scope from now on.
    Terminate(Terminate),
}

/// The first frame of each side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Who speaks.
    pub broker: Origin,
    /// Another number for each start of its process.
    pub boot: u64,
    /// What it understands beyond the first version, by name. A session uses what both name.
    pub features: BTreeSet<String>,
    /// What it is to the other (RFC 9234).
    pub role: Role,
    /// What it takes at once.
    pub limits: Limits,
    /// The kinds that it wants; empty is all. Kinds that the other does not know are ignored.
    pub kinds: BTreeSet<Kind>,
    /// It sends a mark this often.
    pub interval: Duration,
    /// The last stamp that it wrote as an origin.
    pub head: Stamp,
    /// Where it left off with the other, by origin.
    pub resume: BTreeMap<Origin, Position>,
}

/// What one side takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Items that may be sent before more credit comes.
    pub items: u32,
    /// Bytes of items that may be sent before more credit comes. One larger item may go when nothing else is under way.
    pub bytes: u64,
    /// Brokers in the path of a record, its origin included.
    pub hops: u8,
}

/// Up to where everything that one sender offers of one origin has arrived.
///
/// A stamp alone cannot say that: what a broker passes on is filtered, and reaches it by several ways out of order. So the
/// sender adds its own place, which only it understands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The newest stamp of the origin that it covers.
    pub stamp: Stamp,
    /// Names the sender's order of changes, and what it offered when; another number makes `cursor` worthless.
    pub log: u64,
    /// A place in that order.
    pub cursor: u64,
}

/// How the sender goes on with an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stance {
    /// With which.
    pub origin: Origin,
    /// How.
    pub course: Course,
    /// How fresh the sender's own knowledge of it is.
    pub freshness: Freshness,
    /// How old the sender's own knowledge of it is.
    pub age: Duration,
}

/// From where an origin's records are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// From where the receiver left off.
    Resume,
    /// All of them, in a snapshot.
    Reset(ResetReason),
}

/// Why a receiver gets all again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResetReason {
    /// It has nothing of this origin from this sender.
    New,
    /// The origin has another epoch than where it left off.
    Epoch,
    /// The sender no longer knows its place: it lost its state, or offers other things than before.
    Unknown,
    /// It was away, or stalled, for longer than deletions are remembered.
    Behind,
    /// Too many records were deferred to be told one by one.
    Deferred,
}

/// A snapshot begins. What was told of the origin before stays until its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// Of which origin.
    pub origin: Origin,
    /// Its number in the session.
    pub snapshot: u64,
}

/// Items of one origin, in the order in which they are to be applied: by kind, withdrawals last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Rises by one with each batch of a session, from 1.
    pub number: u64,
    /// Whose records these are.
    pub origin: Origin,
    /// Certificate chains of signers that this session has not carried yet.
    pub signers: Vec<Signer>,
    /// What it brings.
    pub items: Vec<Item>,
}

/// Who signed records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Its certificate chain, leaf first, in DER.
    pub chain: Vec<Bytes>,
}

/// One thing that a batch brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A record, or its tombstone.
    Record {
        /// As its origin signed it.
        signed: Signed,
        /// How it came, the sender last.
        travel: Travel,
    },
    /// The record exists, but is no longer offered here. That deletes nothing.
    OutOfScope {
        /// Which.
        key: RecordKey,
        /// The newest state that the sender knows.
        stamp: Stamp,
    },
    /// Something came that cannot be read: it is rejected for this reason, and it alone. Never sent.
    Unreadable(Reason),
}

/// A snapshot is complete: what it did not bring is no longer offered here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Of which origin.
    pub origin: Origin,
    /// The number that it began with.
    pub snapshot: u64,
    /// How many items it brought. Another count than arrived aborts the snapshot.
    pub items: u64,
}

/// What became of the items of one batch. Sent after what was applied is durable and published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    /// Of which batch.
    pub batch: u64,
    /// One for each item, in order.
    pub verdicts: Vec<Verdict>,
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is known here.
    Applied,
    /// It is refused, and will be as long as it does not change.
    Rejected(Reason),
    /// Not now; the sender tries again.
    Deferred(Reason),
}

/// Why an item was not applied, as both ends show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// For programs: `UPPER_SNAKE_CASE`. A newer broker may have one that is not known here.
    pub code: Cow<'static, str>,
    /// For people; bounded by whoever reads it.
    pub text: String,
}

/// More may be sent, on top of what was granted before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Credit {
    /// Items.
    pub items: u32,
    /// Bytes of items.
    pub bytes: u64,
}

/// How far the sender is. Only this keeps knowledge live: an open connection proves nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark {
    /// Rises with each mark of a session.
    pub number: u64,
    /// Of each origin that is told here and of which something changed since the mark before; the others are as they were.
    pub origins: Vec<Progress>,
}

/// How far a sender is with one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Which.
    pub origin: Origin,
    /// Up to where the receiver gave verdicts on everything; `None` while a snapshot is under way.
    pub position: Option<Position>,
    /// How fresh the sender's own knowledge of it is: the worst of the path up to the sender.
    pub freshness: Freshness,
    /// How old the sender's own knowledge of it is.
    pub age: Duration,
}

/// One origin is no longer offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdraw {
    /// Which.
    pub origin: Origin,
}

/// The session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoAway {
    /// Why.
    pub reason: GoAwayReason,
    /// Not to be dialled before.
    pub retry_after: Duration,
    /// For people; bounded by whoever reads it.
    pub message: String,
}

/// Why a session ends, while the peering goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GoAwayReason {
    /// The process stops.
    Stopping,
    /// Another session with the same peer stays.
    Duplicate,
    /// The peering was configured anew.
    Reconfigured,
    /// The other comes and goes too often.
    Damped,
    /// The other takes nothing any more.
    Stalled,
    /// The other is silent.
    Silent,
    /// The other broke the rules of the session.
    Protocol,
    /// The peering is paused by an operator.
    Paused,
}

/// The peering ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminate {
    /// Why.
    pub reason: TerminateReason,
    /// For people; bounded by whoever reads it.
    pub message: String,
}

/// Why a peering ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TerminateReason {
    /// There is no such peering here, or no longer.
    NotPeered,
    /// The two roles do not fit together (RFC 9234).
    RoleMismatch,
    /// The other is not the broker that this peering is with.
    WrongBroker,
}

impl From<&Rejection> for Reason {
    fn from(rejection: &Rejection) -> Self {
        Self { code: Cow::Borrowed(rejection.reason()), text: rejection.to_string() }
    }
}
