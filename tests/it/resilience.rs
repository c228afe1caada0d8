//! What a caller sees when producers misbehave: another answers where that is safe, and nothing runs twice.

mod deadlines;
mod declared;
mod hedging;
mod raw;
mod retries;
mod split;
pub mod stage;
mod transparent;
