//! The ledger of payments.example: double entry, each request id once, entries that can be watched.

use super::super::pb::payments::ledger::v2::ledger_service_server::LedgerService;
use super::super::pb::payments::ledger::v2::*;
use super::{Answers, lock};
use futures::stream;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Opening balances are given by this account, which alone may fall below zero.
const EQUITY: &str = "accounts/equity";
const CURRENCY: &str = "EUR";
const MAX_ENTRIES: usize = 100_000;

/// The books, and a bell that rings when an entry was posted.
#[derive(Debug, Clone)]
pub(in crate::cli::demo) struct Ledger {
    books: Arc<Mutex<Books>>,
    posted: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Books {
    balances: BTreeMap<String, Account>,
    entries: Vec<Entry>,
    by_request: HashMap<String, usize>,
}

impl Ledger {
    /// Opens the books with two accounts that hold something.
    pub(in crate::cli::demo) fn open() -> Self {
        let mut books = Books::default();
        for (account, cents) in [("accounts/alice", 120_000), ("accounts/bob", 45_000)] {
            let opening = PostEntryRequest {
                debit_account: EQUITY.into(),
                credit_account: account.into(),
                amount: Some(euros(cents)),
                description: "opening balance".into(),
                request_id: format!("open-{account}"),
            };
            // These two are sound by construction; were they not, the books would merely open empty.
            let _ = books.post(opening, "spiffe://payments.example/ledger".into());
        }
        let posted = watch::Sender::new(books.entries.len());
        Self { books: Arc::new(Mutex::new(books)), posted }
    }
}

#[tonic::async_trait]
impl LedgerService for Ledger {
    type WatchEntriesStream = Answers<WatchEntriesResponse>;

    async fn post_entry(
        &self,
        request: Request<PostEntryRequest>,
    ) -> Result<Response<PostEntryResponse>, Status> {
        let caller = request.metadata().get("portolan-caller").and_then(|caller| caller.to_str().ok());
        let poster = caller.unwrap_or_default().to_owned();
        let (entry, count) = {
            let mut books = lock(&self.books);
            (books.post(request.into_inner(), poster)?, books.entries.len())
        };
        self.posted.send_replace(count);
        Ok(Response::new(PostEntryResponse { entry: Some(entry) }))
    }

    async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<Response<GetAccountResponse>, Status> {
        let name = request.into_inner().name;
        let account = lock(&self.books).balances.get(&name).cloned();
        let account = account.ok_or_else(|| Status::not_found(format!("no entry ever touched {name:?}")))?;
        Ok(Response::new(GetAccountResponse { account: Some(account) }))
    }

    async fn list_entries(
        &self,
        request: Request<ListEntriesRequest>,
    ) -> Result<Response<ListEntriesResponse>, Status> {
        let ListEntriesRequest { account, page_size, page_token } = request.into_inner();
        let page_size = match usize::try_from(page_size) {
            Ok(0) => 50,
            Ok(size) => size.min(1000),
            Err(_) => return Err(Status::invalid_argument("page_size is negative")),
        };
        let books = lock(&self.books);
        let end = match page_token.as_str() {
            "" => books.entries.len(),
            token => token.parse().map_err(|_| Status::invalid_argument("page_token is none of ours"))?,
        };
        let mut older =
            books.entries.iter().enumerate().take(end).rev().filter(|(_, e)| touches(e, &account));
        let page: Vec<_> = older.by_ref().take(page_size).collect();
        let next_page_token = older.next().map_or(String::new(), |(at, _)| (at + 1).to_string());
        let entries = page.into_iter().map(|(_, entry)| entry.clone()).collect();
        Ok(Response::new(ListEntriesResponse { entries, next_page_token }))
    }

    async fn watch_entries(
        &self,
        request: Request<WatchEntriesRequest>,
    ) -> Result<Response<Self::WatchEntriesStream>, Status> {
        let WatchEntriesRequest { account, limit } = request.into_inner();
        let left = usize::try_from(limit).map_err(|_| Status::invalid_argument("limit is negative"))?;
        let left = if left == 0 { usize::MAX } else { left };
        let start = (self.books.clone(), self.posted.subscribe(), 0, left);
        let entries = stream::unfold(start, move |(books, mut posted, mut at, left)| {
            let account = account.clone();
            async move {
                if left == 0 {
                    return None;
                }
                loop {
                    let next = lock(&books).entries.get(at).cloned();
                    match next {
                        Some(entry) => {
                            at += 1;
                            if touches(&entry, &account) {
                                let answer = WatchEntriesResponse { entry: Some(entry) };
                                return Some((Ok(answer), (books, posted, at, left - 1)));
                            }
                        }
                        None => posted.wait_for(|count| *count > at).await.map(|_| ()).ok()?,
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(entries)))
    }
}

impl Books {
    /// Posts an entry, or answers with the one that its request id already made.
    fn post(&mut self, request: PostEntryRequest, poster: String) -> Result<Entry, Status> {
        if let Some(entry) = self.by_request.get(&request.request_id).and_then(|at| self.entries.get(*at)) {
            return Ok(entry.clone());
        }
        let PostEntryRequest { debit_account, credit_account, amount, description, request_id } = request;
        let amount = amount.unwrap_or_default();
        judge(&debit_account, &credit_account, &amount)?;
        if self.entries.len() >= MAX_ENTRIES {
            return Err(Status::resource_exhausted("the demo's books are full"));
        }
        let balance = self.balance(&debit_account);
        if debit_account != EQUITY && balance < amount.minor_units {
            return Err(insufficient(&debit_account, balance, amount.minor_units));
        }
        self.add(&debit_account, -amount.minor_units);
        self.add(&credit_account, amount.minor_units);
        let entry = Entry {
            name: format!("entries/{}", self.entries.len() + 1),
            debit_account,
            credit_account,
            amount: Some(amount),
            description,
            post_time: Some(std::time::SystemTime::now().into()),
            poster,
        };
        if !request_id.is_empty() {
            self.by_request.insert(request_id, self.entries.len());
        }
        self.entries.push(entry.clone());
        Ok(entry)
    }

    fn balance(&self, account: &str) -> i64 {
        let balance = self.balances.get(account).and_then(|account| account.balance.as_ref());
        balance.map_or(0, |balance| balance.minor_units)
    }

    fn add(&mut self, name: &str, minor_units: i64) {
        let balance = self.balance(name).saturating_add(minor_units);
        let account = self.balances.entry(name.to_owned()).or_default();
        account.name = name.to_owned();
        account.balance = Some(euros(balance));
        account.entry_count += 1;
    }
}

fn judge(debit: &str, credit: &str, amount: &Money) -> Result<(), Status> {
    let wrong = |field: &str, why: &str| {
        let details = ErrorDetails::with_bad_request_violation(field, why);
        Err(Status::with_error_details(Code::InvalidArgument, format!("{field}: {why}"), details))
    };
    let is_account =
        |name: &str| name.strip_prefix("accounts/").is_some_and(|id| (1..=64).contains(&id.len()));
    match () {
        () if !is_account(debit) => wrong("debit_account", "must be accounts/{account}"),
        () if !is_account(credit) => wrong("credit_account", "must be accounts/{account}"),
        () if debit == credit => wrong("credit_account", "must be another than debit_account"),
        () if amount.currency_code != CURRENCY => wrong("amount.currency_code", "must be EUR"),
        () if amount.minor_units <= 0 => wrong("amount.minor_units", "must be above zero"),
        () => Ok(()),
    }
}

fn insufficient(account: &str, balance: i64, wanted: i64) -> Status {
    let metadata = [("account", account.to_owned()), ("balance", balance.to_string())];
    let details = ErrorDetails::with_error_info(
        "INSUFFICIENT_FUNDS",
        "payments.example",
        metadata.map(|(key, value)| (key.to_owned(), value)),
    );
    let message = format!("{account} holds {balance} cents, {wanted} are wanted");
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

fn touches(entry: &Entry, account: &str) -> bool {
    account.is_empty() || entry.debit_account == account || entry.credit_account == account
}

fn euros(minor_units: i64) -> Money {
    Money { currency_code: CURRENCY.into(), minor_units }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;

    fn payment(cents: i64, request_id: &str) -> Request<PostEntryRequest> {
        Request::new(PostEntryRequest {
            debit_account: "accounts/alice".into(),
            credit_account: "accounts/bob".into(),
            amount: Some(euros(cents)),
            description: "lunch".into(),
            request_id: request_id.into(),
        })
    }

    #[tokio::test]
    async fn a_request_id_posts_once_and_the_books_balance() {
        let ledger = Ledger::open();
        let first = ledger.post_entry(payment(1250, "r1")).await.unwrap().into_inner();
        let again = ledger.post_entry(payment(1250, "r1")).await.unwrap().into_inner();
        assert_eq!(first, again);
        let books = lock(&ledger.books);
        assert_eq!(books.balance("accounts/bob"), 46_250);
        assert_eq!(books.balances.keys().map(|name| books.balance(name)).sum::<i64>(), 0);
    }

    #[tokio::test]
    async fn an_account_cannot_give_what_it_has_not() {
        let refusal = Ledger::open().post_entry(payment(9_999_999, "")).await.unwrap_err();
        assert_eq!(refusal.code(), Code::FailedPrecondition);
        assert_eq!(refusal.get_details_error_info().unwrap().reason, "INSUFFICIENT_FUNDS");
    }

    #[tokio::test]
    async fn a_watcher_sees_old_entries_then_new_ones() {
        let ledger = Ledger::open();
        let request = WatchEntriesRequest { account: "accounts/bob".into(), limit: 2 };
        let mut entries = ledger.watch_entries(Request::new(request)).await.unwrap().into_inner();
        let opening = entries.next().await.unwrap().unwrap().entry.unwrap();
        assert_eq!(opening.description, "opening balance");
        let waiting = tokio::join!(entries.next(), ledger.post_entry(payment(5, "")));
        assert_eq!(waiting.0.unwrap().unwrap().entry.unwrap().description, "lunch");
        assert!(entries.next().await.is_none());
    }

    #[tokio::test]
    async fn pages_cover_every_entry_once() {
        let ledger = Ledger::open();
        for _ in 0..5 {
            ledger.post_entry(payment(1, "")).await.unwrap();
        }
        let (mut names, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListEntriesRequest { account: String::new(), page_size: 3, page_token };
            let page = ledger.list_entries(Request::new(request)).await.unwrap().into_inner();
            names.extend(page.entries.into_iter().map(|entry| entry.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(names, (1..=7).rev().map(|n| format!("entries/{n}")).collect::<Vec<_>>());
    }
}
