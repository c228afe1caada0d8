//! Who is let in, and why not: real handshakes with good and hostile certificates (attacks.md T1 to T9).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod callees;
mod callers;
mod hostile;
mod names;
mod reload;
mod resumption;
mod wire;
