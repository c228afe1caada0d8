//! Descriptors as strangers send them, good and bad.

mod compat;
pub(crate) mod compile;
mod federation;
mod hostile;
mod screening;
