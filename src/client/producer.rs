//! What a producer in Rust does beside its work: listen over mutual TLS, register, renew, say goodbye.

mod listen;
mod register;
mod services;

pub use listen::serve;
pub use register::{Registration, Standing};
pub use services::Services;
