//! Descriptors as strangers send them, good and bad.

pub(crate) mod compile;
mod hostile;
mod screening;
