//! Counts body bytes in memory, so that "bounded" is a number that a test and a metric can read.

use super::budget::Tenant;
use bytes::{Buf, Bytes};
use std::io::IoSlice;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// Body bytes held: handed out by [`Recv`](super::Recv) and not yet released, or given to
/// [`Send`](super::Send) and not yet on their way into TLS. Bytes that arrived and nobody has read yet are not in it;
/// flow control bounds them to one stream window a stream ([`Recv::buffered`](super::Recv::buffered)). What TLS and the
/// writes of one poll hold is bounded for each connection, and not in it either.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<Held>);

/// What one gauge counts, and against whose share.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: AtomicUsize,
    tenant: Option<Arc<Tenant>>,
}

impl Held {
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Gauge {
    pub(super) fn of(tenant: Arc<Tenant>) -> Self {
        Self(Arc::new(Held { bytes: AtomicUsize::new(0), tenant: Some(tenant) }))
    }

    /// The bytes held now.
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// The error of new calls, while whoever it counts for holds more than its share of what all may hold.
    pub fn refusal(&self) -> Option<super::Error> {
        self.0.tenant.as_ref().filter(|tenant| tenant.is_over()).map(|tenant| tenant.error())
    }

    pub(super) fn tenant(&self) -> Option<&Arc<Tenant>> {
        self.0.tenant.as_ref()
    }

    pub(super) fn downgrade(&self) -> Weak<Held> {
        Arc::downgrade(&self.0)
    }

    pub(super) fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn sub(&self, bytes: usize) {
        self.0.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one stream has given to h2 and h2 has not yet written.
#[derive(Debug)]
pub(super) struct Tally {
    gauge: Gauge,
    waiting: AtomicUsize,
}

impl Tally {
    pub(super) fn new(gauge: Gauge) -> Arc<Self> {
        Arc::new(Self { gauge, waiting: AtomicUsize::new(0) })
    }

    pub(super) fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.gauge.add(bytes);
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
    }

    fn sub(&self, bytes: usize) {
        self.gauge.sub(bytes);
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A body frame on its way to the socket; counted until it is written or thrown away.
#[derive(Debug)]
pub(super) struct Counted {
    bytes: Bytes,
    tally: Arc<Tally>,
}

impl Counted {
    pub(super) fn new(bytes: Bytes, tally: &Arc<Tally>) -> Self {
        tally.add(bytes.len());
        Self { bytes, tally: tally.clone() }
    }
}

impl Buf for Counted {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn chunks_vectored<'a>(&'a self, dst: &mut [IoSlice<'a>]) -> usize {
        self.bytes.chunks_vectored(dst)
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        self.tally.sub(count);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.tally.sub(self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_counts_until_it_is_written_or_dropped() {
        let gauge = Gauge::default();
        let tally = Tally::new(gauge.clone());
        let mut frame = Counted::new(Bytes::from_static(b"twelve bytes"), &tally);
        assert_eq!((gauge.bytes(), tally.waiting()), (12, 12));
        frame.advance(5);
        assert_eq!((gauge.bytes(), tally.waiting()), (7, 7));
        drop(frame);
        assert_eq!((gauge.bytes(), tally.waiting()), (0, 0));
    }
}
