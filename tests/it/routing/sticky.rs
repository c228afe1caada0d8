//! A question that brings a call's metadata is told where such calls go.

use super::registered::{Registry, Routing, version};
use crate::fixture::{Consumer, Producer, World, answer_ok};
use portolan::client::pb::portolan::catalog::v1 as catalog;
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::client::pb::portolan::routing::v1 as routing;

fn session(value: &str) -> Vec<routing::Metadata> {
    vec![routing::Metadata { key: "session-id".into(), value: value.into() }]
}

#[tokio::test]
async fn an_explanation_with_metadata_is_where_calls_of_that_key_go() {
    let world = World::new();
    let mut producers = Vec::new();
    for nth in 0..4u8 {
        let answer = move |exchange| answer_ok(exchange, vec![nth].into());
        producers.push(Producer::start(&world.payments, &world.hub, "/ledger", answer).await);
    }
    let hub = world.broker().start().await;
    let own = Consumer::connect(&world.payments, "/ledger", &hub).await;
    let at = |p: &Producer| catalog::Endpoint { address: p.address.to_string(), ..Default::default() };
    let sticky = registry::CapabilityVersion {
        sticky_key: "session-id".into(),
        ..version("ledger", "1.0.0", "pay.v1.Ledger")
    };
    let request = registry::RegisterProducerRequest {
        platform: world.payments.name.clone(),
        producer: "ledger".into(),
        endpoints: producers.iter().map(at).collect(),
        versions: vec![sticky],
        ..Default::default()
    };
    Registry::new(own.channel()).register_producer(request).await.unwrap();

    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let explain = async |metadata: Vec<routing::Metadata>| {
        let method = "pay.v1.Ledger/Post".to_owned();
        let request = routing::ExplainRouteRequest { method, metadata, ..Default::default() };
        let answer = Routing::new(consumer.channel()).explain_route(request).await?;
        Ok::<_, tonic::Status>(answer.into_inner().explanation.unwrap().candidates.remove(0))
    };
    let mut homes = std::collections::BTreeSet::new();
    for user in 0..24 {
        let user = user.to_string();
        let told = explain(session(&user)).await.unwrap();
        let reply = consumer.unary("/pay.v1.Ledger/Post", &[("session-id", &user)], b"x").await.unwrap();
        let home = &producers[usize::from(reply.body[5])];
        assert_eq!(told.endpoint, home.address.to_string(), "{user}");
        assert_eq!(told.reason, "its session-id keeps it there");
        homes.insert(home.address);
    }
    assert!(homes.len() > 1, "{homes:?}");
    assert_eq!(explain(Vec::new()).await.unwrap().reason, "", "without the key nothing keeps it");
    let refused = explain(session("\r\n")).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
}
