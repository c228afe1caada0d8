//! What a client program of a broker needs, a command line among them.

pub use crate::model::{Identity, Subject, TrustDomain};
