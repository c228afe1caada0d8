//! The inbound edge: one file per gRPC service, the gate before them and the pass-through beside them.
//!
//! Owns: listeners, who may call what, and how an error looks outside. Never: decides routes or folds status.
//! Flow: `listener` (handshake → identity) → `gate` (one row per method) → a typed service, or `passthrough` → `relay`.

pub mod admin;
mod caller;
pub mod catalog;
mod connections;
pub mod consumers;
mod counted;
pub mod dispatch;
pub mod fault;
#[cfg(test)]
mod fixture;
mod gate;
pub mod health;
mod linger;
mod list;
pub mod listener;
pub mod manifest;
mod mask;
mod noise;
mod page;
mod passthrough;
pub mod reflection;
pub mod registry;
pub mod report;
pub mod routing;
mod scope;
pub mod services;
pub mod status;
mod turns;
mod until;

pub use connections::Connections;

/// The longest request to a service that is only asked questions, in bytes.
const SMALL_MESSAGE: usize = 64 << 10;
