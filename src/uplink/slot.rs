//! The connections to one endpoint for one tenant: which is lent, when another is dialled, how failure is remembered.

use super::{Error, Settings};
use crate::model::{Address, Validity};
use crate::transport::client::Connection;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A connection is retired when this share of the faults is used up that h2 counts over its life and then gives up
/// the whole connection, with everybody's calls.
const FAULTS_SHARE: usize = 2;

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
}

/// What a caller gets.
#[derive(Debug)]
pub(super) enum Lent {
    /// A connection with room.
    Ready(Connection),
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

#[derive(Debug)]
struct Kept {
    connection: Connection,
    /// Where it leads; `None` for a Unix socket.
    at: Option<SocketAddr>,
    /// The revision of our own certificate that it was made with.
    credentials: u64,
    used: Instant,
}

#[derive(Debug)]
struct Failure {
    since: Timestamp,
    attempts: u32,
    retry: Instant,
    last: Error,
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
        let faults = faults(settings);
        let fit = |kept: &Kept| {
            kept.credentials == credentials && kept.connection.faults() < faults && kept.connection.has_room()
        };
        // The first with room: few full connections are cheaper than many half-empty ones.
        if let Some(kept) = self.kept.iter_mut().find(|kept| fit(kept)) {
            kept.used = now;
            return Lent::Ready(kept.connection.clone());
        }
        self.prune(settings, credentials);
        if let Some(failure) = &self.failure {
            if waited.is_some_and(|dial| dial.failures < self.failures) {
                return Lent::Failed(failure.last.clone());
            }
            if failure.retry > now {
                return Lent::Failed(failure.backing_off(now));
            }
        }
        let failures = self.failures;
        if let Some(over) = self.dialling.clone().filter(|over| !over.is_cancelled()) {
            return Lent::Wait(Dial { over, failures });
        }
        if self.kept.len() >= settings.max_connections {
            return Lent::Failed(Error::AtCapacity {
                address: address.clone(),
                connections: self.kept.len(),
            });
        }
        let over = CancellationToken::new();
        self.dialling = Some(over.clone());
        Lent::Dial(Dial { over, failures })
    }

    /// When the peer's certificate is valid, as the last handshake showed it.
    pub(super) fn certificate(&self) -> Option<Validity> {
        self.certificate
    }

    /// A dial succeeded, to a peer with this certificate.
    pub(super) fn shown(&mut self, certificate: Validity) {
        self.certificate = Some(certificate);
    }

    /// A dial succeeded.
    pub(super) fn keep(&mut self, connection: Connection, at: Option<SocketAddr>, credentials: u64) {
        self.kept.push(Kept { connection, at, credentials, used: Instant::now() });
        self.dialling = None;
    }

    /// A dial failed, or a connection broke as soon as it was made.
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

    /// The host's name no longer leads there: no new calls; those that are open finish.
    pub(super) fn leave(&mut self, at: SocketAddr) {
        self.kept.retain(|kept| kept.at != Some(at));
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
        let (now, faults) = (Instant::now(), faults(settings));
        self.kept.retain(|kept| {
            let idle = kept.connection.in_flight() == 0 && now - kept.used >= settings.idle_timeout;
            let sound = kept.connection.is_open() && kept.connection.faults() < faults;
            sound && kept.credentials == credentials && !idle
        });
        let forgotten = |failure: &Failure| now > failure.retry + settings.max_backoff * 2;
        self.failure.take_if(|failure| forgotten(failure));
        self.kept.is_empty() && self.dialling.is_none() && self.failure.is_none()
    }
}

impl Failure {
    fn backing_off(&self, now: Instant) -> Error {
        Error::BackingOff { since: self.since, left: self.retry - now, last: Box::new(self.last.clone()) }
    }
}

/// After so many wrong frames of the peer a connection is let go, well before h2 gives it up with all its calls.
fn faults(settings: &Settings) -> usize {
    settings.transport.max_local_error_resets / FAULTS_SHARE
}

/// Doubles with each failure up to the longest, and is then cut by up to a half, so that workers do not dial in step.
fn pause(attempts: u32, settings: &Settings) -> Duration {
    let doubled = settings.min_backoff.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    doubled.min(settings.max_backoff).mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{client, server};

    fn refused() -> Error {
        let address = Address::parse("ledger.example:1").unwrap();
        Error::TimedOut { address, phase: "connecting", after: Duration::from_secs(5) }
    }

    #[test]
    fn the_pause_doubles_up_to_its_limit() {
        let settings = Settings::default();
        for (attempts, longest) in [(1, 250), (2, 500), (3, 1000), (8, 30_000), (u32::MAX, 30_000)] {
            let longest = Duration::from_millis(longest);
            for _ in 0..100 {
                let pause = pause(attempts, &settings);
                assert!(pause <= longest && pause >= longest / 2, "{attempts}: {pause:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_calls_fail_at_once_until_the_pause_is_over() {
        let (settings, address) = (Settings::default(), Address::parse("ledger.example:1").unwrap());
        let mut slot = Slot::default();
        let Lent::Dial(dial) = slot.lend(&address, &settings, 1, None) else { panic!("it should dial") };
        assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Wait(_)), "one dial for all");
        slot.fail(refused(), &settings);
        let told = slot.lend(&address, &settings, 1, Some(&dial));
        assert!(matches!(told, Lent::Failed(Error::TimedOut { .. })), "{told:?}");
        let Lent::Failed(error) = slot.lend(&address, &settings, 1, None) else { panic!("it should fail") };
        assert_eq!((error.reason(), error.address()), ("CONNECT_TIMEOUT", &address));
        let since = error.since().unwrap();

        tokio::time::advance(settings.min_backoff).await;
        assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Dial(_)));
        slot.fail(refused(), &settings);
        let Lent::Failed(error) = slot.lend(&address, &settings, 1, None) else { panic!("it should fail") };
        assert_eq!(error.since(), Some(since), "the first failure counts");

        tokio::time::advance(settings.max_backoff * 4).await;
        assert!(slot.prune(&settings, 1), "an old failure is forgotten");
    }

    #[test]
    fn a_dial_that_vanished_does_not_block_the_next() {
        let (settings, address) = (Settings::default(), Address::parse("ledger.example:1").unwrap());
        let mut slot = Slot::default();
        let Lent::Dial(dial) = slot.lend(&address, &settings, 1, None) else { panic!("it should dial") };
        dial.over.cancel();
        assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Dial(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn idle_and_outdated_connections_are_let_go_and_busy_ones_are_not() {
        let (settings, address) = (Settings::default(), Address::parse("ledger.example:1").unwrap());
        let (near, far) = tokio::io::duplex(1 << 16);
        let (connecting, _listening) = tokio::join!(
            client::connect(near, &settings.transport),
            server::Connection::handshake(far, &settings.transport)
        );
        let (connection, _driver) = connecting.unwrap();
        let mut slot = Slot::default();
        slot.keep(connection.clone(), None, 1);
        let head = http::Request::get("https://ledger.example/").body(()).unwrap();
        let busy = connection.send(head, true).unwrap();
        tokio::time::advance(settings.idle_timeout).await;
        assert!(!slot.prune(&settings, 1), "a call is open");
        drop(busy);
        assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Ready(_)));
        tokio::time::advance(settings.idle_timeout / 2).await;
        assert!(!slot.prune(&settings, 1), "it was used a while ago");
        tokio::time::advance(settings.idle_timeout).await;
        assert!(slot.prune(&settings, 1));

        slot.keep(connection, None, 1);
        assert!(
            matches!(slot.lend(&address, &settings, 2, None), Lent::Dial(_)),
            "our certificate is another now"
        );
    }
}
