//! Simulated endpoints on a paused clock, and the same decision as in production.

use super::world::{World, addresses, endpoint};
use crate::model::*;
use crate::relay::Intent;
use crate::relay::director::*;
use crate::uplink::{Desk, Peers, Rules, Turn, Verdict};
use http::HeaderMap;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::{Instant, advance};

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const CALLER: &str = "spiffe://b.example/app";

/// Endpoints of one version, and what it takes them to answer.
pub(super) struct Sea {
    pub(super) world: World,
    pub(super) desk: Desk,
    rosters: Rosters,
    pub(super) times: HashMap<String, Duration>,
    under_way: Vec<(Instant, Turn)>,
    pub(super) seen: u64,
}

impl Sea {
    pub(super) fn new(count: usize, edit: impl Fn(usize, &mut Endpoint)) -> Self {
        let mut sea = Self::empty(World::new());
        sea.world = std::mem::replace(&mut sea.world, World::new()).with(
            "x",
            "1.0.0",
            Stage::Stable,
            "10.0.0.1:1",
            |producer, _| {
                producer.endpoints =
                    (0..count).map(|n| endpoint(&format!("10.0.{}.{}:1", n / 250, n % 250))).collect();
                producer.endpoints.iter_mut().enumerate().for_each(|(n, at)| edit(n, at));
            },
        );
        sea
    }

    fn empty(world: World) -> Self {
        let desk = Peers::new(Rules::default()).desk();
        let rosters = Rosters::new(desk.clone());
        Self { world, desk, rosters, times: HashMap::new(), under_way: Vec::new(), seen: 0 }
    }

    pub(super) fn route(&mut self, metadata: Option<&HeaderMap>, locality: &str) -> Route {
        let (caller, intent) = (self.world.caller(CALLER), Intent::default());
        let ask = self.world.ask(&caller, &intent, fastrand::u64(..));
        let ask = Ask { tick: self.desk.now(), seen: self.seen, metadata, locality, ..ask };
        let (world, desk) = (&self.world, &self.desk);
        let look = |producer: &Producer, at: &Endpoint| {
            let meter = desk.meter(producer, at);
            Look { ejected: meter.peer().ejection(), meter: Some(meter), ..world.look(at) }
        };
        choose(&ask, look, Some(&mut self.rosters)).unwrap()
    }

    pub(super) fn address(&mut self) -> String {
        addresses(&self.route(None, "")).remove(0)
    }

    /// Sends a call to where it is drawn; it is under way until its time is over.
    pub(super) fn call(&mut self) -> String {
        let route = self.route(None, "");
        let target = &route.targets[0];
        let (turn, at) =
            (self.desk.begin(&target.producer, target.endpoint()), target.endpoint().address.to_string());
        let time = self.times.get(&at).copied().unwrap_or(MS);
        self.under_way.push((Instant::now() + time, turn));
        at
    }

    pub(super) async fn pass(&mut self, time: Duration) {
        advance(time).await;
        let now = Instant::now();
        for (_, mut turn) in self.under_way.extract_if(.., |(end, _)| *end <= now) {
            turn.answered();
            turn.end(Verdict::Answered);
        }
    }

    /// So many calls, one each millisecond, and where they went.
    pub(super) async fn run(&mut self, calls: usize) -> BTreeMap<String, usize> {
        let mut went = BTreeMap::new();
        for _ in 0..calls {
            *went.entry(self.call()).or_default() += 1;
            self.pass(MS).await;
        }
        went
    }
}

pub(super) fn share(went: &BTreeMap<String, usize>, at: &str) -> usize {
    went.get(at).copied().unwrap_or_default()
}
