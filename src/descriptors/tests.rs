//! Descriptors as strangers send them, good and bad.

pub(crate) mod compile;
mod federation;
mod hostile;
mod screening;
