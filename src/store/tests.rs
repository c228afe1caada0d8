//! What the store promises, on real files and on a disk that loses power.

mod disk;
mod files;
mod kill;
mod power;

use super::*;

pub(super) fn put(key: &str, value: impl Into<Bytes>) -> Change {
    Change::Put { table: Table::Producers, key: key.into(), value: value.into() }
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}
