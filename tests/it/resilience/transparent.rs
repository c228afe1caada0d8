//! What surely reached nobody is sent again, whatever the method: refused streams, and streams above a GOAWAY.

use super::raw::{self, Act};
use super::stage::Stage;
use crate::fixture::{Consumer, Producer, World, echo, frame, read};
use portolan::transport::{Exchange, Reason, Settings};

const POST: &str = "/pay.v1.Ledger/Post";

async fn refusing(world: &World) -> Producer {
    Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        exchange.respond.reset(Reason::REFUSED_STREAM);
    })
    .await
}

/// Calls until the endpoint that misbehaves was met, and a few times more.
async fn all_answered(consumer: &Consumer, good: &Producer, bad: &Producer) {
    for n in 0..100 {
        let message = format!("message {n}");
        let metadata = [("x-mine", "kept"), ("x-mine", "twice"), ("x-bytes-bin", "AAEC")];
        let reply = consumer.unary(POST, &metadata, message.as_bytes()).await.unwrap();
        assert_eq!((reply.status(), &reply.body), (0, &frame(message.as_bytes())), "call {n}");
        let mine: Vec<_> =
            reply.head.headers.get_all("x-mine").iter().map(|mine| mine.to_str().unwrap()).collect();
        assert_eq!((mine, reply.header("x-bytes-bin")), (vec!["kept", "twice"], "AAEC"));
        assert_eq!(good.calls(), n + 1, "each ran once");
        if bad.calls() >= 1 {
            return;
        }
    }
    panic!("the bad endpoint was never tried");
}

#[tokio::test]
async fn a_refused_stream_is_sent_to_another_endpoint() {
    let world = World::new();
    let good = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let bad = refusing(&world).await;
    let stage = Stage::new(world, &[&good, &bad], "", "").await;
    all_answered(&stage.consumer, &good, &bad).await;
}

#[tokio::test]
async fn a_stream_above_a_goaway_is_sent_to_another_endpoint() {
    let world = World::new();
    let good = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let bad = raw::producer(&world, &world.payments, "/ledger", Act::GoAway).await;
    let stage = Stage::new(world, &[&good, &bad], "", "").await;
    all_answered(&stage.consumer, &good, &bad).await;
}

#[tokio::test]
async fn who_refuses_everything_is_asked_twice_and_then_its_word_stands() {
    let world = World::new();
    let bad = refusing(&world).await;
    let stage = Stage::new(world, &[&bad], "", "").await;
    let reply = stage.consumer.unary(POST, &[], b"").await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (14, "REFUSED_BY_PRODUCER"));
    assert_eq!(bad.calls(), 2);
}

#[tokio::test]
async fn a_call_that_may_have_run_is_not_sent_again() {
    let world = World::new();
    let bad = raw::producer(&world, &world.payments, "/ledger", Act::HangUp).await;
    let stage = Stage::new(world, &[&bad], "", "").await;
    let reply = stage.consumer.unary(POST, &[], raw::MARK).await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (14, "CONNECTION_LOST"));
    assert_eq!(bad.calls(), 1);
}

/// It reads so many bytes before it refuses.
async fn refusing_after(world: &World, most: usize) -> Producer {
    Producer::start(&world.payments, &world.hub, "/ledger", move |exchange: Exchange| async move {
        let mut body = exchange.request.into_body();
        let mut bytes = 0;
        while bytes < most {
            let data = body.frame().await.unwrap().unwrap();
            bytes += data.len();
            body.release(data.len());
        }
        exchange.respond.reset(Reason::REFUSED_STREAM);
    })
    .await
}

/// Streams messages of these sizes until the endpoint that refuses was met; each comes back whole.
async fn all_came_back(stage: &Stage, bad: &Producer, sizes: &[usize]) {
    for _ in 0..20 {
        let (response, mut send) = stage.consumer.open("/pay.v1.Ledger/Chat", &[]);
        let mut sent = Vec::new();
        for (nth, size) in sizes.iter().enumerate() {
            let message = frame(&vec![nth as u8; *size]);
            sent.extend_from_slice(&message);
            send.frame(message, nth + 1 == sizes.len()).await.unwrap();
        }
        let reply = read(response).await.unwrap();
        assert_eq!(reply.status(), 0);
        assert!(reply.body == sent, "{} bytes of {}", reply.body.len(), sent.len());
        if bad.calls() > 0 {
            return;
        }
    }
    panic!("the bad endpoint was never tried");
}

#[tokio::test]
async fn a_stream_under_way_goes_on_elsewhere_with_all_that_was_sent() {
    let world = World::new();
    let good = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let bad = refusing_after(&world, 9000).await;
    let stage = Stage::new(world, &[&good, &bad], "", "").await;
    all_came_back(&stage, &bad, &[10, 20, 5000, 3000, 2000, 1]).await;
}

#[tokio::test]
async fn who_answers_before_it_has_got_all_again_still_gets_all() {
    let world = World::new();
    // Its answer begins at once, and it takes little at a time.
    let narrow = Settings { stream_window: 1024, ..Settings::default() };
    let good = Producer::start_with(&world.payments, &world.hub, "/ledger", narrow, echo).await;
    let bad = refusing_after(&world, 40_000).await;
    let stage = Stage::new(world, &[&good, &bad], "", "").await;
    all_came_back(&stage, &bad, &[9000, 9000, 9000, 9000, 9000, 9000, 1]).await;
}
