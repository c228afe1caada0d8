//! `WatchCatalog`: the catalogue as its reader sees it, and then each change.
//!
//! A watcher is a revision: no queue stands behind it. When it is woken, and its reader has taken what was sent, it is
//! told all that was touched since, each thing once, as it is now. So a slow reader gets the latest and costs nothing.

mod eyes;
mod news;
mod places;
mod telling;
mod whole;

pub(super) use places::Places;

use super::super::caller::caller;
use super::super::fault::Fault;
use super::{Catalog, search};
use crate::catalog::{Reader, Since, Snapshot};
use crate::lifecycle::Shutdown;
use crate::wire::pb::portolan::catalog::v1 as pb;
use eyes::Eyes;
use futures::stream::{BoxStream, StreamExt, unfold};
use news::News;
use places::Place;
use std::sync::Arc;
use std::time::Duration;
use telling::{Story, Telling, of_kind};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tonic::{Request, Status};
use whole::Whole;

/// A watcher looks for news at most this often; what happens meanwhile comes with the next look.
const PACE: Duration = Duration::from_millis(50);
/// When nothing was sent for so long, the reader is told how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// The messages of one watch.
pub(super) type Messages = BoxStream<'static, Result<pb::WatchCatalogResponse, Status>>;

/// Begins to watch.
pub(super) fn open(catalog: &Catalog, request: &Request<pb::WatchCatalogRequest>) -> Result<Messages, Fault> {
    let caller = catalog.policy.current(&caller(request)?);
    let filter = search::watched(&request.get_ref().filter)?;
    let place = catalog.watches.take(&caller.identity)?;
    let watch = Watch {
        eyes: Eyes { policy: catalog.policy.clone(), caller, filter },
        reader: catalog.reader.clone(),
        changed: catalog.reader.changed(),
        shutdown: catalog.shutdown.clone(),
        at: At::Begin(request.get_ref().since),
        cursor: 0,
        sent: Instant::now(),
        looked: Instant::now(),
        _place: place,
    };
    let messages = unfold(Some(Box::new(watch)), |watch| async {
        let mut watch = watch?;
        match watch.next().await {
            Ok(message) => Some((Ok(message), Some(watch))),
            Err(end) => Some((Err(end.into()), None)),
        }
    });
    Ok(messages.boxed())
}

/// One watcher.
struct Watch {
    eyes: Eyes,
    reader: Reader,
    changed: watch::Receiver<u64>,
    shutdown: Shutdown,
    at: At,
    /// Up to where the reader was told.
    cursor: u64,
    sent: Instant,
    looked: Instant,
    _place: Place,
}

/// What a watcher is about.
enum At {
    /// To begin, perhaps where an earlier watch ended.
    Begin(Option<pb::Position>),
    /// To tell, up to a revision.
    Telling(Box<Telling>, u64),
    /// To wait.
    Rest,
}

impl Watch {
    async fn next(&mut self) -> Result<pb::WatchCatalogResponse, Fault> {
        loop {
            if self.shutdown.is_requested() {
                return Err(Fault::draining());
            }
            let message = match &mut self.at {
                At::Begin(since) => {
                    let since = since.take();
                    self.begin(since)
                }
                At::Telling(telling, revision) => {
                    let message = telling.next(&self.eyes).await;
                    match telling.is_done() {
                        true => {
                            self.cursor = *revision;
                            self.at = At::Rest;
                            message.map(|message| self.mark(message))
                        }
                        false => message,
                    }
                }
                At::Rest => {
                    self.wait().await?;
                    self.look()
                }
            };
            if let Some(message) = message {
                self.sent = Instant::now();
                return Ok(message);
            }
        }
    }

    /// Begins anew, or goes on where an earlier watch ended.
    fn begin(&mut self, since: Option<pb::Position>) -> Option<pb::WatchCatalogResponse> {
        let snapshot = self.snapshot();
        match since {
            None => self.reset("START", snapshot),
            Some(since) if since.epoch != self.reader.epoch() => self.reset("OTHER_EPOCH", snapshot),
            Some(since) => self.go_on(since.revision, snapshot, true),
        }
    }

    /// Waits for news, for the time to say that there are none, or for the end.
    async fn wait(&mut self) -> Result<(), Fault> {
        let (pace, progress) = (self.looked + PACE, self.sent + PROGRESS);
        let news = async {
            let ended = self.changed.changed().await.is_err();
            sleep_until(pace).await;
            ended
        };
        tokio::select! {
            biased;
            () = self.shutdown.requested() => Err(Fault::draining()),
            ended = news => if ended { Err(Fault::draining()) } else { Ok(()) },
            () = sleep_until(progress) => Ok(()),
        }
    }

    /// Looks what has happened; tells the reader how far it is if that is nothing, for long.
    fn look(&mut self) -> Option<pb::WatchCatalogResponse> {
        let snapshot = self.snapshot();
        let caller = self.eyes.policy.current(&self.eyes.caller);
        let other_eyes = (&caller.platforms, caller.is_operator)
            != (&self.eyes.caller.platforms, self.eyes.caller.is_operator);
        self.eyes.caller = caller;
        if other_eyes {
            return self.reset("POLICY_CHANGED", snapshot);
        }
        if snapshot.revision() > self.cursor {
            return self.go_on(self.cursor, snapshot, false);
        }
        let is_silent = self.sent.elapsed() >= PROGRESS;
        is_silent.then(|| self.mark(of_kind(pb::WatchKind::Progress)))
    }

    /// Goes on behind a revision.
    fn go_on(
        &mut self,
        revision: u64,
        snapshot: Arc<Snapshot>,
        opens: bool,
    ) -> Option<pb::WatchCatalogResponse> {
        match snapshot.since(revision) {
            Since::TooOld => self.reset("TOO_OLD", snapshot),
            Since::Future => self.reset("IN_THE_FUTURE", snapshot),
            Since::Delta(delta) => {
                let domain = &self.eyes.caller.identity.trust_domain;
                let spoke_otherwise = delta.platforms.iter().any(|(name, before)| {
                    let then = before.as_ref().is_some_and(|before| before.trust_domain == *domain);
                    then != self.eyes.policy.speaks_for(&self.eyes.caller, name)
                });
                if spoke_otherwise {
                    return self.reset("POLICY_CHANGED", snapshot);
                }
                let now = snapshot.revision();
                let news = Story::News(News::new(snapshot, delta));
                self.at = At::Telling(Box::new(Telling::new(news, opens)), now);
                None
            }
        }
    }

    /// Begins anew, and says why.
    fn reset(&mut self, reason: &str, snapshot: Arc<Snapshot>) -> Option<pb::WatchCatalogResponse> {
        let revision = snapshot.revision();
        let whole = Story::Whole(Whole::new(snapshot));
        self.at = At::Telling(Box::new(Telling::new(whole, true)), revision);
        Some(pb::WatchCatalogResponse { reason: reason.to_owned(), ..of_kind(pb::WatchKind::Reset) })
    }

    /// Says with a message where its reader is.
    fn mark(&self, message: pb::WatchCatalogResponse) -> pb::WatchCatalogResponse {
        let position = pb::Position { epoch: self.reader.epoch(), revision: self.cursor };
        pb::WatchCatalogResponse { position: Some(position), ..message }
    }

    /// The catalogue now; what is published later wakes the watcher.
    fn snapshot(&mut self) -> Arc<Snapshot> {
        self.changed.borrow_and_update();
        self.looked = Instant::now();
        self.reader.snapshot()
    }
}
