//! Carries one call to its owner: who and where is the director's, moving is the carrier's; nothing is decoded.
//!
//! Owns: the route, the header rules, the deadline, the bounds of a message. Never: holds a message, names a gRPC code,
//! rewrites a producer's own status.
//! Flow: `director` reads one snapshot → `header` edits → `attempt` after attempt, `uplink` lends a connection and
//! `carry` moves frames both ways, while `replay` keeps what may have to be sent again; `retry` and `budget` say whether
//! it is, `hedge` runs some beside each other → `course` says what happened.

mod answer;
mod attempt;
pub mod budget;
mod carry;
pub mod course;
pub mod deadline;
pub mod director;
mod error;
mod fallen;
mod forward;
mod header;
mod hedge;
mod intent;
mod lend;
mod meter;
mod ready;
pub mod replay;
mod retry;
mod route;
mod story;
mod tries;
mod upward;
mod watch;

pub use answer::{BadAnswer, is_grpc};
pub use carry::Answer;
pub use course::Course;
pub use error::{Error, Failure};
pub use forward::{Call, Relay, Wish};
pub use header::{Loop, via};
pub use intent::{BadIntent, EXPLAIN, Intent, MAX_STALENESS, PLATFORM, VERSION};
pub use meter::Oversize;
#[cfg(test)]
pub(crate) use retry::status;
