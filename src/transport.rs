//! HTTP/2 streams over any byte stream, both legs: a head in, body frames moved, trailers out, or a reset.
//!
//! Owns: flow control, limits, keepalive, and the question "did the request reach the application?".
//! Never: decodes a body, knows a gRPC code, or dials.
//! Flow: bytes → [`server::Connection::accept`] → [`Exchange`] → [`client::Connection::send`] → bytes.
//!
//! Everything of one stream (its `Respond`, `Recv` and `Send`) is to be awaited in one task: h2 keeps one waker
//! for each direction of a stream.

mod batch;
mod body;
mod budget;
mod channel;
pub mod client;
mod error;
mod gauge;
mod keepalive;
mod link;
mod pacing;
mod recv;
pub mod server;
mod settings;
mod stream;

pub use body::{RecvBody, send_body, serve};
pub use budget::{Budget, Use};
pub use channel::Channel;
pub use error::Error;
pub use gauge::Gauge;
pub use h2::Reason;
pub use recv::Recv;
pub use server::{Exchange, Respond};
pub use settings::Settings;
pub use stream::Send;

#[cfg(test)]
mod tests;
