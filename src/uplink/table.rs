//! Endpoints by who and where they are.

use crate::model::{Address, Endpoint, Identity, Producer};
use std::collections::HashMap;

/// A table is searched for what is no longer used when it has grown to this, and then each time it has doubled.
pub(super) const ROOM: usize = 1024;

/// An endpoint: two producers that name the same are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) address: Address,
    pub(super) identity: Identity,
}

/// What is known by endpoint, without what nobody uses any more.
#[derive(Debug)]
pub(super) struct Table<T> {
    pub(super) rows: HashMap<Key, T>,
    /// From so many rows on it is searched for what is no longer used.
    full: usize,
}

impl Key {
    pub(super) fn of(producer: &Producer, endpoint: &Endpoint) -> Self {
        Self { address: endpoint.address.clone(), identity: producer.identity.clone() }
    }
}

impl<T> Table<T> {
    /// Puts a row; when there are many, those that are not used are taken out.
    pub(super) fn put(&mut self, key: Key, row: T, is_used: impl Fn(&T) -> bool) {
        if self.rows.len() >= self.full {
            self.rows.retain(|_, row| is_used(row));
            self.full = ROOM.max(self.rows.len() * 2);
        }
        self.rows.insert(key, row);
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: HashMap::new(), full: ROOM }
    }
}
