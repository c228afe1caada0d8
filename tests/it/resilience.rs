//! What a caller sees when producers misbehave: another answers where that is safe, and nothing runs twice.

mod deadlines;
mod hedging;
mod raw;
mod retries;
mod stage;
mod transparent;
