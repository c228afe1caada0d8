//! Outbound edges: ready connections to producers over mTLS, and what probing them has shown.
//!
//! Owns: dialling, back-off, the connections of one worker thread, what was observed of each endpoint, what calls showed.
//! Never: who should be called (`relay`), when to probe and what follows from it (`status`).
//! Flow: endpoint → [`Pool::connection`] (one dial for all who wait) → lent while it has room → retired.

mod breaker;
mod cohort;
pub mod collector;
mod counts;
mod desk;
mod dial;
mod ejection;
mod error;
mod ewma;
pub mod health;
mod lend;
mod meter;
mod names;
mod observations;
pub mod orca;
mod outlier;
mod peer;
mod peers;
mod pool;
mod queue;
pub mod reflection;
mod rules;
mod settings;
mod slot;
mod socket;
mod table;
mod turn;
mod waits;

pub use cohort::Cohort;
pub use desk::Desk;
pub use ejection::{Cause, Ejection};
pub use error::{Busy, Error};
pub use lend::Lent;
pub use meter::{Meter, Tally};
pub use observations::{Look, Observation, Observations, Observer, Seen};
pub use peer::Peer;
pub use peers::{Ejections, Peers};
pub use pool::Pool;
pub use rules::{Balance, Breaker, Outliers, Rules};
pub use settings::Settings;
pub use turn::{Load, Turn, Verdict};
