//! Folds anew when something changed, and often enough that what nobody confirms grows stale in time.

use super::board::Publisher;
use super::clock::Clock;
use super::prober::Settings;
use super::{Federation, fold};
use crate::catalog::Reader;
use crate::uplink::{Observations, Peers};
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// At most one fold in this time, however much changes.
const PACE: Duration = Duration::from_millis(100);
/// At least one fold in this time: looks that saw the same are shown, and old ones grow stale.
const TICK: Duration = Duration::from_secs(1);

/// Where a fold gets its input from.
pub(super) struct Folding {
    pub(super) catalog: Reader,
    pub(super) observations: Observations,
    pub(super) peers: Peers,
    /// Rises when a look saw something new.
    pub(super) changed: watch::Receiver<u64>,
    pub(super) settings: Settings,
    pub(super) clock: Clock,
}

impl Folding {
    pub(super) async fn run(mut self, mut publisher: Publisher) {
        let mut catalog = self.catalog.changed();
        loop {
            catalog.borrow_and_update();
            self.changed.borrow_and_update();
            match self.fold(publisher.latest()).await {
                Some(federation) => publisher.publish(federation),
                None => tracing::error!("a fold panicked; the status stays as it was"),
            }
            sleep(PACE).await;
            let news = async {
                tokio::select! {
                    Ok(()) = catalog.changed() => {}
                    Ok(()) = self.changed.changed() => {}
                    else => std::future::pending().await,
                }
            };
            // Over with the tick or with news: both mean the same.
            let _ = timeout(TICK, news).await;
        }
    }

    /// Folds beside the tasks of this runtime: a large catalogue takes long enough to delay them.
    async fn fold(&self, previous: Arc<Federation>) -> Option<Federation> {
        let (catalog, seen) =
            (self.catalog.snapshot(), self.observations.load().beside(self.peers.ejections()));
        let (settings, now) = (self.settings, self.clock.now());
        let work = move || {
            let producers = catalog.platforms().flat_map(|entry| entry.producers.values());
            let endpoints = producers.map(|producer| producer.endpoints.len()).sum();
            let believed =
                SignedDuration::try_from(settings.believed(endpoints)).unwrap_or(SignedDuration::MAX);
            fold(&catalog, &seen, believed, Some(&previous), now)
        };
        tokio::task::spawn_blocking(work).await.ok()
    }
}
