//! A call through the broker is the producer's call: nothing lost, nothing added but what design.md §6 lists.

mod bounds;
mod endings;
mod explain;
mod fidelity;
mod intent;
mod refusals;
mod registered;
mod sticky;
