//! Everything that is not ours: given to the relay, and if that fails, answered with one clear status.

use super::dispatch::Guest;
use super::fault::Fault;
use crate::lifecycle::Guard;
use crate::relay::{self, Answer, Call, Failure, Wish};
use crate::transport::send_body;
use http::{HeaderMap, Response};
use std::sync::Arc;
use tonic::Status;
use tonic::body::Body;

/// Carries a call to its owner; whatever goes wrong on the way becomes a status where the answer stands.
/// Whoever drains waits for `working`.
pub(super) async fn carry(guest: Arc<Guest>, mut call: Box<Call>, working: Arc<Guard>) {
    let (relay, pool) = (&guest.dispatch.relay, &guest.pool);
    let stop = async {
        guest.cut.cancelled().await;
        "its connection has to end"
    };
    let mut reason = None;
    if let Some(failure) = relay.forward(pool, &mut call, stop).await {
        (call.course.status, reason) = Box::pin(tell(&call.wish, *failure)).await;
    }
    relay.tell(&call.wish, &call.course, reason);
    drop(working);
}

/// Tells the consumer how its call failed. The number of the status, if it could be told one, and our own reason for it.
async fn tell(wish: &Wish, failure: Failure) -> (Option<u8>, Option<&'static str>) {
    let service = &wish.service;
    tracing::debug!(service, error = %failure.error, "a call failed");
    if matches!(failure.error, relay::Error::Consumer(_)) {
        // Dropping the answer is all that a consumer who has gone can be told.
        return (None, None);
    }
    let fault = Fault::from(failure.error);
    let reason = Some(fault.reason());
    let status = Status::from(fault);
    let code = status.code() as u8;
    let told = match failure.answer {
        Answer::Unsent(respond) => {
            let mut answer: Response<Body> = status.into_http();
            answer.headers_mut().extend(failure.told);
            send_body(respond, answer).await
        }
        Answer::Open(mut send) => {
            let mut trailers: HeaderMap = failure.told;
            // A status of ours always fits into headers; without it the stream is reset, never ended well.
            if status.add_header(&mut trailers).is_err() {
                return (None, reason);
            }
            send.trailers(trailers)
        }
        Answer::Over => Ok(()),
    };
    if let Err(error) = told {
        tracing::debug!(service, %error, "the consumer left before its status");
    }
    (Some(code), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of what an async function returns.
    fn size<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_call_under_way_takes_little_memory() {
        // Thousands are open at once, and each is on the heap whole: what is rare belongs into a box of its own.
        let bytes = size(carry);
        assert!(bytes <= 3 << 10, "{bytes} bytes");
    }
}
