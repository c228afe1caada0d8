//! The only code of these tests that knows the API: organisations, producers, a broker and consumers, all real.

mod broker;
mod consumer;
mod fault_proxy;
mod organisation;
mod producer;

pub use broker::Hub;
pub use consumer::{Consumer, Reply, frame, head, read};
pub use fault_proxy::{Fault, FaultProxy, Way};
pub use organisation::{Organisation, World};
pub use producer::{Producer, answer_ok, echo, settle};
