//! A connection with the turn that is taken on it.

use super::breaker::{self, GLANCE, Waiting};
use super::turn::{Turn, Verdict};
use super::{Error, Pool};
use crate::model::{Endpoint, Producer, TrustDomain};
use crate::transport::client;
use futures::poll;
use std::pin::pin;
use std::task::Poll;
use tokio::time::{Instant, timeout_at};

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

    /// All connections are full: waits in the queue for a stream.
    async fn lend_later(
        &self,
        producer: &Producer,
        endpoint: &Endpoint,
        tenant: &TrustDomain,
        mut turn: Turn,
    ) -> Result<Lent, Error> {
        let place = Waiting::queue(turn.meter().peer())?;
        loop {
            // A stream is free a moment after its call was over: a look by itself now and then.
            let _ = timeout_at(place.deadline.min(Instant::now() + GLANCE), place.freed()).await;
            match self.connection(producer, endpoint, tenant).await {
                Ok(connection) => {
                    turn.begins_now();
                    return Ok(Lent { connection, turn });
                }
                Err(Error::AtCapacity { .. }) if Instant::now() < place.deadline => {}
                Err(Error::AtCapacity { .. }) => return Err(place.late()),
                Err(error) => return Err(error),
            }
        }
    }
}
