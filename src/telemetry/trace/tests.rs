//! Traces read and written, and what of them is followed.

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
    let [greedy, modest] = ["greedy.example", "modest.example"].map(|name| TrustDomain::parse(name).unwrap());
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
