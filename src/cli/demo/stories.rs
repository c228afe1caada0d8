//! The stories of `--check`: what a user would try, tried by real calls through the broker, as each consumer.

mod calls;
mod code;
mod consumer;
mod outage;
mod sight;

use super::cast::ORGANISATIONS;
use super::house::House;
use crate::cli::output;
use crate::client::Channel;
use anyhow::Context as _;
use consumer::Consumer;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// For one story; a stopped producer is noticed after seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// The house, and a consumer of each organisation; and the house that is described by manifests alone.
struct Stage<'h> {
    house: &'h House,
    coded: &'h House,
    payments: Consumer,
    data: Consumer,
    ml: Consumer,
}

impl Stage<'_> {
    /// A consumer's connection to the house that is described by manifests.
    async fn consumer_of_coded(&self, short: &str) -> anyhow::Result<Channel> {
        let organisation = ORGANISATIONS.iter().find(|it| it.short == short).context("an organisation")?;
        Ok(Consumer::connect(self.coded.place(), organisation).await?.channel())
    }
}

/// A sentence that must come true. What it returns is shown as the proof.
struct Story {
    title: &'static str,
    play: for<'s> fn(&'s Stage<'s>) -> BoxFuture<'s, anyhow::Result<String>>,
}

const STORIES: [Story; 19] = [
    Story { title: "payments lists what it may see", play: |s| sight::lists(s).boxed() },
    Story { title: "payments describes a service of data", play: |s| sight::describes(s).boxed() },
    Story { title: "ml reads the catalogue", play: |s| sight::catalogue(s).boxed() },
    Story { title: "data posts to the ledger of payments (unary)", play: |s| calls::unary(s).boxed() },
    Story { title: "the ledger's own refusal arrives whole", play: |s| calls::refusal(s).boxed() },
    Story {
        title: "ml watches keys while data puts them (server stream)",
        play: |s| calls::watch(s).boxed(),
    },
    Story { title: "payments indexes documents at data (client stream)", play: |s| calls::index(s).boxed() },
    Story { title: "data embeds texts at ml, one by one (bidi stream)", play: |s| calls::embed(s).boxed() },
    Story { title: "a deprecated version says so in its headers", play: |s| calls::deprecated(s).boxed() },
    Story { title: "payments may not call the embedding, nor see it", play: |s| sight::denied(s).boxed() },
    Story { title: "everything is serving", play: |s| outage::all_serving(s).boxed() },
    Story { title: "the ledger crashes: its status tells", play: |s| outage::crash(s).boxed() },
    Story { title: "a call to it fails with a reason", play: |s| outage::unavailable(s).boxed() },
    Story { title: "it can still be described", play: |s| outage::still_described(s).boxed() },
    Story { title: "it comes back, and its entries with it", play: |s| outage::back(s).boxed() },
    Story { title: "a directory of manifests makes the same catalogue", play: |s| code::same(s).boxed() },
    Story { title: "a plan of that directory finds nothing to do", play: |s| code::planned(s).boxed() },
    Story { title: "one file less is one removal, planned and applied", play: |s| code::removed(s).boxed() },
    Story {
        title: "the end of a deprecated version names its consumers",
        play: |s| code::deprecated(s).boxed(),
    },
];

/// Plays every story, in order, and prints each with its result. False if one failed.
pub(super) async fn play(house: &House, coded: &House) -> anyhow::Result<bool> {
    let mut consumers = Vec::new();
    for organisation in &ORGANISATIONS {
        consumers.push(Consumer::connect(house.place(), organisation).await?);
    }
    let [payments, data, ml] =
        <[Consumer; 3]>::try_from(consumers).ok().context("a consumer for each organisation")?;
    let stage = Stage { house, coded, payments, data, ml };
    let (begin, mut failed) = (Instant::now(), 0);
    for (number, story) in STORIES.iter().enumerate() {
        let played = timeout(PATIENCE, (story.play)(&stage)).await;
        let (verdict, proof) = match played {
            Ok(Ok(proof)) => ("ok  ", proof),
            Ok(Err(error)) => ("FAIL", format!("{error:#}")),
            Err(_) => ("FAIL", format!("it did not end within {PATIENCE:?}")),
        };
        failed += usize::from(verdict == "FAIL");
        output::say(format!("{verdict} {:2}  {}\n         {proof}", number + 1, story.title))?;
    }
    let passed = STORIES.len() - failed;
    let took = begin.elapsed().as_secs_f32();
    output::say(format!("\n{passed} of {} stories passed in {took:.1} s", STORIES.len()))?;
    Ok(failed == 0)
}
