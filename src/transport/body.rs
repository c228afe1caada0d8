//! Lets generated services and clients, which speak `http_body`, sit on our streams.

use super::{Error, Recv, Respond};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tower_service::Service;

/// A received body as an [`http_body::Body`]. Each frame is released when the next is asked for.
#[derive(Debug)]
pub struct RecvBody {
    recv: Recv,
    taken: usize,
    trailing: bool,
    over: bool,
}

impl RecvBody {
    /// The body of what `recv` receives.
    pub fn new(recv: Recv) -> Self {
        let over = recv.is_end();
        Self { recv, taken: 0, trailing: false, over }
    }
}

impl Body for RecvBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let taken = std::mem::take(&mut self.taken);
        self.recv.release(taken);
        if self.over {
            return Poll::Ready(None);
        }
        if !self.trailing {
            match ready!(self.recv.poll_frame(cx)) {
                Some(Ok(data)) => {
                    self.taken = data.len();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => {
                    self.over = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.trailing = true,
            }
        }
        let trailers = ready!(self.recv.poll_trailers(cx));
        self.over = true;
        Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.recv.is_end()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_end_stream() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

/// Lets a generated service answer one request; stops its work when the consumer goes away.
pub async fn serve<S, B>(
    request: http::Request<Recv>,
    mut respond: Respond,
    mut service: S,
) -> Result<(), Error>
where
    S: Service<http::Request<RecvBody>, Response = http::Response<B>, Error = std::convert::Infallible>,
    B: Body<Data = Bytes>,
{
    let answer = async {
        match poll_fn(|cx| service.poll_ready(cx)).await {
            Ok(()) => service.call(request.map(RecvBody::new)).await,
            Err(never) => match never {},
        }
    };
    tokio::select! {
        biased;
        gone = respond.closed() => Err(gone),
        Ok(answer) = answer => send_body(respond, answer).await,
    }
}

/// Sends a whole answer: its head, its body's frames, its trailers. An empty body makes one HEADERS frame with
/// END_STREAM; a body that fails makes a reset.
pub async fn send_body<B>(respond: Respond, answer: http::Response<B>) -> Result<(), Error>
where
    B: Body<Data = Bytes>,
{
    let (head, body) = answer.into_parts();
    let end = body.is_end_stream();
    let mut send = respond.send(http::Response::from_parts(head, ()), end)?;
    if end { Ok(()) } else { pump(&mut send, body).await }
}

/// Moves a body's frames and trailers into `send`, and stops when the peer goes away.
pub(super) async fn pump<B>(send: &mut super::Send, body: B) -> Result<(), Error>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    loop {
        let next = poll_fn(|cx| match body.as_mut().poll_frame(cx) {
            Poll::Pending => send.poll_closed(cx).map(Err),
            Poll::Ready(frame) => {
                Poll::Ready(frame.transpose().map_err(|_| Error::Closed("the body to be sent failed")))
            }
        });
        let Some(frame) = next.await? else {
            return send.frame(Bytes::new(), true).await;
        };
        match frame.into_data().map_err(Frame::into_trailers) {
            Ok(data) => {
                let end = body.is_end_stream();
                send.frame(data, end).await?;
                if end {
                    return Ok(());
                }
            }
            Err(Ok(trailers)) => return send.trailers(trailers),
            // A kind of frame that this version of `http_body` does not name.
            Err(Err(_)) => {}
        }
    }
}
