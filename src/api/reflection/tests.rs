//! Reflection as a client meets it: over the generated client, in both versions of the protocol.

mod naming;
mod sight;
mod walk;
mod world;
