//! The inbound edge: one file per gRPC service, the gate before them and the pass-through beside them.
//!
//! Owns: listeners, who may call what, and how an error looks outside. Never: decides routes or folds status.
//! Flow: `listener` (handshake → identity) → `gate` (one row per method) → a typed service, or `passthrough` → `relay`.

mod caller;
pub mod fault;
mod gate;
mod page;
pub mod services;
mod until;
