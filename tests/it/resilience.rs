//! What a caller sees when producers misbehave: another answers where that is safe, and nothing runs twice.

mod raw;
mod stage;
mod transparent;
