//! Who learns what of what is claimed twice.

use super::*;
use pb::ConflictKind;

/// Platforms a (0) and b (1) claim one name: each version is seen by those of its audience, and its own platform.
fn twice(seen_of_a: &[usize], seen_of_b: &[usize]) -> World {
    let mut world = World::new(&[]);
    for (at, audience) in [(0, seen_of_a), (1, seen_of_b)] {
        let audience = audience.iter().copied().collect();
        for (producer, mut versions) in declared(&[(at, 0, 0, 0, audience)]) {
            versions[0].services = vec!["acme.Twice".parse().unwrap()];
            world.put(producer, versions);
        }
    }
    world
}

async fn conflicts(world: &World, who: &str, parent: &str) -> Vec<pb::Conflict> {
    let request = pb::ListConflictsRequest { parent: parent.into(), ..Default::default() };
    world.catalog.list_conflicts(world.ask(who, request)).await.unwrap().into_inner().conflicts
}

fn claimants(conflict: &pb::Conflict) -> Vec<(&str, bool)> {
    conflict.claimants.iter().map(|c| (c.platform.trim_start_matches("platforms/"), c.winner)).collect()
}

#[tokio::test]
async fn a_name_claimed_twice_is_for_its_claimants_and_who_sees_the_loser() {
    let world = twice(&[2], &[2]);
    for who in ["a.example", "b.example", "c.example"] {
        let found = conflicts(&world, who, "platforms/-").await;
        assert_eq!(found.len(), 1, "{who}");
        assert_eq!((found[0].subject.as_str(), found[0].kind()), ("acme.Twice", ConflictKind::Service));
        assert_eq!(found[0].rule, "FIRST_CLAIM");
        assert!(found[0].message.contains("portolan-platform"));
    }
    let found = conflicts(&world, "c.example", "platforms/b.example").await;
    assert_eq!(claimants(&found[0]), [("a.example", true), ("b.example", false)]);

    let world = twice(&[2], &[]);
    assert!(conflicts(&world, "c.example", "platforms/-").await.is_empty(), "it sees the winner alone");
    let own = conflicts(&world, "b.example", "platforms/-").await;
    assert_eq!(claimants(&own[0]), [("b.example", false)], "it learns that it lost, and not against whom");
    let own = conflicts(&world, "a.example", "platforms/-").await;
    assert_eq!(claimants(&own[0]), [("a.example", true)]);

    let world = twice(&[], &[2]);
    let loser = conflicts(&world, "c.example", "platforms/-").await;
    assert_eq!(claimants(&loser[0]), [("b.example", false)], "so it knows to steer");
}

#[tokio::test]
async fn what_clashes_inside_a_platform_is_its_own_business() {
    let mut world = World::new(&[(0, 0, 0, 0, BTreeSet::from([1])), (0, 1, 0, 0, BTreeSet::from([1]))]);
    let snapshot = world.writer.snapshot();
    let entry = snapshot.platform("a.example").unwrap();
    let first = entry.capabilities.values().next().unwrap().offerings[0].version.clone();
    let record = Contract::of(&first, Timestamp::UNIX_EPOCH, Source::Registration, "the first".into());
    world.writer.apply(Change::RecordContract(record)).unwrap();
    for origin in ["one", "two"] {
        let clash = Clash {
            subject: first.name.to_string(),
            kind: ClashKind::Contract,
            platform: first.name.platform.clone(),
            source: Source::Registration,
            producer: ProducerName::parse("platforms/a.example/producers/p9").ok(),
            origin: origin.into(),
            claim: "sha256:x".into(),
            message: "it differs".into(),
            since: Timestamp::UNIX_EPOCH,
        };
        world.writer.apply(Change::PutClash(clash)).unwrap();
    }
    let said = Version { owner: "another".into(), ..Version::clone(&first) };
    world.writer.apply(Change::DeclareVersion { version: said, since: Timestamp::UNIX_EPOCH }).unwrap();

    let found = conflicts(&world, "a.example", "platforms/a.example").await;
    let kinds: Vec<_> = found.iter().map(pb::Conflict::kind).collect();
    assert_eq!(kinds, [ConflictKind::Contract, ConflictKind::Statement]);
    let origins: Vec<_> = found[0].claimants.iter().map(|c| (c.origin.as_str(), c.winner)).collect();
    assert_eq!(origins, [("the first", true), ("one (p9)", false), ("two (p9)", false)]);
    let claims: Vec<_> = found[1].claimants.iter().map(|c| (c.source(), c.claims.clone())).collect();
    assert_eq!(
        claims,
        [
            (pb::Source::Manifest, vec!["owner: \"another\"".to_owned()]),
            (pb::Source::Registration, vec![format!("owner: {:?}", first.owner)]),
        ]
    );
    assert!(conflicts(&world, "b.example", "platforms/-").await.is_empty());

    let page = |token: String| {
        let parent = "platforms/-".into();
        let request = pb::ListConflictsRequest { parent, page_size: 1, page_token: token };
        world.catalog.list_conflicts(world.ask("a.example", request))
    };
    let one = page(String::new()).await.unwrap().into_inner();
    let two = page(one.next_page_token).await.unwrap().into_inner();
    assert_eq!([&one.conflicts[..], &two.conflicts].concat(), found);
    assert!(two.next_page_token.is_empty());
}
