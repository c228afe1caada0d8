//! The connections to one endpoint for one tenant: which is lent, when another is dialled, how failure is remembered.

mod failure;

use self::failure::{Failure, pause};
use super::{Error, Settings};
use crate::model::{Address, Validity};
use crate::transport::client::Connection;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A connection is retired when this share of the faults is used up that h2 counts over its life and then gives up
/// the whole connection, with everybody's calls.
const FAULTS_SHARE: usize = 2;

/// Another connection is dialled when less than this share of the streams of the last one is left.
const NEAR: usize = 8;

/// So long after a dial that we ourselves did not allow, another may be tried.
const BUSY: Duration = Duration::from_millis(50);

/// How long a connection waits to be replaced while as many stand as may.
const FULL: Duration = Duration::from_secs(1);

/// The connections to one endpoint for one tenant.
#[derive(Debug, Default)]
pub(super) struct Slot {
    kept: Vec<Kept>,
    dialling: Option<CancellationToken>,
    failure: Option<Failure>,
    /// When the peer's certificate is valid, as the last handshake showed it.
    certificate: Option<Validity>,
    /// How many dials have failed, ever.
    failures: u64,
    /// When somebody asked for a connection the last time.
    used: Option<Instant>,
    /// The number of the next connection.
    next: u64,
    /// Connections that stand: those that are lent, and those that only finish their calls.
    standing: usize,
}

/// What a caller gets.
#[derive(Debug)]
pub(super) enum Lent {
    /// A connection with room.
    Ready(Connection),
    /// A connection that is nearly full, and another is to be dialled meanwhile.
    Last(Connection, Dial),
    /// Somebody dials already: wait for it, then ask again.
    Wait(Dial),
    /// Dial, tell all who wait that it is over, then ask again.
    Dial(Dial),
    /// Nothing now.
    Failed(Error),
}

/// A dial that is under way.
#[derive(Debug, Clone)]
pub(super) struct Dial {
    /// Cancelled when it is over.
    pub(super) over: CancellationToken,
    /// How many dials had failed before.
    failures: u64,
}

/// What follows when a connection has ended, or is to be replaced.
#[derive(Debug)]
pub(super) enum Next {
    /// Another is to be dialled before somebody asks.
    Dial(Dial),
    /// Somebody dials already.
    Wait(CancellationToken),
    /// Another is to be dialled, and it is too early.
    Later(Duration),
    /// Nothing.
    Nothing,
}

#[derive(Debug)]
struct Kept {
    id: u64,
    connection: Connection,
    /// The revision of our own certificate that it was made with.
    credentials: u64,
    used: Instant,
}

impl Slot {
    /// Lends a connection, or says what has to happen first. Whoever waited for a dial hears how it failed.
    pub(super) fn lend(
        &mut self,
        address: &Address,
        settings: &Settings,
        credentials: u64,
        waited: Option<&Dial>,
    ) -> Lent {
        let now = Instant::now();
        self.used = Some(now);
        // The first with room: few full connections are cheaper than many half-empty ones. One that holds its streams up
        // gets no more of them.
        let spares = self.spares(settings);
        let fit = |kept: &Kept| kept.is_fit(settings, credentials, spares) && kept.connection.has_room();
        if let Some(at) = self.kept.iter().position(|kept| fit(kept) && !kept.connection.is_stalled()) {
            return self.lend_at(at, now, settings);
        }
        self.prune(settings, credentials);
        // Better a slow one than none.
        let last = self.kept.iter().position(fit);
        let or_last = |slot: &mut Self, error| match last {
            Some(at) => Lent::Ready(slot.kept[at].lend(now)),
            None => Lent::Failed(error),
        };
        if let Some(failure) = &self.failure {
            if waited.is_some_and(|dial| dial.failures < self.failures) {
                let error = failure.last.clone();
                return or_last(self, error);
            }
            if failure.retry > now {
                let error = failure.backing_off(now);
                return or_last(self, error);
            }
        }
        let (failures, connections) = (self.failures, self.standing);
        if let Some(over) = self.dialling.clone().filter(|over| !over.is_cancelled()) {
            return Lent::Wait(Dial { over, failures });
        }
        if connections >= settings.max_connections {
            return or_last(self, Error::AtCapacity { address: address.clone(), connections });
        }
        Lent::Dial(self.dial())
    }

    /// Lends a connection that carries much less than it may, if one stands.
    pub(super) fn ready(
        &mut self,
        settings: &Settings,
        credentials: u64,
        now: Instant,
    ) -> Option<Connection> {
        let spares = self.spares(settings);
        let first =
            self.kept.iter_mut().position(|kept| kept.has_much_room(settings, credentials, spares))?;
        self.used = Some(now);
        Some(self.kept[first].lend(now))
    }

    /// Lends one, and asks for another before the last of them is full.
    fn lend_at(&mut self, at: usize, now: Instant, settings: &Settings) -> Lent {
        let kept = &mut self.kept[at];
        let connection = kept.lend(now);
        let (open, limit) = (connection.in_flight(), connection.limit());
        if open + limit / NEAR < limit
            || at + 1 < self.kept.len()
            || self.standing >= settings.max_connections
        {
            return Lent::Ready(connection);
        }
        match self.next(now) {
            Next::Dial(dial) => Lent::Last(connection, dial),
            _ => Lent::Ready(connection),
        }
    }

    /// Begins a dial, unless one is under way or it is too early for one.
    fn next(&mut self, now: Instant) -> Next {
        if let Some(failure) = self.failure.as_ref().filter(|failure| failure.retry > now) {
            return Next::Later(failure.retry - now);
        }
        if let Some(over) = self.dialling.clone().filter(|over| !over.is_cancelled()) {
            return Next::Wait(over);
        }
        Next::Dial(self.dial())
    }

    fn dial(&mut self) -> Dial {
        let over = CancellationToken::new();
        self.dialling = Some(over.clone());
        Dial { over, failures: self.failures }
    }

    /// After a connection has ended: while the endpoint is called, another is dialled before somebody asks.
    pub(super) fn renew(&mut self, settings: &Settings, credentials: u64) -> Next {
        self.prune(settings, credentials);
        let now = Instant::now();
        let is_needed = self.is_warm(now, settings) && self.standing < settings.max_connections;
        // Whatever is left after the pruning is fit.
        if is_needed && self.kept.is_empty() { self.next(now) } else { Next::Nothing }
    }

    /// Before a connection is to end: it takes no more calls when another is there, or when nobody needs one.
    pub(super) fn replace(&mut self, id: u64, settings: &Settings, credentials: u64) -> Next {
        let now = Instant::now();
        let spares = self.spares(settings);
        let has_other =
            self.kept.iter().any(|kept| kept.id != id && kept.is_fit(settings, credentials, spares));
        if !has_other && self.is_warm(now, settings) && self.kept.iter().any(|kept| kept.id == id) {
            return if self.standing < settings.max_connections { self.next(now) } else { Next::Later(FULL) };
        }
        self.kept.retain(|kept| kept.id != id);
        Next::Nothing
    }

    /// Whether a worn connection is let go for a new one. Its calls may keep it standing for long: when half of all stand,
    /// worn ones are lent again.
    fn spares(&self, settings: &Settings) -> bool {
        self.standing <= settings.max_connections / 2
    }

    /// Whether somebody asked for a connection of late.
    fn is_warm(&self, now: Instant, settings: &Settings) -> bool {
        self.used.is_some_and(|used| now - used < settings.idle_timeout)
    }

    /// When the peer's certificate is valid, as the last handshake showed it.
    pub(super) fn certificate(&self) -> Option<Validity> {
        self.certificate
    }

    /// A dial succeeded, to a peer with this certificate.
    pub(super) fn shown(&mut self, certificate: Validity) {
        self.certificate = Some(certificate);
    }

    /// A dial succeeded. The number of the connection.
    pub(super) fn keep(&mut self, connection: Connection, credentials: u64) -> u64 {
        self.next += 1;
        self.standing += 1;
        self.kept.push(Kept { id: self.next, connection, credentials, used: Instant::now() });
        self.dialling = None;
        self.next
    }

    /// A connection is over, and so are its calls.
    pub(super) fn over(&mut self) {
        self.standing = self.standing.saturating_sub(1);
    }

    /// We ourselves may not dial now. It says nothing of the endpoint: the pauses between dials stay as they are.
    pub(super) fn busy(&mut self, last: Error) {
        let (since, attempts) =
            self.failure.as_ref().map_or((Timestamp::now(), 0), |failure| (failure.since, failure.attempts));
        self.failures += 1;
        self.failure = Some(Failure { since, attempts, retry: Instant::now() + BUSY, last });
        self.dialling = None;
    }

    /// A connection broke as soon as it was made. Once it may be chance, such as a producer that is on its way out: it is
    /// dialled again at once, and who waits for that dial does not hear of this. From the second time on it is a failure.
    pub(super) fn fell(&mut self, last: Error, settings: &Settings) {
        if self.is_well() {
            let now = Instant::now();
            self.failure = Some(Failure { since: Timestamp::now(), attempts: 1, retry: now, last });
        } else {
            self.fail(last, settings);
        }
    }

    /// A dial failed.
    pub(super) fn fail(&mut self, last: Error, settings: &Settings) {
        let (since, attempts) = match &self.failure {
            Some(failure) => (failure.since, failure.attempts.saturating_add(1)),
            None => (Timestamp::now(), 1),
        };
        self.failures += 1;
        self.failure =
            Some(Failure { since, attempts, retry: Instant::now() + pause(attempts, settings), last });
        self.dialling = None;
    }

    /// Whether the last dial did not fail.
    pub(super) fn is_well(&self) -> bool {
        self.failure.is_none()
    }

    /// A connection has proven itself: what failed before is over.
    pub(super) fn settle(&mut self) {
        self.failure = None;
    }

    /// Lets go of what is closed, outdated or idle; calls on it finish. True if nothing is left to remember.
    pub(super) fn prune(&mut self, settings: &Settings, credentials: u64) -> bool {
        let (now, spares) = (Instant::now(), self.spares(settings));
        self.kept.retain(|kept| {
            let idle = kept.connection.in_flight() == 0 && now - kept.used >= settings.idle_timeout;
            kept.is_fit(settings, credentials, spares) && !idle
        });
        let forgotten = |failure: &Failure| now > failure.retry + settings.max_backoff * 2;
        self.failure.take_if(|failure| forgotten(failure));
        self.standing == 0 && self.dialling.is_none() && self.failure.is_none()
    }
}

impl Kept {
    /// Whether it may carry more calls now or later.
    fn is_fit(&self, settings: &Settings, credentials: u64, spares: bool) -> bool {
        let connection = &self.connection;
        self.credentials == credentials
            && connection.faults() < faults(settings)
            && !(spares && connection.is_worn())
            && connection.is_open()
    }

    /// Whether it may carry more calls, and that many of them that no other has to be dialled for the next.
    fn has_much_room(&mut self, settings: &Settings, credentials: u64, spares: bool) -> bool {
        let connection = &mut self.connection;
        self.credentials == credentials
            && connection.faults() < faults(settings)
            && !(spares && connection.is_worn())
            && !connection.is_stalled()
            && connection.room().is_some_and(|(room, limit)| room > limit / NEAR)
    }

    fn lend(&mut self, now: Instant) -> Connection {
        self.used = now;
        self.connection.clone()
    }
}

/// After so many wrong frames of the peer a connection is let go, well before h2 gives it up with all its calls.
fn faults(settings: &Settings) -> usize {
    settings.transport.max_local_error_resets / FAULTS_SHARE
}

#[cfg(test)]
mod tests;
