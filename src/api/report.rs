//! `portolan.report.v1.ReportService`: one question of each role, answered from catalogue, status and use.

mod consumer;
mod finance;
mod ground;
mod operator;
mod producer;
mod security;

use super::caller::caller;
use super::consumers::Consumers;
use super::fault::Fault;
use super::turns::Turns;
use crate::access::{Caller, Policy};
use crate::catalog;
use crate::model::{BrokerId, TrustDomain, Validity};
use crate::relay::Relay;
use crate::status::Board;
use crate::wire::pb::portolan::report::v1 as pb;
use ground::Ground;
use jiff::Timestamp;
use pb::report_service_server::{ReportService, ReportServiceServer};
use std::fmt;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Reports made at the same time. A report may read the whole catalogue.
const AT_ONCE: usize = 4;

/// What reports are made from. Cheap to clone.
#[derive(Clone)]
pub struct Sources {
    /// Who offers what.
    pub catalog: catalog::Reader,
    /// Who may know what.
    pub policy: Arc<Policy>,
    /// How everything is.
    pub board: Board,
    /// Who called what.
    pub consumers: Consumers,
    /// Where a call would go.
    pub relay: Arc<Relay>,
    /// Certificates that this broker stands on.
    pub certificates: Certificates,
}

/// Tells of certificates as they are now.
pub type Certificates = Arc<dyn Fn() -> Vec<Certificate> + Send + Sync>;

/// A certificate that this broker stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificate {
    /// Its own.
    Own(BrokerId, Validity),
    /// Of an authority that vouches for a trust domain.
    Authority(TrustDomain, Validity),
}

/// The service.
#[derive(Debug, Clone)]
pub struct Reports {
    sources: Sources,
    turns: Turns,
}

/// The service over its sources.
pub fn service(sources: Sources) -> ReportServiceServer<Reports> {
    let reports = Reports { sources, turns: Turns::new(AT_ONCE) };
    ReportServiceServer::new(reports).max_decoding_message_size(super::SMALL_MESSAGE)
}

impl Reports {
    /// Makes a report away from the threads that carry calls.
    async fn make<Q, A>(
        &self,
        request: Request<Q>,
        report: fn(&Ground, &Q) -> Result<A, Fault>,
    ) -> Result<Response<A>, Status>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        let caller = caller(&request)?;
        let (sources, asked) = (self.sources.clone(), request.into_inner());
        let whose = caller.identity.clone();
        let made = self.turns.run(&whose, move || report(&sources.ground(caller), &asked)).await?;
        Ok(Response::new(made))
    }
}

impl Sources {
    /// All of it as it is now, for one caller.
    fn ground(&self, caller: Arc<Caller>) -> Ground {
        Ground {
            caller,
            policy: self.policy.clone(),
            snapshot: self.catalog.snapshot(),
            status: self.board.federation(),
            usage: self.consumers.usage().clone(),
            relay: self.relay.clone(),
            certificates: (self.certificates)(),
            now: Timestamp::now(),
        }
    }
}

#[tonic::async_trait]
impl ReportService for Reports {
    async fn get_consumer_report(
        &self,
        request: Request<pb::GetConsumerReportRequest>,
    ) -> Result<Response<pb::GetConsumerReportResponse>, Status> {
        self.make(request, consumer::report).await
    }

    async fn get_producer_report(
        &self,
        request: Request<pb::GetProducerReportRequest>,
    ) -> Result<Response<pb::GetProducerReportResponse>, Status> {
        self.make(request, producer::report).await
    }

    async fn get_operator_report(
        &self,
        request: Request<pb::GetOperatorReportRequest>,
    ) -> Result<Response<pb::GetOperatorReportResponse>, Status> {
        self.make(request, operator::report).await
    }

    async fn get_finance_report(
        &self,
        request: Request<pb::GetFinanceReportRequest>,
    ) -> Result<Response<pb::GetFinanceReportResponse>, Status> {
        self.make(request, finance::report).await
    }

    async fn get_security_report(
        &self,
        request: Request<pb::GetSecurityReportRequest>,
    ) -> Result<Response<pb::GetSecurityReportResponse>, Status> {
        self.make(request, security::report).await
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
