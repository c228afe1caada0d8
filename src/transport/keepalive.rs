//! Finds out that a peer is gone although nothing says so: PING, and give up without an answer (RFC 9113 §6.7).

use super::{Error, Settings};
use h2::{Ping, PingPong};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// gRPC servers call a third ping without data in between abuse, unless this long has passed (gRPC proposal A8).
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// Pings in a row that every gRPC server tolerates.
const TOLERATED: u32 = 2;

/// The keepalive of one connection.
#[derive(Debug)]
pub(super) struct Keepalive {
    pings: Option<PingPong>,
    interval: Duration,
    timeout: Duration,
    timer: Pin<Box<Sleep>>,
    asked: Option<Instant>,
    awaiting: bool,
    unheard: u32,
}

/// What happened since the last look, as the side that pings sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traffic {
    /// The peer is a client: clients tolerate every ping.
    Any,
    /// No stream is open: nothing depends on the peer.
    Idle,
    /// The peer sent heads, data or trailers.
    Heard,
    /// Streams are open and the peer is silent.
    Silent,
}

impl Keepalive {
    pub(super) fn new(pings: Option<PingPong>, settings: &Settings) -> Self {
        Self {
            pings,
            interval: settings.keepalive_interval,
            timeout: settings.keepalive_timeout,
            timer: Box::pin(sleep(settings.keepalive_interval)),
            asked: None,
            awaiting: false,
            unheard: 0,
        }
    }

    /// Ready when the peer is given up; otherwise wakes the task when there is something to do.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, traffic: impl Fn() -> Traffic) -> Poll<Error> {
        let Some(pings) = &mut self.pings else { return Poll::Pending };
        loop {
            if self.awaiting {
                match pings.poll_pong(cx) {
                    Poll::Ready(Ok(_)) => {
                        self.awaiting = false;
                        self.timer.as_mut().reset(Instant::now() + self.interval);
                        continue;
                    }
                    // The connection itself tells its end better.
                    Poll::Ready(Err(_)) => return Poll::Pending,
                    Poll::Pending => {}
                }
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if self.awaiting {
                return Poll::Ready(Error::Silent { what: "answer to a ping", after: self.timeout });
            }
            let due = match traffic() {
                Traffic::Any => true,
                Traffic::Idle => false,
                Traffic::Heard => {
                    self.unheard = 0;
                    false
                }
                Traffic::Silent => {
                    self.unheard < TOLERATED || self.asked.is_none_or(|asked| asked.elapsed() > PATIENCE)
                }
            };
            let wait = if due && pings.send_ping(Ping::opaque()).is_ok() {
                self.awaiting = true;
                self.unheard = self.unheard.saturating_add(1);
                self.asked = Some(Instant::now());
                self.timeout
            } else {
                self.interval
            };
            self.timer.as_mut().reset(Instant::now() + wait);
        }
    }
}
