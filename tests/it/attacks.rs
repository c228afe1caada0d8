//! What a hostile or broken world does to the real listener, and what must happen then (attacks.md, sections H and G).

mod contracts;
mod end;
mod floods;
mod producers;
mod raw;
mod requests;
mod stage;
mod traps;
