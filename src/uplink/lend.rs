//! A connection with the turn that is taken on it.

use super::turn::{Turn, Verdict};
use super::{Error, Pool};
use crate::model::{Endpoint, Producer, TrustDomain};
use crate::transport::client;

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
    /// A dial that fails is an attempt that was lost, and counts against the endpoint.
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
        let turn = Turn::begin(self.desk().meter(producer, endpoint), is_retry);
        match self.connection(producer, endpoint, tenant).await {
            Ok(connection) => Ok(Lent { connection, turn }),
            Err(error) => {
                // What failed before is known already: only a dial of now tells something new.
                if !matches!(error, Error::BackingOff { .. } | Error::AtCapacity { .. }) {
                    turn.end(Verdict::Lost);
                }
                Err(error)
            }
        }
    }
}
