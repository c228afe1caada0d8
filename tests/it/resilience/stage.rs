use crate::fixture::{Consumer, Hub, Producer, World};
use std::fmt::Write;

/// Producers of one version, and a consumer.
pub struct Stage {
    _world: World,
    _hub: Hub,
    pub consumer: Consumer,
}

impl Stage {
    /// `producers` are the endpoints of one version of `pay.v1.Ledger`; `facts` are more lines of its declaration.
    pub async fn new(world: World, producers: &[&Producer], facts: &str, config: &str) -> Self {
        let hub = world.broker().with(config).with(&declared(&world, producers, facts)).start().await;
        let consumer = Consumer::connect(&world.data, "/app", &hub).await;
        Self { _world: world, _hub: hub, consumer }
    }
}

fn declared(world: &World, producers: &[&Producer], facts: &str) -> String {
    let mut text = String::new();
    let endpoints: Vec<_> = producers.iter().map(|p| format!("{{ address = \"{}\" }}", p.address)).collect();
    writeln!(
        text,
        "[[producers]]\nplatform = {:?}\nid = \"ledger\"\nidentity = {:?}\nendpoints = [{}]\n\
         [[producers.capabilities]]\nname = \"ledger\"\nversion = \"1.0.0\"\nservices = [\"pay.v1.Ledger\"]\n\
         owner = \"team\"\ncontact = \"team@example\"\nstage = \"stable\"\nvisibility = [\"*\"]\n{facts}",
        world.payments.name,
        producers[0].identity,
        endpoints.join(", ")
    )
    .unwrap();
    text
}
