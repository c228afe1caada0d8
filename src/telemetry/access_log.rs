//! The access log: one JSON object a line for each call that is sampled, and for those that fail if so configured.
//!
//! A line is written into the buffer of its thread; a thread of its own takes the buffers to the file. Whoever cannot
//! write as fast as calls come loses lines, which are counted, and holds up nobody.

mod line;
mod sink;

pub use line::{Entry, Field};
pub use sink::{Sink, Writer};

use super::shards::Shards;
use http::HeaderName;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that one thread may hold before lines are dropped.
const ROOM: usize = 1 << 20;

/// Which calls are written down, and what of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The share of calls that are written: 0 to 1.
    pub ratio: f64,
    /// Whether every call that fails is written.
    pub errors: bool,
    /// What is written of a call.
    pub fields: Vec<Field>,
    /// Metadata of the request whose values are written; no other is.
    pub metadata: Vec<HeaderName>,
}

/// Writes calls down. Clones write to the same file.
#[derive(Debug, Clone)]
pub struct AccessLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    choice: Choice,
    buffers: Shards<String>,
    written: AtomicU64,
    dropped: AtomicU64,
}

impl AccessLog {
    /// A log of these calls; nothing is written until a [`Writer`] runs.
    pub fn new(choice: Choice) -> Self {
        let (written, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { shared: Arc::new(Shared { choice, buffers: Shards::default(), written, dropped }) }
    }

    /// Whether a call that begins now is written however it ends.
    pub fn samples(&self) -> bool {
        let ratio = self.shared.choice.ratio;
        ratio >= 1.0 || (ratio > 0.0 && fastrand::f64() < ratio)
    }

    /// Whether a call that was not sampled is written because of how it ended.
    pub fn keeps(&self, status: u8) -> bool {
        self.shared.choice.errors && status != 0
    }

    /// Whether anything of a call that was not sampled may be needed at its end.
    pub fn may_keep(&self) -> bool {
        self.shared.choice.errors
    }

    /// The metadata whose values are written.
    pub fn metadata(&self) -> &[HeaderName] {
        &self.shared.choice.metadata
    }

    /// Writes a call down.
    pub fn write(&self, entry: &Entry<'_>) {
        let shared = &*self.shared;
        let mut buffer = shared.buffers.mine();
        if buffer.len() >= ROOM {
            drop(buffer);
            shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        entry.write(&shared.choice.fields, &mut buffer);
        buffer.push('\n');
    }

    /// Lines that reached the file, and lines that did not.
    pub fn counts(&self) -> (u64, u64) {
        (self.shared.written.load(Ordering::Relaxed), self.shared.dropped.load(Ordering::Relaxed))
    }
}
