//! A socket whose last words arrive: it is closed when the peer has closed, or after a short while.

use super::connections::Place;
use crate::lifecycle;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long a peer may take to close its side after us.
const MOST: Duration = Duration::from_secs(1);

/// A socket, and its place among the connections.
///
/// A system that closes a socket with unread bytes throws away what the peer has not taken yet, and tells it "reset"
/// (RFC 9112 §9.6 knows it of HTTP/1.1). A client that still sends while we say goodbye would lose answers.
#[derive(Debug)]
pub(super) struct Linger {
    stream: Option<TcpStream>,
    place: Arc<Place>,
    /// Whether all was written and the peer was told that no more comes.
    is_done: bool,
}

impl Linger {
    pub(super) fn new(stream: TcpStream, place: Arc<Place>) -> Self {
        Self { stream: Some(stream), place, is_done: false }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Linger {
    fn drop(&mut self) {
        let Some(mut stream) = self.stream.take().filter(|_| self.is_done) else { return };
        // At the end of a runtime nobody waits any more.
        if Handle::try_current().is_err() {
            return;
        }
        let place = self.place.clone();
        lifecycle::spawn("last words", async move {
            let mut late = [0; 1024];
            let gone = async { while matches!(stream.read(&mut late).await, Ok(read) if read > 0) {} };
            // Whoever does not close in time is reset.
            let _ = timeout(MOST, gone).await;
            drop(place);
        });
    }
}

impl AsyncRead for Linger {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, into)
    }
}

impl AsyncWrite for Linger {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = ready!(self.stream()?.poll_shutdown(cx));
        self.is_done = done.is_ok();
        Poll::Ready(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::connections::Connections;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn an_answer_arrives_although_the_client_still_sends() {
        let connections = Connections::new(1);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let place = Arc::new(connections.admit().unwrap());
        let mut served = Linger::new(listener.accept().await.unwrap().0, place);
        // More than the client's receive buffer takes: the rest waits on our side.
        let answer = vec![7; 4 << 20];
        client.write_all(b"a request, and what nobody will read").await.unwrap();
        let serve = async {
            served.write_all(&answer).await.unwrap();
            served.shutdown().await.unwrap();
            drop(served);
        };
        let mut got = Vec::new();
        let (_, read) = tokio::join!(serve, client.read_to_end(&mut got));
        read.unwrap();
        assert_eq!(got.len(), answer.len());
        assert!(connections.admit().is_none(), "it is still there");
        drop(client);
        connections.emptied(Duration::from_secs(5)).await;
        assert!(connections.admit().is_some());
    }
}
