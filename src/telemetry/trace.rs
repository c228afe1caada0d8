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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARENT: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn span(id: u64) -> Span {
        let now = SystemTime::UNIX_EPOCH;
        let (role, name) = (Role::Server, "a.B/C".into());
        Span { trace: 1, id, parent: 0, role, name, began: now, ended: now, facts: Vec::new(), error: None }
    }

    #[test]
    fn a_traceparent_reads_back_and_nothing_else_is_one() {
        let context = Context::parse(PARENT).unwrap();
        assert_eq!((context.span, context.is_sampled), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(context.write(), *PARENT);
        assert!(Context::parse(&[PARENT, b"-x"].concat()).is_none());
        let later = [b"01".as_slice(), &PARENT[2..], b"-more"].concat();
        assert_eq!(Context::parse(&later), Some(context));
        for bad in [
            &b"00-00000000000000000000000000000000-00f067aa0ba902b7-01"[..],
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            b"00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            b"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            b"",
        ] {
            assert_eq!(Context::parse(bad), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(context) = Context::parse(&bytes) {
                prop_assert_eq!(&context.write()[3..52], &bytes[3..52]);
            }
        }
    }

    #[test]
    fn a_caller_decides_if_it_is_believed_and_the_ratio_otherwise() {
        let kept = Context::parse(PARENT);
        let left = kept.map(|context| Context { is_sampled: false, ..context });
        let tracer = |ratio, is_parent_believed| Tracer::new(Sampling { ratio, is_parent_believed }, 8);
        let of = TrustDomain::parse("data.example").unwrap();
        assert!(tracer(0.0, true).samples(kept, &of) && !tracer(1.0, true).samples(left, &of));
        assert!(!tracer(0.0, false).samples(kept, &of) && tracer(1.0, false).samples(left, &of));
        assert!(tracer(1.0, true).samples(None, &of) && !tracer(0.0, true).samples(None, &of));
        let half = tracer(0.5, true);
        let sampled = (0..10_000).filter(|_| half.samples(None, &of)).count();
        assert!((4_000..6_000).contains(&sampled), "{sampled}");
    }

    #[test]
    fn one_partner_does_not_decide_for_all_that_is_followed() {
        let [greedy, modest] =
            ["greedy.example", "modest.example"].map(|name| TrustDomain::parse(name).unwrap());
        let (mut shard, now) = (Shard::default(), Instant::now());
        let followed = (0..10 * FOLLOWED).filter(|_| shard.follows(&greedy, now)).count();
        assert_eq!(followed, FOLLOWED as usize);
        assert!(shard.follows(&modest, now));
        assert!(shard.follows(&greedy, now + Duration::from_secs(1)));
    }

    #[test]
    fn what_nobody_takes_is_dropped_and_counted() {
        let tracer = Tracer::new(Sampling { ratio: 1.0, is_parent_believed: true }, 5);
        for id in 0..4 {
            tracer.keep(vec![span(2 * id + 1), span(2 * id + 2)]);
        }
        assert_eq!((tracer.held(), tracer.dropped()), (4, 4));
        assert_eq!(tracer.take(3).len(), 3);
        assert_eq!(tracer.take(3).len(), 1);
        assert_eq!(tracer.held(), 0);
        tracer.keep(vec![span(9)]);
        assert_eq!(tracer.take(9), [span(9)]);
    }
}
