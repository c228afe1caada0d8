//! What a hostile or broken world does to the real listener, and what must happen then (attacks.md, sections H and G).

mod contracts;
mod covered;
mod crowds;
pub mod end;
mod floods;
mod producers;
mod promptly;
pub mod raw;
mod requests;
pub mod scripted;
mod secrets;
pub mod stage;
mod traps;
