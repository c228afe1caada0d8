//! Outbound edges: ready connections to producers over mTLS, and what probing them has shown.
//!
//! Owns: dialling, back-off, the connections of one worker thread, what was observed of each endpoint.
//! Never: who should be called (`relay`), when to probe and what follows from it (`status`).
//! Flow: endpoint → [`Pool::connection`] (one dial for all who wait) → lent while it has room → retired.

mod dial;
mod error;
pub mod health;
mod observations;
mod pool;
pub mod reflection;
mod settings;
mod slot;

pub use error::Error;
pub use observations::{Look, Observation, Observations, Observer, Seen};
pub use pool::Pool;
pub use settings::Settings;
