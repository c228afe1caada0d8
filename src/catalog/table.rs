//! Service names to claims: a persistent hash table whose look-ups touch few cache lines.
//!
//! Every routed call looks up one name, at random among all. Two levels of fixed width stay in the cache; what misses it
//! is one short row of entries, and the name and the claims behind the entry that fits. (A trie of small nodes misses at
//! each level: it took half as long again.)

use super::Claims;
use crate::model::ServiceName;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

const WIDTH: usize = 64;
/// Bits of a hash that choose among `WIDTH`.
const BITS: u32 = WIDTH.trailing_zeros();

type Row = Arc<[Entry]>;
type Shelf = Arc<[Row; WIDTH]>;

/// Cloning is cheap: rows are shared until they differ.
#[derive(Debug, Clone)]
pub(super) struct Table {
    hasher: RandomState,
    shelves: Arc<[Shelf; WIDTH]>,
}

#[derive(Debug, Clone)]
struct Entry {
    hash: u64,
    name: ServiceName,
    claims: Arc<Claims>,
}

/// One empty table for all, so that an empty one costs nothing.
static EMPTY: LazyLock<Table> = LazyLock::new(|| {
    let row: Row = Arc::new([]);
    let shelf: Shelf = Arc::new(std::array::from_fn(|_| row.clone()));
    Table { hasher: RandomState::new(), shelves: Arc::new(std::array::from_fn(|_| shelf.clone())) }
});

impl Default for Table {
    fn default() -> Self {
        EMPTY.clone()
    }
}

impl Table {
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Claims>> {
        let hash = self.hasher.hash_one(name);
        let (shelf, row) = place(hash);
        let row = &self.shelves[shelf][row];
        row.iter().find(|e| e.hash == hash && e.name.as_str() == name).map(|entry| &entry.claims)
    }

    pub(super) fn insert(&mut self, name: ServiceName, claims: Arc<Claims>) {
        let hash = self.hasher.hash_one(name.as_str());
        self.edit(hash, &name.clone(), Some(Entry { hash, name, claims }));
    }

    pub(super) fn remove(&mut self, name: &ServiceName) {
        self.edit(self.hasher.hash_one(name.as_str()), name, None);
    }

    /// All names with their claims, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&ServiceName, &Arc<Claims>)> {
        let rows = self.shelves.iter().flat_map(|shelf| shelf.iter());
        rows.flat_map(|row| row.iter()).map(|entry| (&entry.name, &entry.claims))
    }

    fn edit(&mut self, hash: u64, name: &ServiceName, new: Option<Entry>) {
        let (shelf, row) = place(hash);
        let row = &mut Arc::make_mut(&mut Arc::make_mut(&mut self.shelves)[shelf])[row];
        let others = row.iter().filter(|entry| entry.name != *name).cloned();
        *row = others.chain(new).collect();
    }
}

/// The shelf and the row of a hash, by its highest bits.
fn place(hash: u64) -> (usize, usize) {
    let digit = |level: u32| (hash >> (u64::BITS - BITS * level)) as usize % WIDTH;
    (digit(1), digit(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// It holds what a map holds, and what was cloned before stays as it was.
        #[test]
        fn it_is_a_map_and_its_past_stays(steps in proptest::collection::vec((0..40u8, any::<bool>()), 1..200)) {
            let mut table = Table::default();
            let mut map = BTreeMap::new();
            for (n, insert) in steps {
                let (before, past) = (table.clone(), map.clone());
                let name = ServiceName::parse(&format!("acme.S{n}")).unwrap();
                if insert {
                    let claims = Arc::new(Claims::default());
                    table.insert(name.clone(), claims.clone());
                    map.insert(name, claims);
                } else {
                    table.remove(&name);
                    map.remove(&name);
                }
                for (table, map) in [(&before, &past), (&table, &map)] {
                    prop_assert_eq!(table.iter().count(), map.len());
                    for (name, claims) in map {
                        prop_assert!(Arc::ptr_eq(table.get(name.as_str()).unwrap(), claims));
                    }
                }
            }
            prop_assert!(table.get("acme.Never").is_none());
        }
    }
}
