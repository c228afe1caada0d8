//! Who is at the other end: certificates in, identities out, each judged by its own organisation's bundle alone.
//!
//! Owns: trust bundles, revocation lists, our own certificate, their reload, the TLS configurations of both directions.
//! Never: what an identity may do (`access`), sockets, connections; trust of two domains is never merged.
//! Flow: files → `open` → `Trust` and `Credentials` (readers) → `accept` and `connect` → `Peer` → `Trust::ends`.

mod bundle;
mod credentials;
mod files;
mod leaf;
mod refusal;
mod seal;
mod tls;
mod trust;
mod verifier;
mod watch;

pub use bundle::Roots;
pub use credentials::Credentials;
pub use files::{Domain, Fault, Files};
pub use leaf::Usage;
pub use refusal::{Refusal, refusal};
pub use seal::{Broken, Seal, Signatories, Signatory, Unsealed, chain_digest};
pub use tls::{accept, client_config, connect, server_config};
pub use trust::{Peer, Trust};
pub use verifier::Expected;
pub use watch::{Watcher, open};
