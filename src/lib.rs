//! Portolan, a gRPC federation broker: one address for the capabilities of many organisations.
//!
//! `ARCHITECTURE.md` is the map. Imports point down, floor by floor; `tests/architecture.rs` holds that law.

pub mod access;
pub mod api;
pub mod broker;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod descriptors;
pub mod federation;
pub mod filter;
pub mod identity;
pub mod lifecycle;
pub mod manifest;
pub mod model;
pub mod relay;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod transport;
pub mod uplink;
pub mod usage;
pub mod wire;
