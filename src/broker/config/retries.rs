//! How much is sent again when calls fail.

use super::reader::Table;
use super::schema;
use schemars::JsonSchema;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// How calls that failed are sent again. What surely reached nobody is always sent again; all else only for methods that are idempotent or whose service config says so.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Retries {
    /// Retries and hedges of a version, in percent of its calls: more would make an outage worse.
    #[schemars(default, range(max = 100), extend("default" = 20))]
    pub share_percent: u32,
    /// So many a second are always allowed, for each version and worker.
    #[schemars(default, range(max = 1000), extend("default" = 3))]
    pub at_least: u32,
    /// What is kept of one call, head and messages, until its answer begins; a larger call is sent once.
    #[schemars(schema_with = "schema::size", default, extend("default" = "64KiB"))]
    pub replay_bytes: u64,
    /// The same of all calls of one worker.
    #[schemars(schema_with = "schema::size", default, extend("default" = "64MiB"))]
    pub replay_bytes_in_all: u64,
}

impl Default for Retries {
    fn default() -> Self {
        Self { share_percent: 20, at_least: 3, replay_bytes: 64 * KIB, replay_bytes_in_all: 64 * MIB }
    }
}

pub(super) fn retries(table: &Table<'_>) -> Option<Retries> {
    let or = Retries::default();
    let count = |name, or: u32, most| table.get(name).map_or(Some(or.into()), |field| field.whole(0..=most));
    let size = |name, or, most| table.get(name).map_or(Some(or), |field| field.size(0..=most));
    let (share_percent, at_least) =
        (count("share_percent", or.share_percent, 100), count("at_least", or.at_least, 1000));
    let replay_bytes = size("replay_bytes", or.replay_bytes, 16 * MIB);
    let replay_bytes_in_all = size("replay_bytes_in_all", or.replay_bytes_in_all, 16 * 1024 * MIB);
    Some(Retries {
        share_percent: share_percent? as u32,
        at_least: at_least? as u32,
        replay_bytes: replay_bytes?,
        replay_bytes_in_all: replay_bytes_in_all?,
    })
}
