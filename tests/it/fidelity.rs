//! The call is the producer's (design.md, law 8): whatever gRPC and HTTP/2 allow comes out as it went in, with peers that we
//! wrote (our transport, frames by hand, generated code of tonic) and that others wrote (grpcio) at each end.

mod echo;
mod ends;
mod frames;
mod headers;
mod kinds;
mod pairs;
mod resets;
mod streams;

use crate::attacks::raw::hpack;

const PATH: &str = "/pay.v1.Ledger/Post";

/// A head by hand: `POST https://a/pay.v1.Ledger/Post`, as gRPC asks.
fn request() -> Vec<u8> {
    hpack(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":path", PATH),
        (":authority", "a"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ])
}
