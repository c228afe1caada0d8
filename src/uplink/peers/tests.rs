//! Ejection, on a paused clock.

mod breaker;

use super::*;
use crate::model::{Address, Freshness, Identity, ProducerName, Source};
use crate::uplink::{Outliers, Verdict};
use jiff::Timestamp;
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::advance;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// One producer with so many endpoints, all of one version.
struct World {
    peers: Peers,
    desk: Desk,
    producer: Producer,
    cohort: Arc<Cohort>,
}

impl World {
    fn new(rules: Rules, endpoints: usize) -> Self {
        let identity = Identity::parse_spiffe("spiffe://a.example/x").unwrap();
        let endpoint = |n| Endpoint {
            address: Address::parse(&format!("10.0.0.{n}:1")).unwrap(),
            locality: "".into(),
            weight: 1,
        };
        let producer = Producer {
            name: ProducerName::parse("platforms/a.example/producers/x").unwrap(),
            registrant: identity.clone(),
            identity,
            endpoints: (0..endpoints).map(endpoint).collect(),
            versions: Vec::new(),
            source: Source::Registration,
            freshness: Freshness::Live,
            lease_expires: None,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            provenance: None,
        };
        let peers = Peers::new(rules);
        let desk = peers.desk();
        let all = producer.endpoints.iter().map(|at| desk.meter(&producer, at).peer().clone()).collect();
        let name = "platforms/a.example/capabilities/x/versions/1.0.0";
        let cohort = peers.enrol(&VersionName::parse(name).unwrap(), all);
        Self { peers, desk, producer, cohort }
    }

    fn call(&self, endpoint: usize, verdict: Verdict) {
        self.desk.begin(&self.producer, &self.producer.endpoints[endpoint]).end(verdict);
    }

    fn calls(&self, endpoint: usize, verdict: Verdict, times: usize) {
        (0..times).for_each(|_| self.call(endpoint, verdict));
    }

    async fn slow_call(&self, endpoint: usize, wait: Duration) {
        let mut turn = self.desk.begin(&self.producer, &self.producer.endpoints[endpoint]);
        advance(wait).await;
        turn.answered();
        turn.end(Verdict::Answered);
    }

    fn out(&self) -> Vec<usize> {
        let now = self.desk.now();
        let peers = self.cohort.peers().iter().enumerate();
        peers.filter(|(_, peer)| peer.is_out(now)).map(|(index, _)| index).collect()
    }

    fn cause(&self, endpoint: usize) -> &'static str {
        self.cohort.peers()[endpoint].ejection().map_or("", |ejection| ejection.cause.word())
    }
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_eject_and_an_answer_between_them_does_not() {
    let world = World::new(Rules::default(), 3);
    world.calls(0, Verdict::Lost, 4);
    world.call(0, Verdict::Answered);
    world.calls(0, Verdict::Unavailable, 4);
    assert_eq!(world.out(), [0usize; 0]);
    world.call(0, Verdict::Lost);
    assert_eq!((world.out(), world.cause(0)), (vec![0], "CONSECUTIVE_FAILURES"));
    assert_eq!(
        world.peers.ejections().of(&world.producer, &world.producer.endpoints[0]).unwrap().lasts,
        15 * SECOND
    );
}

#[tokio::test(start_paused = true)]
async fn it_comes_back_after_its_time_and_stays_out_longer_each_time() {
    let world = World::new(Rules::default(), 3);
    world.calls(0, Verdict::Lost, 5);
    for lasts in [15, 30, 45] {
        advance(lasts * SECOND - MS).await;
        assert_eq!(world.out(), [0], "{lasts} s");
        advance(2 * MS).await;
        assert_eq!(world.out(), [0usize; 0], "{lasts} s");
        // One failure among its first calls is enough.
        world.call(0, Verdict::Answered);
        world.call(0, Verdict::Lost);
        assert_eq!((world.out(), world.cause(0)), (vec![0], "RELAPSE"), "{lasts} s");
    }
    advance(60 * SECOND + MS).await;
    world.calls(0, Verdict::Answered, 5);
    world.calls(0, Verdict::Lost, 4);
    assert_eq!(world.out(), [0usize; 0], "it is believed again");
}

#[tokio::test(start_paused = true)]
async fn what_began_before_it_came_back_tells_of_the_time_before() {
    let world = World::new(Rules::default(), 3);
    let old = world.desk.begin(&world.producer, &world.producer.endpoints[0]);
    world.calls(0, Verdict::Lost, 5);
    advance(15 * SECOND + MS).await;
    old.end(Verdict::Lost);
    assert_eq!(world.out(), [0usize; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_last_one_stays_and_so_does_the_last_that_can_be_reached() {
    let world = World::new(Rules::default(), 1);
    world.calls(0, Verdict::Lost, 50);
    assert_eq!(world.out(), [0usize; 0]);
    let world = World::new(Rules::default(), 2);
    world.calls(0, Verdict::Lost, 50);
    world.calls(1, Verdict::Lost, 50);
    assert_eq!(world.out(), [0]);
    let world = World::new(Rules::default(), 2);
    world.cohort.peers()[1].seen(false);
    world.calls(0, Verdict::Lost, 50);
    assert_eq!(world.out(), [0usize; 0]);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_gone_and_answers_again_is_back_at_once_and_a_probe_alone_brings_nobody_back() {
    let world = World::new(Rules::default(), 3);
    let peer = world.cohort.peers()[0].clone();
    world.calls(0, Verdict::Lost, 5);
    peer.seen(true);
    assert_eq!(world.out(), [0], "it answered probes all the time");
    let revision = world.peers.revision();
    peer.seen(false);
    peer.seen(true);
    assert_eq!(world.out(), [0usize; 0]);
    assert!(world.peers.revision() > revision, "rosters are made anew");
}

#[tokio::test(start_paused = true)]
async fn a_hurried_caller_ejects_nobody_and_a_patient_one_does() {
    let world = World::new(Rules::default(), 3);
    for (wait, out) in [(50 * MS, vec![]), (2 * SECOND, vec![0])] {
        for _ in 0..5 {
            let mut turn = world.desk.begin(&world.producer, &world.producer.endpoints[0]);
            turn.until(Some(Instant::now() + wait));
            advance(wait).await;
            drop(turn);
        }
        assert_eq!(world.out(), out, "{wait:?}");
    }
    // A long answer that its consumer's deadline cuts, and a slow call beside others that are answered, tell nothing.
    for _ in 0..6 {
        let mut stream = world.desk.begin(&world.producer, &world.producer.endpoints[2]);
        let mut slow = world.desk.begin(&world.producer, &world.producer.endpoints[1]);
        for turn in [&mut stream, &mut slow] {
            turn.until(Some(Instant::now() + 10 * SECOND));
        }
        stream.answered();
        advance(5 * SECOND).await;
        world.call(1, Verdict::Answered);
        world.slow_call(1, SECOND).await;
        advance(4 * SECOND).await;
    }
    assert!(!world.out().contains(&1) && !world.out().contains(&2), "{:?}", world.out());
    let mut cancelled = world.desk.begin(&world.producer, &world.producer.endpoints[1]);
    cancelled.until(Some(Instant::now() + 60 * SECOND));
    drop(cancelled);
    assert_eq!(world.desk.meter(&world.producer, &world.producer.endpoints[1]).tally().failed, 0);
}

#[tokio::test(start_paused = true)]
async fn who_fails_more_or_is_slower_than_the_others_is_ejected_by_comparison() {
    let outliers = Outliers { consecutive_failures: 0, ..Outliers::default() };
    let world = World::new(Rules { outliers, ..Rules::default() }, 4);
    for endpoint in 0..4 {
        world.calls(endpoint, Verdict::Answered, 30);
    }
    world.calls(1, Verdict::Unavailable, 30);
    world.peers.compare();
    assert_eq!((world.out(), world.cause(1)), (vec![1], "SUCCESS_RATE"));

    for _ in 0..25 {
        for (endpoint, wait) in [(0, MS), (2, 50 * MS), (3, MS)] {
            world.slow_call(endpoint, wait).await;
        }
    }
    world.peers.compare();
    assert_eq!((world.out(), world.cause(2)), (vec![1, 2], "LATENCY"));
    // Half of them is the most.
    for _ in 0..25 {
        world.slow_call(0, 500 * MS).await;
        world.slow_call(3, MS).await;
    }
    world.peers.compare();
    assert!(world.out().len() <= 2, "{:?}", world.out());
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Call(usize, Verdict),
    Wait(u64),
    Probe(usize, bool),
    Compare,
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = prop::sample::select(vec![
        Verdict::Answered,
        Verdict::Lost,
        Verdict::Lost,
        Verdict::Unavailable,
        Verdict::TimedOut,
    ]);
    prop_oneof![
        8 => (0..6usize, verdict).prop_map(|(at, verdict)| Step::Call(at, verdict)),
        1 => (0..40u64).prop_map(Step::Wait),
        1 => (0..6usize, any::<bool>()).prop_map(|(at, up)| Step::Probe(at, up)),
        1 => Just(Step::Compare),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_enough_stay_and_everybody_comes_back(
        hosts in 1..7usize, share in 0..101u8, steps in proptest::collection::vec(step(), 0..400),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let outliers = Outliers { max_share: share, minimum_requests: 3, ..Outliers::default() };
            let world = World::new(Rules { outliers, ..Rules::default() }, hosts);
            for step in steps {
                let (before, many) = (world.out(), matches!(step, Step::Compare));
                match step {
                    Step::Call(at, verdict) => world.calls(at % hosts, verdict, 3),
                    Step::Wait(seconds) => advance(seconds as u32 * SECOND).await,
                    Step::Probe(at, up) => world.cohort.peers()[at % hosts].seen(up),
                    Step::Compare => world.peers.compare(),
                }
                let out = world.out();
                let most = if share == 0 { 0 } else { (hosts * usize::from(share) / 100).max(1).min(hosts - 1) };
                assert!(out.len() <= most, "{out:?} of {hosts} at {share} %");
                assert!(many || out.len() <= before.len() + 1);
                let peers = world.cohort.peers();
                let ejected = out.len() > before.len();
                let stay = (0..hosts).any(|at| !out.contains(&at) && !peers[at].is_down());
                assert!(!ejected || stay, "nobody who can be reached stays");
            }
            advance(world.peers.rules().outliers.max_ejection + MS).await;
            assert_eq!(world.out(), [0usize; 0]);
        });
    }
}
