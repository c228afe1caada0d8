//! The key-value store of data.example: every change has a revision, and a watcher misses none.

use super::super::pb::data::kv::v1::key_value_service_server::KeyValueService;
use super::super::pb::data::kv::v1::*;
use super::{Answers, lock};
use futures::stream;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

const MAX_KEYS: usize = 10_000;
const MAX_VALUE: usize = 64 * 1024;
/// Changes that are kept for watchers who come back.
const HISTORY: usize = 1_000;

/// The store, and a bell that rings with each revision.
#[derive(Debug, Clone)]
pub(in crate::cli::demo) struct KeyValues {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<i64>,
}

#[derive(Debug, Default)]
struct State {
    values: BTreeMap<String, KeyValue>,
    history: VecDeque<WatchResponse>,
    revision: i64,
}

impl KeyValues {
    /// Opens a store that holds a little configuration.
    pub(in crate::cli::demo) fn open() -> Self {
        let mut state = State::default();
        for (key, value) in
            [("config/region", "eu-central"), ("config/currency", "EUR"), ("config/theme", "dark")]
        {
            state.put(key.into(), value.into());
        }
        let changed = watch::Sender::new(state.revision);
        Self { state: Arc::new(Mutex::new(state)), changed }
    }
}

#[tonic::async_trait]
impl KeyValueService for KeyValues {
    type WatchStream = Answers<WatchResponse>;

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        let PutRequest { key, value, expected_revision } = request.into_inner();
        if key.is_empty() || key.len() > 256 || value.len() > MAX_VALUE {
            return Err(Status::invalid_argument(
                "a key of 1 to 256 bytes and a value of at most 64 KiB are wanted",
            ));
        }
        let revision = {
            let mut state = lock(&self.state);
            let current = state.values.get(&key).map_or(0, |value| value.revision);
            if expected_revision != 0 && expected_revision != current {
                return Err(Status::aborted(format!(
                    "{key:?} is at revision {current}, not {expected_revision}"
                )));
            }
            if current == 0 && state.values.len() >= MAX_KEYS {
                return Err(Status::resource_exhausted("the demo's store is full"));
            }
            state.put(key, value)
        };
        self.changed.send_replace(revision);
        Ok(Response::new(PutResponse { revision }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let key = request.into_inner().key;
        let found = lock(&self.state).values.get(&key).cloned();
        let found = found.ok_or_else(|| Status::not_found(format!("no value for {key:?}")))?;
        Ok(Response::new(GetResponse { key_value: Some(found) }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let prefix = request.into_inner().prefix;
        let state = lock(&self.state);
        let from = state.values.range(prefix.clone()..);
        let key_values =
            from.take_while(|(key, _)| key.starts_with(&prefix)).map(|(_, value)| value.clone()).collect();
        Ok(Response::new(ListResponse { key_values, revision: state.revision }))
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let key = request.into_inner().key;
        let (deleted, revision) = {
            let mut state = lock(&self.state);
            (state.delete(&key), state.revision)
        };
        self.changed.send_replace(revision);
        Ok(Response::new(DeleteResponse { deleted, revision }))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let WatchRequest { prefix, from_revision, limit } = request.into_inner();
        let left = usize::try_from(limit).map_err(|_| Status::invalid_argument("limit is negative"))?;
        let left = if left == 0 { usize::MAX } else { left };
        let next = match from_revision {
            0 => lock(&self.state).revision + 1,
            revision => revision,
        };
        let start = (self.state.clone(), self.changed.subscribe(), next, left);
        let changes = stream::unfold(start, move |(state, mut changed, mut next, left)| {
            let prefix = prefix.clone();
            async move {
                if left == 0 {
                    return None;
                }
                loop {
                    let change = lock(&state).change(next);
                    match change {
                        Err(refusal) => return Some((Err(refusal), (state, changed, next, 0))),
                        Ok(Some(change)) => {
                            next += 1;
                            let key_value = change.key_value.as_ref();
                            if key_value.is_some_and(|value| value.key.starts_with(&prefix)) {
                                return Some((Ok(change), (state, changed, next, left - 1)));
                            }
                        }
                        Ok(None) => changed.wait_for(|revision| *revision >= next).await.map(|_| ()).ok()?,
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

impl State {
    fn put(&mut self, key: String, value: String) -> i64 {
        self.revision += 1;
        let value = KeyValue { key: key.clone(), value, revision: self.revision };
        self.values.insert(key, value.clone());
        self.remember(EventKind::Put, value);
        self.revision
    }

    fn delete(&mut self, key: &str) -> bool {
        if self.values.remove(key).is_none() {
            return false;
        }
        self.revision += 1;
        let gone = KeyValue { key: key.to_owned(), value: String::new(), revision: self.revision };
        self.remember(EventKind::Delete, gone);
        true
    }

    fn remember(&mut self, kind: EventKind, key_value: KeyValue) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(WatchResponse { kind: kind.into(), key_value: Some(key_value) });
    }

    /// The change that made `revision`; `None` if it has not happened yet.
    fn change(&self, revision: i64) -> Result<Option<WatchResponse>, Status> {
        // One change per revision, so the place in the history follows from the revision.
        let oldest = self.revision - self.history.len() as i64 + 1;
        let place = usize::try_from(revision - oldest).map_err(|_| {
            Status::out_of_range(format!("changes before revision {oldest} are no longer kept"))
        })?;
        Ok(self.history.get(place).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;

    #[tokio::test]
    async fn a_watcher_sees_each_change_of_its_prefix_in_order() {
        let store = KeyValues::open();
        let request = WatchRequest { prefix: "config/".into(), from_revision: 3, limit: 3 };
        let changes = store.watch(Request::new(request)).await.unwrap().into_inner();
        let put = |key: &str| PutRequest { key: key.into(), value: "x".into(), expected_revision: 0 };
        store.put(Request::new(put("other/a"))).await.unwrap();
        store.put(Request::new(put("config/b"))).await.unwrap();
        store.delete(Request::new(DeleteRequest { key: "config/b".into() })).await.unwrap();
        let seen: Vec<_> =
            changes.map(|c| c.unwrap()).map(|c| (c.kind(), c.key_value.unwrap().revision)).collect().await;
        assert_eq!(seen, [(EventKind::Put, 3), (EventKind::Put, 5), (EventKind::Delete, 6)]);
    }

    #[tokio::test]
    async fn a_revision_that_is_no_longer_kept_is_out_of_range() {
        let store = KeyValues::open();
        let request = WatchRequest { prefix: String::new(), from_revision: -1, limit: 1 };
        let mut changes = store.watch(Request::new(request)).await.unwrap().into_inner();
        assert_eq!(changes.next().await.unwrap().unwrap_err().code(), tonic::Code::OutOfRange);
        assert!(changes.next().await.is_none());
    }

    #[tokio::test]
    async fn a_put_at_the_wrong_revision_is_aborted() {
        let store = KeyValues::open();
        let put = PutRequest { key: "config/theme".into(), value: "light".into(), expected_revision: 99 };
        assert_eq!(store.put(Request::new(put)).await.unwrap_err().code(), tonic::Code::Aborted);
    }
}
