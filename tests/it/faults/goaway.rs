//! How HTTP/2 says that a request was not looked at, and how it does not (RFC 9113 §6.8, §8.7): what surely reached nobody
//! goes again, what may have run does not.

use crate::attacks::scripted::{Act, Ask, goaway, ledger, ok, reset, send, whole};
use crate::attacks::stage::Neighbour;
use crate::fixture::{Consumer, Producer, echo};

const POST: &str = "/pay.v1.Ledger/Post";
const CALM: u32 = 11;
const REFUSED_STREAM: u32 = 7;

/// What the producer does with one call; every other one is answered well. Then: the statuses that are
/// right for the caller, and how often it may be asked.
struct Case {
    name: &'static str,
    first: fn(u32) -> Vec<Act>,
    statuses: &'static [u32],
    calls: usize,
}

fn gone(parts: &[Vec<u8>]) -> Vec<Act> {
    vec![Act::TakeAll, Act::Send(parts.concat()), Act::Vanish]
}

const CASES: [Case; 12] = [
    Case {
        name: "goodbye to a stream not looked at",
        first: |_| send(&[goaway(0, 0)]),
        statuses: &[0],
        calls: 2,
    },
    Case { name: "the same, and gone", first: |_| gone(&[goaway(0, 0)]), statuses: &[0], calls: 2 },
    Case {
        name: "calm, not looked at, and gone",
        first: |_| gone(&[goaway(0, CALM)]),
        statuses: &[0],
        calls: 2,
    },
    Case { name: "a stream refused", first: |s| send(&[reset(s, REFUSED_STREAM)]), statuses: &[0], calls: 2 },
    Case {
        name: "goodbye, and the answer",
        first: |s| send(&[goaway(s, 0), whole(s)]),
        statuses: &[0],
        calls: 1,
    },
    Case {
        name: "goodbye in two steps, and the answer",
        first: |s| send(&[goaway((1 << 31) - 1, 0), goaway(s, 0), whole(s)]),
        statuses: &[0],
        calls: 1,
    },
    Case {
        name: "goodbye, looked at, and gone",
        first: |s| gone(&[goaway(s, 0)]),
        statuses: &[14],
        calls: 1,
    },
    Case {
        name: "calm, looked at, and gone",
        first: |s| gone(&[goaway(s, CALM)]),
        statuses: &[8, 14],
        calls: 1,
    },
    Case {
        name: "an internal error, looked at, and gone",
        first: |s| gone(&[goaway(s, 2)]),
        statuses: &[13, 14],
        calls: 1,
    },
    Case {
        name: "goodbye after the head, and gone",
        first: |s| gone(&[ok(s), goaway(0, 0)]),
        statuses: &[13, 14],
        calls: 1,
    },
    Case { name: "gone without a word", first: |_| gone(&[]), statuses: &[14], calls: 1 },
    Case {
        name: "refused after the head",
        first: |s| send(&[ok(s), reset(s, REFUSED_STREAM)]),
        statuses: &[14],
        calls: 1,
    },
];

#[tokio::test]
async fn what_surely_reached_nobody_goes_again_and_nothing_else() {
    // On a connection that has served, on one that is new, and on one that is gone in good order instead of at once.
    for (Case { name, first, statuses, calls }, served, in_order) in
        CASES.iter().flat_map(|case| [(case, 1, false), (case, 0, false), (case, 1, true)])
    {
        let first = *first;
        let orderly = move |act| if in_order && matches!(act, Act::Vanish) { Act::Close } else { act };
        let answer = move |Ask { call, stream, .. }: Ask| {
            if call == served {
                first(stream).into_iter().map(orderly).collect()
            } else {
                send(&[whole(stream)])
            }
        };
        let (world, scripted, listed) = ledger(answer).await;
        let good = Producer::start(&world.ml, &world.hub, "/good", echo).await;
        let hub = world
            .broker()
            .producer(&world.payments, "ledger", &listed, &["pay.v1.Ledger"])
            .producer(&world.ml, "good", &good, &["ml.v1.Good"])
            .start()
            .await;
        let neighbour = Consumer::connect(&world.data, "/neighbour", &hub).await;
        let neighbour = Neighbour::start(neighbour, "/ml.v1.Good/Do");
        let consumer = Consumer::connect(&world.data, "/app", &hub).await;
        for _ in 0..served {
            assert_eq!(consumer.unary(POST, &[], b"x").await.unwrap().status(), 0, "before {name}");
        }
        let reply = consumer.unary(POST, &[("grpc-timeout", "5S")], b"x").await.unwrap();
        assert!(statuses.contains(&reply.status()), "{name}: {:?}", reply.as_status());
        assert_eq!(scripted.calls(), served + calls, "{name}");
        // The next is answered, on another connection where that one is gone.
        let reply = consumer.unary(POST, &[("grpc-timeout", "5S")], b"x").await.unwrap();
        assert_eq!(reply.status(), 0, "after {name}: {:?}", reply.as_status());
        neighbour.is_unharmed(name).await;
    }
}

#[tokio::test]
async fn a_goodbye_ends_no_call_that_is_being_worked_on() {
    // After one to begin with, the first waits. With the second the producer says goodbye, looks at the first only, and answers it.
    let (world, scripted, listed) = ledger(|Ask { call, stream, .. }: Ask| match call {
        1 => Vec::new(),
        2 => send(&[goaway(stream - 2, 0), whole(stream - 2)]),
        _ => send(&[whole(stream)]),
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &listed, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    assert_eq!(consumer.unary(POST, &[], b"x").await.unwrap().status(), 0);
    let first = consumer.unary(POST, &[("grpc-timeout", "5S")], b"first");
    let second = async {
        while scripted.calls() < 2 {
            tokio::task::yield_now().await;
        }
        consumer.unary(POST, &[("grpc-timeout", "5S")], b"second").await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.unwrap().status(), second.unwrap().status()), (0, 0));
    assert_eq!(scripted.calls(), 4, "the second was asked again, the first was not");
}
