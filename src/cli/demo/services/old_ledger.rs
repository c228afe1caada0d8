//! The deprecated ledger of payments.example: it still answers, and whoever calls it is told to move on.

use super::super::pb::payments::ledger::v1::ledger_service_server::LedgerService;
use super::super::pb::payments::ledger::v1::*;
use super::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tonic::{Request, Response, Status};

const MAX_ACCOUNTS: usize = 10_000;

/// Balances by account.
#[derive(Debug, Clone, Default)]
pub(in crate::cli::demo) struct OldLedger {
    balances: Arc<Mutex<BTreeMap<String, f64>>>,
}

#[tonic::async_trait]
impl LedgerService for OldLedger {
    async fn post_amount(
        &self,
        request: Request<PostAmountRequest>,
    ) -> Result<Response<PostAmountResponse>, Status> {
        let PostAmountRequest { account, amount } = request.into_inner();
        if account.is_empty() || !amount.is_finite() {
            return Err(Status::invalid_argument("an account and a finite amount are wanted"));
        }
        let mut balances = lock(&self.balances);
        if balances.len() >= MAX_ACCOUNTS && !balances.contains_key(&account) {
            return Err(Status::resource_exhausted("the demo's old books are full"));
        }
        let balance = balances.entry(account).or_default();
        *balance += amount;
        Ok(Response::new(PostAmountResponse { balance: *balance }))
    }

    async fn get_balance(
        &self,
        request: Request<GetBalanceRequest>,
    ) -> Result<Response<GetBalanceResponse>, Status> {
        let account = request.into_inner().account;
        let balance = lock(&self.balances).get(&account).copied().unwrap_or_default();
        Ok(Response::new(GetBalanceResponse { balance }))
    }
}
