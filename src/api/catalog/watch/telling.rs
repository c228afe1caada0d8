//! Packs what is told into messages of bounded size, each made only when somebody takes it.

use super::eyes::Eyes;
use super::news::News;
use super::whole::Whole;
use crate::wire::pb::portolan::catalog::v1 as pb;
use prost::Message;
use std::collections::VecDeque;

/// A message holds at most so many things.
const ITEMS: usize = 256;
/// A message that holds more than one thing is at most so long, in bytes: what it was encoded in stays with a stream.
const BYTES: usize = 16 << 10;
/// After so many steps the thread is lent to others: a large catalogue must not delay a call.
const PATIENCE: usize = 64;

/// One thing that is told.
#[derive(Debug)]
pub(super) enum Item {
    Platform(pb::Platform),
    Version(Box<pb::Version>),
    Producer(pb::Producer),
    /// A resource name.
    Removed(String),
}

/// What is being told.
#[derive(Debug)]
pub(super) enum Story {
    /// All of it.
    Whole(Whole),
    /// What is different.
    News(News),
}

/// A story on its way.
#[derive(Debug)]
pub(super) struct Telling {
    story: Story,
    /// What comes next, and has found no place yet.
    ready: VecDeque<Item>,
    /// Whether SYNCED ends it.
    opens: bool,
    is_done: bool,
}

impl Telling {
    /// Tells a story; SYNCED ends it if it `opens` a watch.
    pub(super) fn new(story: Story, opens: bool) -> Self {
        Self { story, ready: VecDeque::new(), opens, is_done: false }
    }

    /// Whether all is told, so that the reader is where the story ends.
    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// The next message; `None` if nothing is left to tell.
    pub(super) async fn next(&mut self, eyes: &Eyes) -> Option<pb::WatchCatalogResponse> {
        let mut message = of_kind(pb::WatchKind::Changes);
        let (mut items, mut bytes) = (0, 0);
        while let Some(item) = self.item(eyes).await {
            let length = item.length();
            if items == ITEMS || (items > 0 && bytes + length > BYTES) {
                self.ready.push_front(item);
                return Some(message);
            }
            (items, bytes) = (items + 1, bytes + length);
            item.put(&mut message);
        }
        if items > 0 && self.opens {
            return Some(message);
        }
        self.is_done = true;
        match items {
            0 => self.opens.then(|| of_kind(pb::WatchKind::Synced)),
            _ => Some(message),
        }
    }

    async fn item(&mut self, eyes: &Eyes) -> Option<Item> {
        let mut effort = 0;
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            let items = match &mut self.story {
                Story::Whole(whole) => whole.step(eyes)?,
                Story::News(news) => news.step(eyes)?,
            };
            self.ready.extend(items);
            effort += 1;
            if effort % PATIENCE == 0 {
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Item {
    fn length(&self) -> usize {
        match self {
            Self::Platform(platform) => platform.encoded_len(),
            Self::Version(version) => version.encoded_len(),
            Self::Producer(producer) => producer.encoded_len(),
            Self::Removed(name) => name.len(),
        }
    }

    fn put(self, message: &mut pb::WatchCatalogResponse) {
        match self {
            Self::Platform(platform) => message.platforms.push(platform),
            Self::Version(version) => message.versions.push(*version),
            Self::Producer(producer) => message.producers.push(producer),
            Self::Removed(name) => message.removed.push(name),
        }
    }
}

/// A message that holds nothing yet.
pub(super) fn of_kind(kind: pb::WatchKind) -> pb::WatchCatalogResponse {
    pb::WatchCatalogResponse { kind: kind.into(), ..Default::default() }
}
