//! Descriptors as strangers send them, good and bad.

mod compile;
mod hostile;
mod screening;
