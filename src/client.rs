//! What a program beside the broker needs: a connection to it, its typed services, and the duties of a producer.
//!
//! Owns: profiles, the way to a broker, a producer's listener and its lease.
//! Never: what the broker keeps; it is asked over the wire like by anybody.
//! Flow: flags, environment and file → [`Profile`] → [`Target`] → [`connect`] → [`Channel`] → the services in [`pb`].

mod connect;
pub mod producer;
mod profile;
mod status;
mod target;

pub use crate::identity::{Credentials, Domain, Files, Peer, Trust};
pub use crate::model::{Address, Identity, Subject, TrustDomain, is_invisible};
pub use crate::transport::{Channel, RecvBody};
pub use crate::wire::{DESCRIPTORS, manifest, pb};
pub use connect::{Error, connect};
pub use profile::{Profile, ProfileError, parse_duration};
pub use status::{code_name, failure, one_line};
pub use target::{Missing, Target, Whom};
