//! Gathers what one poll of a connection writes: one TLS record and one system call instead of one for each frame.
//!
//! h2 flushes whenever its small buffer is full and after every frame of some size. Here a flush only notes; the bytes
//! leave when the poll is over, before the task sleeps. What is gathered is bounded, and lies in a buffer of the thread:
//! a connection without unwritten bytes holds none.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So much is gathered before it is written in any case: what a peer that takes nothing costs here.
const MOST: usize = 64 * 1024;
/// A write of this size goes straight through: to copy it would cost more than it saves.
const STRAIGHT: usize = 8 * 1024;
/// A buffer may be so much larger than what waits in it while the peer takes nothing.
const SLACK: usize = 4 * 1024;

thread_local! {
    /// The buffer of whichever connection this thread polls.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A byte stream whose writes are gathered. Clones are the same stream: one is h2's, by the other its user
/// [drives](Self::poll) it.
pub(super) struct Batch<IO>(Arc<Mutex<Gathering<IO>>>);

struct Gathering<IO> {
    io: IO,
    out: Vec<u8>,
    /// How much of `out` is written.
    written: usize,
    /// What went wrong after the poll in which it was written.
    broken: Option<io::Error>,
    /// In this poll it was found that nothing has arrived; what arrives now is for the next one.
    dry: bool,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Batch<IO> {
    pub(super) fn new(io: IO) -> Self {
        Self(Arc::new(Mutex::new(Gathering { io, out: Vec::new(), written: 0, broken: None, dry: false })))
    }

    /// Polls what writes here, and writes what it left behind.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.lock().dry = false;
        let polled = poll(cx);
        self.lock().settle(cx);
        polled
    }

    /// [`poll`](Self::poll), for futures.
    pub(super) async fn drive<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| self.poll(cx, |cx| future.as_mut().poll(cx))).await
    }
}

impl<IO> Batch<IO> {
    /// A panic elsewhere leaves a stream that is at worst cut within a frame; its peer will say so.
    fn lock(&self) -> MutexGuard<'_, Gathering<IO>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Gathering<IO> {
    /// The poll is over. What the peer does not take now is kept, and written when the peer takes it.
    fn settle(&mut self, cx: &mut Context<'_>) {
        match self.drain(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => {
                // h2 asks for a flush in each of its polls, and hears it there.
                self.broken = Some(error);
                cx.waker().wake_by_ref();
            }
            Poll::Pending => self.shrink(),
        }
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.out[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        self.written = 0;
        give_back(std::mem::take(&mut self.out));
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn put(&mut self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Err(error));
        }
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        if length >= STRAIGHT || self.out.len() - self.written >= MOST {
            ready!(self.drain(cx))?;
        }
        if length >= STRAIGHT {
            return Pin::new(&mut self.io).poll_write_vectored(cx, parts);
        }
        if self.out.capacity() == 0 {
            self.out = SPARE.take();
        }
        parts.iter().for_each(|part| self.out.extend_from_slice(part));
        Poll::Ready(Ok(length))
    }

    /// A peer that takes nothing does not keep the thread's buffer.
    fn shrink(&mut self) {
        if self.out.capacity() - (self.out.len() - self.written) > SLACK {
            let left = self.out[self.written..].to_vec();
            give_back(std::mem::replace(&mut self.out, left));
            self.written = 0;
        }
    }
}

fn give_back(mut buffer: Vec<u8>) {
    if (1..=MOST + STRAIGHT).contains(&buffer.capacity()) {
        buffer.clear();
        SPARE.set(buffer);
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Batch<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        if inner.dry {
            return Poll::Pending;
        }
        let read = Pin::new(&mut inner.io).poll_read(cx, buffer);
        inner.dry = read.is_pending();
        read
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Batch<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.lock().put(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.lock().put(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// What was put here leaves at the end of the poll.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.lock().broken.take().map_or(Ok(()), Err))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        ready!(inner.drain(cx))?;
        Pin::new(&mut inner.io).poll_shutdown(cx)
    }
}

impl<IO> Clone for Batch<IO> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<IO> fmt::Debug for Batch<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// Takes `room` bytes and counts the writes.
    #[derive(Default)]
    struct Sink {
        room: usize,
        taken: Vec<u8>,
        writes: usize,
    }

    impl AsyncRead for Sink {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Sink {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let length = bytes.len().min(self.room);
            if length == 0 {
                return Poll::Pending;
            }
            self.room -= length;
            self.writes += 1;
            self.taken.extend_from_slice(&bytes[..length]);
            Poll::Ready(Ok(length))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// One poll that writes `pieces` of `size` bytes and goes to sleep; how many were taken.
    fn write(batch: &Batch<Sink>, pieces: usize, size: usize) -> usize {
        let mut taken = 0;
        let mut context = Context::from_waker(Waker::noop());
        let slept: Poll<()> = batch.poll(&mut context, |cx| {
            let mut writer = batch.clone();
            while taken < pieces
                && Pin::new(&mut writer).poll_write_vectored(cx, &[IoSlice::new(&vec![7; size])]).is_ready()
            {
                taken += 1;
            }
            Poll::Pending
        });
        assert!(slept.is_pending());
        taken
    }

    #[test]
    fn one_poll_is_one_write_and_nothing_is_left_behind() {
        let batch = Batch::new(Sink { room: usize::MAX, ..Sink::default() });
        assert_eq!(write(&batch, 100, 137), 100);
        let inner = batch.lock();
        assert_eq!((inner.io.writes, inner.io.taken.len()), (1, 13_700));
        assert_eq!(inner.out.capacity(), 0, "a sleeping connection holds no buffer");
    }

    #[test]
    fn what_is_large_goes_straight_through_in_its_order() {
        let batch = Batch::new(Sink { room: usize::MAX, ..Sink::default() });
        let _: Poll<()> = batch.poll(&mut Context::from_waker(Waker::noop()), |cx| {
            let mut writer = batch.clone();
            assert!(Pin::new(&mut writer).poll_write(cx, b"head").is_ready());
            assert!(Pin::new(&mut writer).poll_write(cx, &[8; STRAIGHT]).is_ready());
            Poll::Ready(())
        });
        let inner = batch.lock();
        assert_eq!(&inner.io.taken[..5], b"head\x08");
        assert_eq!(inner.io.taken.len(), 4 + STRAIGHT);
    }

    #[test]
    fn a_peer_that_takes_nothing_bounds_what_is_gathered_and_keeps_no_more_memory_than_that() {
        let batch = Batch::new(Sink::default());
        let taken = write(&batch, 1_000, 1_000);
        assert!((MOST / 1_000..=MOST / 1_000 + 1).contains(&taken), "{taken}");
        assert_eq!(write(&batch, 1, 1_000), 0, "it says so");
        let few = Batch::new(Sink::default());
        write(&few, 1, 100);
        assert!(few.lock().out.capacity() <= SLACK + 100);
        // When the peer takes it, it leaves without anything new to write.
        few.lock().io.room = 1_000;
        write(&few, 0, 0);
        assert_eq!(few.lock().io.taken.len(), 100);
    }
}
