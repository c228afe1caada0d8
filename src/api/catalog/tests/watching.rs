//! What a watcher is told, and what never.

mod reader;

use super::*;
use futures::StreamExt;
use proptest::prelude::*;
use reader::{Mirror, Reading};
use tonic::Code;

fn kinds(messages: &[pb::WatchCatalogResponse]) -> Vec<pb::WatchKind> {
    messages.iter().map(pb::WatchCatalogResponse::kind).collect()
}

/// Of two organisations' capabilities, the one that everybody sees and the one that nobody else does.
fn two(world: &mut World) {
    for (capability, audience) in [(0, BTreeSet::from([1, 2])), (1, BTreeSet::new())] {
        offer(world, &[(0, capability, 0, capability, audience)]);
    }
}

fn offer(world: &mut World, sketches: &[Sketch]) {
    for (producer, versions) in declared(sketches) {
        world.put(producer, versions);
    }
}

use pb::WatchKind::{Changes, Progress, Reset, Synced};

#[tokio::test(start_paused = true)]
async fn the_whole_then_each_change_and_a_mark_when_there_is_none() {
    let mut world = World::new(&[]);
    two(&mut world);
    let [a, b, _] = PLATFORMS;
    let mut own = Reading::begin(&world, a, None, "").await;
    let mut other = Reading::begin(&world, b, None, "").await;
    let first = own.rest().await;
    assert_eq!(kinds(&first), [Reset, Changes, Synced]);
    assert_eq!((first[0].reason.as_str(), first[0].position, first[1].position), ("START", None, None));
    assert!(first[2].position.is_some());
    assert_eq!(own.mirror, Mirror::of(&world, a, "").await);
    assert_eq!(own.mirror.versions.len(), 2);
    other.rest().await;
    assert_eq!(other.mirror, Mirror::of(&world, b, "").await);
    assert_eq!(other.mirror.versions.len(), 1, "what is hidden is not told");

    // A change of what is hidden is told to its own people alone.
    offer(&mut world, &[(0, 1, 1, 1, BTreeSet::new())]);
    assert_eq!(kinds(&own.rest().await), [Changes]);
    assert!(own.position.is_some());
    assert_eq!(own.mirror, Mirror::of(&world, a, "").await);
    let mut silent = Vec::new();
    while silent.is_empty() {
        silent = other.rest().await;
    }
    assert_eq!(kinds(&silent), [Progress], "nothing is to be told, and after a while that is");
    assert_eq!(silent[0].position, own.position);

    world.catalog.shutdown.request();
    assert_eq!(own.messages.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert!(own.messages.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_the_latest_once() {
    let mut world = World::new(&[]);
    let [_, b, _] = PLATFORMS;
    let mut slow = Reading::begin(&world, b, None, "").await;
    slow.rest().await;
    for minor in 0..100 {
        offer(&mut world, &[(0, 0, minor, 0, BTreeSet::from([1]))]);
    }
    let told = slow.rest().await;
    assert_eq!(kinds(&told), [Changes], "a hundred changes, one message");
    assert_eq!(told[0].versions.len(), 1, "what came and went is not told");
    assert_eq!(slow.mirror, Mirror::of(&world, b, "").await);
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_where_another_ended() {
    let mut world = World::new(&[]);
    two(&mut world);
    let [_, b, _] = PLATFORMS;
    let mut reading = Reading::begin(&world, b, None, "").await;
    reading.rest().await;

    let mut unchanged = reading.resume(&world, b, "").await;
    assert_eq!(kinds(&unchanged.rest().await), [Synced]);

    // Meanwhile one version comes, one is no longer seen, and one comes that never is.
    offer(&mut world, &[(0, 0, 0, 0, BTreeSet::new())]);
    offer(&mut world, &[(0, 2, 0, 2, BTreeSet::from([1]))]);
    offer(&mut world, &[(0, 3, 0, 3, BTreeSet::new())]);
    let hidden = ProducerName::parse("platforms/a.example/producers/p1").unwrap();
    world.writer.apply(Change::RemoveProducer(hidden)).unwrap();
    let mut resumed = unchanged.resume(&world, b, "").await;
    let told = resumed.rest().await;
    assert_eq!(kinds(&told), [Changes, Synced]);
    assert_eq!(resumed.mirror, Mirror::of(&world, b, "").await);
    assert_eq!(told[0].removed.len(), 2, "a version and its producer; nothing hidden: {told:?}");

    let mut lost = Reading::begin(&world, b, Some(pb::Position { epoch: 1, revision: 1 }), "").await;
    assert_eq!(lost.rest().await[0].reason, "OTHER_EPOCH");
    let position = pb::Position { revision: u64::MAX, ..resumed.position.unwrap() };
    let mut ahead = Reading::begin(&world, b, Some(position), "").await;
    assert_eq!(ahead.rest().await[0].reason, "IN_THE_FUTURE");
    assert_eq!(ahead.mirror, Mirror::of(&world, b, "").await);
}

#[tokio::test(start_paused = true)]
async fn who_is_behind_what_is_remembered_begins_anew() {
    let mut world = World::new(&[]);
    let [_, b, _] = PLATFORMS;
    let mut slow = Reading::begin(&world, b, None, "").await;
    slow.rest().await;
    let platform = |i: usize| Platform {
        name: PLATFORMS[1].parse().unwrap(),
        display_name: format!("number {i}"),
        trust_domain: TrustDomain::parse(PLATFORMS[1]).unwrap(),
        service_prefixes: vec![],
    };
    for i in 0..=2 * crate::catalog::RETAINED {
        world.writer.apply(Change::PutPlatform(platform(i))).unwrap();
    }
    let told = slow.rest().await;
    assert_eq!(kinds(&told), [Reset, Changes, Synced]);
    assert_eq!(told[0].reason, "TOO_OLD");
    assert_eq!(slow.mirror, Mirror::of(&world, b, "").await);
}

#[tokio::test(start_paused = true)]
async fn who_speaks_for_other_platforms_now_begins_anew() {
    let mut world = World::new(&[]);
    two(&mut world);
    let [a, b, c] = PLATFORMS;
    let mut reading = Reading::begin(&world, b, None, "").await;
    let mut third = Reading::begin(&world, c, None, "").await;
    reading.rest().await;
    third.rest().await;
    let platforms = PLATFORMS.map(|name| Platform {
        name: name.parse().unwrap(),
        display_name: String::new(),
        trust_domain: TrustDomain::parse(if name == a { b } else { name }).unwrap(),
        service_prefixes: vec!["acme".parse().unwrap()],
    });
    world.rules.replace(platforms.clone());
    world.writer.apply(Change::PutPlatform(platforms[0].clone())).unwrap();
    let told = reading.rest().await;
    assert_eq!((told[0].kind(), told[0].reason.as_str()), (Reset, "POLICY_CHANGED"));
    assert_eq!(reading.mirror, Mirror::of(&world, b, "").await);
    assert_eq!(reading.mirror.versions.len(), 2);
    assert_eq!(kinds(&third.rest().await), [Changes], "to others it is a change like any other");

    // Whoever goes on from before learns it too.
    let mut resumed = Reading::begin(&world, b, third.position, "").await;
    assert_eq!(kinds(&resumed.rest().await), [Synced]);
    let earlier = pb::Position {
        revision: told.last().unwrap().position.unwrap().revision - 1,
        ..third.position.unwrap()
    };
    let mut resumed = Reading::begin(&world, b, Some(earlier), "").await;
    assert_eq!(resumed.rest().await[0].reason, "POLICY_CHANGED");
}

#[tokio::test(start_paused = true)]
async fn a_large_catalogue_comes_in_messages_of_bounded_size() {
    let sketches: Vec<Sketch> =
        (0..1000).map(|i| (0, i % 250, (i / 250) as u64, i % 500, BTreeSet::from([1]))).collect();
    let world = World::new(&sketches);
    let [_, b, _] = PLATFORMS;
    let mut reading = Reading::begin(&world, b, None, "").await;
    let told = reading.rest().await;
    assert!(told.len() > 8);
    for message in &told {
        assert!(prost::Message::encoded_len(message) <= (16 << 10) + 4 * 256 + 64);
    }
    let ends: Vec<_> = told.iter().filter(|message| message.position.is_some()).collect();
    assert_eq!(ends.len(), 1, "the position stands at the end alone");
    assert_eq!(reading.mirror, Mirror::of(&world, b, "").await);
    assert_eq!(reading.mirror.versions.len(), 1000);
}

#[tokio::test]
async fn a_filter_is_over_versions_and_not_over_states() {
    let world = World::new(&[]);
    let refused = async |filter: &str| {
        let request = pb::WatchCatalogRequest { since: None, filter: filter.into() };
        let refused = world.catalog.watch_catalog(world.ask(PLATFORMS[0], request)).await;
        refused.err().map(|status| (status.code(), status.message().to_owned()))
    };
    assert_eq!(refused("stage = stable").await, None);
    let (code, message) = refused("stagee = stable").await.unwrap();
    assert_eq!((code, message.starts_with("filter, column 1")), (Code::InvalidArgument, true), "{message}");
    assert!(refused("status = serving").await.unwrap().1.contains("WatchStatus"));
}

/// Something happens: who, what, to which capability and minor version, from which producer, seen by whom.
type Step = (u8, usize, usize, u64, usize, u8);

fn happen(world: &mut World, (what, platform, capability, minor, producer, eyes): Step) {
    let audience = (0..3).filter(|i| eyes & (1 << i) != 0).collect();
    let name =
        ProducerName::parse(&format!("platforms/{}/producers/p{producer}", PLATFORMS[platform])).unwrap();
    let change = match what {
        0 => Change::RemoveProducer(name),
        1 => Change::SetFreshness {
            producer: name,
            freshness: if eyes & 1 == 0 { Freshness::Live } else { Freshness::Stale },
            lease_expires: None,
            updated: Timestamp::UNIX_EPOCH,
        },
        2 => {
            let declared = declared(&[(platform, capability, minor, producer, audience)]);
            let version = declared.into_iter().next().unwrap().1.remove(0);
            Change::DeclareVersion { version, since: Timestamp::UNIX_EPOCH }
        }
        3 => {
            let parent = format!("platforms/{}/capabilities/c{capability}", PLATFORMS[platform]);
            Change::WithdrawVersion(VersionName::parse(&format!("{parent}/versions/1.{minor}.0")).unwrap())
        }
        _ => {
            let other = (platform, capability + 1, minor, producer, audience.clone());
            offer(world, &[(platform, capability, minor, producer, audience), other]);
            return;
        }
    };
    let _ = world.writer.apply(change);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// Whatever happens, whoever reads, however slowly: a reader knows what the lists tell, and never hears of more.
    #[test]
    fn a_reader_knows_what_the_lists_tell(steps in proptest::collection::vec(((0..8u8, 0..3usize, 0..3usize, 0..2u64, 0..3usize, 0..8u8), 0..4usize), 1..40), filtered: bool) {
        let filter = if filtered { "version >= 1.1.0 OR capability = c1" } else { "" };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(&[]);
            let mut readings = Vec::new();
            for who in PLATFORMS {
                readings.push(Reading::begin(&world, who, None, filter).await);
            }
            for (step, reader) in steps {
                happen(&mut world, step);
                // One reads, one goes away and comes back, the others are slow.
                if let Some(reading) = readings.get_mut(reader) {
                    reading.rest().await;
                    assert_eq!(reading.mirror, Mirror::of(&world, PLATFORMS[reader], filter).await);
                    let away = readings.remove(reader);
                    readings.insert(reader, away.resume(&world, PLATFORMS[reader], filter).await);
                }
            }
            for (reading, who) in readings.iter_mut().zip(PLATFORMS) {
                reading.rest().await;
                assert_eq!(reading.mirror, Mirror::of(&world, who, filter).await);
            }
        });
    }
}
