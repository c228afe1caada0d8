//! A connection with the turn that is taken on it.

use super::breaker;
use super::meter::Meter;
use super::queue::Which;
use super::turn::{Turn, Verdict};
use super::{Busy, Error, Pool};
use crate::model::{Endpoint, Producer, TrustDomain};
use crate::transport::client;
use futures::poll;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// A connection to an endpoint, and the attempt that is counted there from now on.
#[derive(Debug)]
pub struct Lent {
    /// Where the call goes.
    pub connection: client::Connection,
    /// To be told how it goes.
    pub turn: Turn,
}

impl Pool {
    /// A ready connection to `endpoint` of `producer` for a call of `tenant`, counted until its turn falls.
    ///
    /// Where the endpoint carries as much as it may, it waits for a place, for as long as the breaker's rules say. A dial
    /// that fails is an attempt that was lost, and counts against the endpoint.
    pub async fn lend(
        &self,
        producer: &Producer,
        endpoint: &Endpoint,
        tenant: &TrustDomain,
    ) -> Result<Lent, Error> {
        self.lend_turn(producer, endpoint, tenant, false).await
    }

    /// As [`lend`](Self::lend), for a call that repeats another: of those an endpoint takes fewer.
    pub async fn lend_again(
        &self,
        producer: &Producer,
        endpoint: &Endpoint,
        tenant: &TrustDomain,
    ) -> Result<Lent, Error> {
        self.lend_turn(producer, endpoint, tenant, true).await
    }

    /// As [`lend`](Self::lend), where nothing has to be waited for: a place is free, and a connection stands. `None` says
    /// that it has to be. `meter` is what this worker counts of the endpoint, if its caller knows it.
    pub fn lend_now(
        &self,
        producer: &Producer,
        endpoint: &Endpoint,
        meter: Option<&Arc<Meter>>,
        tenant: &TrustDomain,
        now: Instant,
    ) -> Option<Lent> {
        let meter = meter.cloned().unwrap_or_else(|| self.desk().meter(producer, endpoint));
        let connection = breaker::is_free(&meter).then(|| self.ready(producer, endpoint, tenant, now))??;
        Some(Lent { connection, turn: Turn::begin(meter, false, now) })
    }

    async fn lend_turn(
        &self,
        producer: &Producer,
        endpoint: &Endpoint,
        tenant: &TrustDomain,
        is_retry: bool,
    ) -> Result<Lent, Error> {
        let mut turn = breaker::admit(self.desk().meter(producer, endpoint), is_retry).await?;
        let mut lending = pin!(self.connection(producer, endpoint, tenant));
        let lent = match poll!(lending.as_mut()) {
            Poll::Ready(lent) => lent,
            Poll::Pending => {
                let lent = lending.await;
                // A dial says nothing of how quickly calls are answered.
                turn.begins_now();
                lent
            }
        };
        match lent {
            Ok(connection) => Ok(Lent { connection, turn }),
            Err(Error::AtCapacity { .. }) => self.lend_later(producer, endpoint, tenant, turn).await,
            Err(error) => {
                // What failed before is known already: only a dial of now tells something new.
                if !matches!(error, Error::BackingOff { .. } | Error::Busy { .. }) {
                    turn.end(Verdict::Lost);
                }
                Err(error)
            }
        }
    }

    /// All connections of the tenant are full: waits in its line for a stream.
    async fn lend_later(
        &self,
        producer: &Producer,
        endpoint: &Endpoint,
        tenant: &TrustDomain,
        mut turn: Turn,
    ) -> Result<Lent, Error> {
        let rules = turn.meter().peer().rules().breaker;
        let busy = |busy| Error::Busy { address: endpoint.address.clone(), busy };
        let late = || busy(Busy::Late(rules.pending_timeout));
        let which = Which {
            address: endpoint.address.clone(),
            identity: producer.identity.clone(),
            tenant: tenant.clone(),
        };
        let deadline = Instant::now() + rules.pending_timeout;
        let place =
            self.desk().lines().join(which, rules.pending).ok_or_else(|| busy(Busy::Queue(rules.pending)))?;
        let _first = timeout_at(deadline, place.first()).await.map_err(|_| late())?;
        loop {
            match self.connection(producer, endpoint, tenant).await {
                Ok(connection) => {
                    turn.begins_now();
                    return Ok(Lent { connection, turn });
                }
                Err(Error::AtCapacity { .. }) if Instant::now() < deadline => {}
                Err(Error::AtCapacity { .. }) => return Err(late()),
                Err(error) => return Err(error),
            }
            // A stream is free when its last handle falls, which nobody is told: the first in line looks now and then.
            sleep_until(deadline.min(Instant::now() + GLANCE)).await;
        }
    }
}

/// The pause in which the first in line looks for room on a connection.
const GLANCE: Duration = Duration::from_millis(5);
