//! Who called what: for those whose business it is.

use super::*;
use tonic::Code;

/// A version of `a.example` that everybody sees, and one of `b.example`; both called by two consumers.
fn world() -> World {
    let world = World::new(&[(0, 0, 0, 0, [1, 2].into()), (1, 0, 0, 0, [0, 2].into())]);
    for (version, consumer, count) in [(A, "b.example", 3), (A, "c.example", 2), (B, "a.example", 5)] {
        for n in 0..count {
            let consumer = Identity::parse_spiffe(&format!("spiffe://{consumer}/app")).unwrap();
            world.calls.record(&VersionName::parse(version).unwrap(), &consumer, n > 0);
        }
    }
    world
}

const A: &str = "platforms/a.example/capabilities/c0/versions/1.0.0";
const B: &str = "platforms/b.example/capabilities/c0/versions/1.0.0";

/// Consumers with their calls and failures.
async fn ask(world: &World, who: &str, parent: &str) -> Result<Vec<(String, u64, u64)>, Code> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let message = pb::ListConsumersRequest { parent: parent.into(), page_size: 1, page_token };
        let page =
            world.catalog.list_consumers(world.ask(who, message)).await.map_err(|status| status.code())?;
        let page = page.into_inner();
        let shown =
            |one: pb::Consumer| (format!("{} {}", one.version, one.identity), one.calls, one.failed_calls);
        all.extend(page.consumers.into_iter().map(shown));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

#[tokio::test]
async fn the_owner_learns_its_consumers_and_nobody_elses() {
    let world = world();
    let expected = |name: &str, who: &str, calls| (format!("{name} spiffe://{who}/app"), calls, 1);
    let of_a = vec![expected(A, "b.example", 3), expected(A, "c.example", 2)];
    let capability = "platforms/a.example/capabilities/c0";
    for parent in
        ["platforms/a.example", capability, A, "platforms/-", "platforms/-/capabilities/c0/versions/-"]
    {
        assert_eq!(ask(&world, "a.example", parent).await.unwrap(), of_a, "{parent}");
    }
    assert_eq!(ask(&world, "b.example", "platforms/-").await.unwrap(), [expected(B, "a.example", 5)]);
    // It sees the versions and calls them; who else does is not for it to know.
    assert_eq!(ask(&world, "c.example", "platforms/-").await.unwrap(), []);
}

#[tokio::test]
async fn a_consumer_does_not_even_learn_that_there_are_others() {
    let world = world();
    let nowhere = "platforms/a.example/capabilities/c9";
    for (who, parent) in [
        ("c.example", A),
        ("c.example", "platforms/a.example"),
        ("b.example", A),
        ("b.example", "platforms/nobody.example"),
        ("a.example", nowhere),
    ] {
        assert_eq!(ask(&world, who, parent).await, Err(Code::NotFound), "{who} {parent}");
    }
    assert_eq!(ask(&world, "a.example", "versions/1.0.0").await, Err(Code::InvalidArgument));
}

#[tokio::test]
async fn the_consumers_of_a_withdrawn_version_are_still_listed() {
    let mut world = world();
    world.put(ProducerName::parse("platforms/a.example/producers/p0").unwrap(), vec![]);
    assert_eq!(ask(&world, "a.example", A).await.unwrap().len(), 2);
}
