//! What a user relies on, at real boundaries: real TLS, real sockets, real clients. One binary, linked once.

#![allow(unreachable_pub, reason = "a test binary has no outside")]
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail it")]

mod attacks;
mod balance;
mod cli;
mod compat;
mod contracts;
mod demo;
mod discovery;
mod etcd;
mod faults;
mod fidelity;
mod fixture;
mod foreign;
mod identity;
mod manifests;
mod python;
mod readme;
mod registry;
mod resilience;
mod rolling;
mod routing;
mod status;
mod telemetry;
mod typed;
mod uplink;
mod usage;
