//! Carries one call to its owner: who and where is the director's, moving is the carrier's; nothing is decoded.
//!
//! Owns: the route, the header rules, the deadline, the bounds of a message. Never: holds a message, names a gRPC code,
//! rewrites a producer's own status.
//! Flow: `director` reads one snapshot → `uplink` lends a connection → `header` edits → `carry` moves frames both ways.

mod answer;
mod carry;
pub mod deadline;
pub mod director;
mod forward;
mod header;
mod intent;
mod meter;
mod story;

pub use answer::{BadAnswer, is_grpc};
pub use carry::Answer;
pub use forward::{Call, Error, Failure, Relay, Wish};
pub use header::Loop;
pub use intent::{BadIntent, EXPLAIN, Intent, MAX_STALENESS, PLATFORM, VERSION};
pub use meter::Oversize;
