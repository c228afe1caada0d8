//! A reader that does as a watch says, and can be compared with what the lists tell.

use super::*;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// What a reader knows that does as the messages say.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Mirror {
    pub(super) platforms: BTreeMap<String, pb::Platform>,
    pub(super) versions: BTreeMap<String, pb::Version>,
    pub(super) producers: BTreeMap<String, pb::Producer>,
}

impl Mirror {
    /// Takes a message in. What is removed must have been there: else a name was told that is none of the reader's.
    fn take(&mut self, message: &pb::WatchCatalogResponse) {
        if message.kind() == pb::WatchKind::Reset {
            *self = Self::default();
        }
        for item in &message.platforms {
            self.platforms.insert(item.name.clone(), item.clone());
        }
        for item in &message.versions {
            self.versions.insert(item.name.clone(), item.clone());
        }
        for item in &message.producers {
            self.producers.insert(item.name.clone(), item.clone());
        }
        for name in &message.removed {
            let gone = self.platforms.remove(name).is_some()
                | self.versions.remove(name).is_some()
                | self.producers.remove(name).is_some();
            assert!(gone, "{name} was removed, and never told");
        }
    }

    /// What the lists tell.
    pub(super) async fn of(world: &World, who: &str, filter: &str) -> Self {
        let all = "platforms/-".to_owned();
        let request = pb::ListPlatformsRequest { page_size: 1000, ..Default::default() };
        let platforms = world.catalog.list_platforms(world.ask(who, request)).await.unwrap().into_inner();
        let request = pb::ListProducersRequest { parent: all.clone(), page_size: 1000, ..Default::default() };
        let producers = world.catalog.list_producers(world.ask(who, request)).await.unwrap().into_inner();
        let request = pb::ListVersionsRequest {
            parent: format!("{all}/capabilities/-"),
            page_size: 1000,
            filter: filter.into(),
            ..Default::default()
        };
        let versions = world.catalog.list_versions(world.ask(who, request)).await.unwrap().into_inner();
        let mut mirror = Self {
            platforms: platforms.platforms.into_iter().map(|item| (item.name.clone(), item)).collect(),
            versions: versions.versions.into_iter().map(|item| (item.name.clone(), item)).collect(),
            producers: producers.producers.into_iter().map(|item| (item.name.clone(), item)).collect(),
        };
        if !filter.is_empty() {
            let versions = &mirror.versions;
            let of = |name: &str| versions.keys().any(|version| version.starts_with(&format!("{name}/")));
            mirror.platforms.retain(|name, _| of(name));
            mirror.producers.retain(|_, item| item.versions.iter().any(|name| versions.contains_key(name)));
        }
        mirror
    }
}

/// A reader at work.
pub(super) struct Reading {
    pub(super) messages: watch::Messages,
    pub(super) mirror: Mirror,
    pub(super) position: Option<pb::Position>,
}

impl Reading {
    pub(super) async fn begin(world: &World, who: &str, since: Option<pb::Position>, filter: &str) -> Self {
        let request = pb::WatchCatalogRequest { since, filter: filter.into() };
        let messages = world.catalog.watch_catalog(world.ask(who, request)).await.unwrap().into_inner();
        Self { messages, mirror: Mirror::default(), position: since }
    }

    /// Goes on with what an earlier reader knew.
    pub(super) async fn resume(self, world: &World, who: &str, filter: &str) -> Self {
        let resumed = Self::begin(world, who, self.position, filter).await;
        Self { mirror: self.mirror, ..resumed }
    }

    pub(super) async fn next(&mut self) -> Option<pb::WatchCatalogResponse> {
        let message = timeout(Duration::from_secs(1), self.messages.next()).await.ok()??.unwrap();
        self.mirror.take(&message);
        self.position = message.position.or(self.position);
        Some(message)
    }

    /// All that is there to read.
    pub(super) async fn rest(&mut self) -> Vec<pb::WatchCatalogResponse> {
        let mut all = Vec::new();
        while let Some(message) = self.next().await {
            all.push(message);
        }
        all
    }
}
