//! Spans of calls: W3C Trace Context continued, what is sampled kept for a collector, within a bound.

use super::shards::{Shards, lock};
use crate::model::TrustDomain;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Calls in a second that one trust domain's callers may have followed by one thread; the ratio decides of the rest.
const FOLLOWED: u32 = 100;
/// So many trust domains are told apart. They are those of the configuration.
const DOMAINS: usize = 1_024;

/// Where a call stands in a trace: what `traceparent` says (W3C Trace Context §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The trace; never 0.
    pub trace: u128,
    /// The span of whoever calls; never 0.
    pub span: u64,
    /// Whether whoever calls keeps it.
    pub is_sampled: bool,
}

/// Which calls are followed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The share of calls without a parent that are followed: 0 to 1.
    pub ratio: f64,
    /// Whether what a caller has decided is followed; otherwise the ratio holds for every trace.
    pub is_parent_believed: bool,
}

/// On which side of a call a span stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The call, as the consumer began it.
    Server,
    /// One attempt at a producer.
    Client,
}

/// What a span says of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// Words.
    Text(Cow<'static, str>),
    /// A whole number.
    Whole(i64),
    /// Yes or no.
    Flag(bool),
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The trace.
    pub trace: u128,
    /// Itself.
    pub id: u64,
    /// The span above; 0 if it is the root.
    pub parent: u64,
    /// On which side it stands.
    pub role: Role,
    /// What was called.
    pub name: Cow<'static, str>,
    /// When it began.
    pub began: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// What it says.
    pub facts: Vec<(&'static str, Fact)>,
    /// Why it failed, if it did.
    pub error: Option<Cow<'static, str>>,
}

/// Keeps the spans of calls that are followed until a collector takes them. Clones keep them together.
#[derive(Debug, Clone)]
pub struct Tracer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sampling: Sampling,
    limit: usize,
    held: AtomicUsize,
    dropped: AtomicU64,
    shards: Shards<Shard>,
}

/// What one thread keeps.
#[derive(Debug, Default)]
struct Shard {
    spans: Vec<Span>,
    /// Since when, and how many calls of a trust domain were followed because their callers follow them.
    followed: HashMap<TrustDomain, (Option<Instant>, u32)>,
}

impl Context {
    /// Reads a `traceparent`: `00-{32 hex}-{16 hex}-{2 hex}`, neither id all zero; later versions may say more behind
    /// a dash. `None` if it is none (W3C Trace Context §3.2, §4.3).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let fixed: &[u8; 55] = value.first_chunk()?;
        let dashes = [fixed[2], fixed[35], fixed[52]];
        let version = hex(&fixed[..2])?;
        let longer = match value.get(55) {
            None => true,
            Some(next) => version != 0 && *next == b'-',
        };
        if dashes != [b'-'; 3] || version == 0xff || !longer {
            return None;
        }
        let (trace, span) = (hex(&fixed[3..35])?, hex(&fixed[36..52])?);
        let flags = hex(&fixed[53..])?;
        let span = u64::try_from(span).ok()?;
        (trace != 0 && span != 0).then_some(Self { trace, span, is_sampled: flags & 1 == 1 })
    }

    /// Writes a `traceparent` of version 00.
    pub fn write(&self) -> [u8; 55] {
        let mut out = *b"00-00000000000000000000000000000000-0000000000000000-00";
        put(&mut out[3..35], self.trace);
        put(&mut out[36..52], self.span.into());
        put(&mut out[53..55], u128::from(self.is_sampled));
        out
    }

    /// A trace of our own.
    pub fn root(is_sampled: bool) -> Self {
        Self { trace: fastrand::u128(1..), span: new_span(), is_sampled }
    }
}

/// The id of a new span; never 0.
pub fn new_span() -> u64 {
    fastrand::u64(1..)
}

impl Tracer {
    /// Keeps at most `limit` spans until they are taken.
    pub fn new(sampling: Sampling, limit: usize) -> Self {
        let (held, dropped) = (AtomicUsize::new(0), AtomicU64::new(0));
        let shared = Shared { sampling, limit, held, dropped, shards: Shards::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Whether a call is followed whose caller, of a trust domain, stands there in a trace, or in none.
    pub fn samples(&self, parent: Option<Context>, of: &TrustDomain) -> bool {
        let Sampling { ratio, is_parent_believed } = self.shared.sampling;
        match parent {
            Some(parent) if is_parent_believed && !parent.is_sampled => false,
            Some(_) if is_parent_believed && self.shared.shards.mine().follows(of, Instant::now()) => true,
            // The same trace is followed by all who hold to the same ratio (OpenTelemetry, TraceIdRatioBased).
            Some(parent) => share(parent.trace as u64) < ratio,
            None => ratio > 0.0 && fastrand::f64() < ratio,
        }
    }

    /// Keeps the spans of one call, or drops them all if there is no room.
    pub fn keep(&self, spans: Vec<Span>) {
        let (shared, count) = (&*self.shared, spans.len());
        if shared.held.fetch_add(count, Ordering::Relaxed) + count > shared.limit {
            shared.held.fetch_sub(count, Ordering::Relaxed);
            shared.dropped.fetch_add(count as u64, Ordering::Relaxed);
            return;
        }
        shared.shards.mine().spans.extend(spans);
    }

    /// Takes at most `most` spans for a collector.
    pub fn take(&self, most: usize) -> Vec<Span> {
        let mut taken = Vec::new();
        for shard in self.shared.shards.all() {
            let spans = &mut lock(shard).spans;
            let left = most - taken.len();
            if spans.len() <= left {
                taken.append(spans);
            } else {
                taken.extend(spans.drain(..left));
                break;
            }
        }
        self.shared.held.fetch_sub(taken.len(), Ordering::Relaxed);
        taken
    }

    /// Notes that spans which were taken did not reach the collector.
    pub fn lost(&self, count: usize) {
        self.shared.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Spans that wait for a collector.
    pub fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// Spans that no collector got, so far.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Shard {
    /// Whether one more call of a trust domain is followed because its caller follows it: one partner must not take
    /// all that a collector gets.
    fn follows(&mut self, of: &TrustDomain, now: Instant) -> bool {
        if !self.followed.contains_key(of) {
            if self.followed.len() >= DOMAINS {
                return false;
            }
            self.followed.insert(of.clone(), (None, 0));
        }
        let Some((since, count)) = self.followed.get_mut(of) else { return false };
        if since.is_none_or(|since| now.saturating_duration_since(since) >= Duration::from_secs(1)) {
            (*since, *count) = (Some(now), 0);
        }
        *count += 1;
        *count <= FOLLOWED
    }
}

/// A number from 0 to 1.
fn share(number: u64) -> f64 {
    number as f64 / u64::MAX as f64
}

/// Lower-case hexadecimal digits, at most 32 of them.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |sum: u128, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(sum << 4 | u128::from(digit))
    })
}

fn put(out: &mut [u8], mut number: u128) {
    for place in out.iter_mut().rev() {
        *place = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

#[cfg(test)]
mod tests;
