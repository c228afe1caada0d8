//! A map from hashes to values that is cheap to copy: a copy shares all shards, a change copies one.
//!
//! A million entries take sixteen bytes each; a persistent tree would take eight times that.

use std::sync::Arc;

/// The shards of a table: 2^10.
const SHARD_BITS: u32 = 10;

/// Values by hash, several to a hash. The hash must be keyed: strangers choose what is hashed.
#[derive(Debug, Clone)]
pub(super) struct Table<T> {
    shards: Vec<Arc<Vec<(u64, T)>>>,
}

impl<T: Clone> Table<T> {
    /// A table without entries.
    pub(super) fn new() -> Self {
        Self { shards: vec![Arc::default(); 1 << SHARD_BITS] }
    }

    /// The values under `hash`, in the order they were added.
    pub(super) fn get(&self, hash: u64) -> impl Iterator<Item = &T> {
        let shard = &self.shards[shard(hash)];
        let start = shard.partition_point(|(key, _)| *key < hash);
        shard[start..].iter().take_while(move |(key, _)| *key == hash).map(|(_, value)| value)
    }

    /// Adds a value under `hash`.
    pub(super) fn insert(&mut self, hash: u64, value: T) {
        let shard = Arc::make_mut(&mut self.shards[shard(hash)]);
        let end = shard.partition_point(|(key, _)| *key <= hash);
        if shard.len() == shard.capacity() {
            // Doubling would leave half of a big table empty.
            shard.reserve_exact(shard.len() / 16 + 1);
        }
        shard.insert(end, (hash, value));
    }

    /// Removes the values under `hash` that `is_it` names.
    pub(super) fn remove(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) {
        Arc::make_mut(&mut self.shards[shard(hash)]).retain(|(key, value)| *key != hash || !is_it(value));
    }
}

fn shard(hash: u64) -> usize {
    (hash >> (u64::BITS - SHARD_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_does_not_see_later_changes() {
        let mut table = Table::new();
        table.insert(7, "a");
        let copy = table.clone();
        table.insert(7, "b");
        table.insert(8, "c");
        table.remove(7, |value| *value == "a");
        assert_eq!(copy.get(7).collect::<Vec<_>>(), [&"a"]);
        assert_eq!(table.get(7).collect::<Vec<_>>(), [&"b"]);
        assert_eq!(table.get(8).count(), 1);
        assert_eq!(table.get(u64::MAX).count(), 0);
    }
}
