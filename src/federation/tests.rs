//! What producers may do and may not, on a paused clock and a real store.

mod claims;
mod contracts;
mod grants;
mod hub;
mod leases;
mod machine;
mod manifests;
mod refusals;
mod restarts;
mod takeovers;
mod whole;
