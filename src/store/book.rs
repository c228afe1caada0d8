//! The tables of the file: what stands where, and how a value carries its sequence.

use super::{Change, Contents, Record, Table};
use bytes::Bytes;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

/// The format that this program writes, and the newest that it reads. Format 1 had only `producers` and `descriptors`,
/// format 2 no `records` and `peering`.
pub(super) const FORMAT: u32 = 3;

type Bytewise = TableDefinition<'static, &'static [u8], &'static [u8]>;

const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");

const TABLES: [Table; 8] = [
    Table::Producers,
    Table::Descriptors,
    Table::Contracts,
    Table::Claims,
    Table::Resources,
    Table::Usage,
    Table::Records,
    Table::Peering,
];

impl Table {
    fn definition(self) -> Bytewise {
        TableDefinition::new(match self {
            Table::Producers => "producers",
            Table::Descriptors => "descriptors",
            Table::Contracts => "contracts",
            Table::Claims => "claims",
            Table::Resources => "resources",
            Table::Usage => "usage",
            Table::Records => "records",
            Table::Peering => "peering",
        })
    }
}

/// Lays the tables of a new file.
pub(super) fn lay(database: &Database, epoch: u64) -> Result<(), redb::Error> {
    let transaction = begin(database)?;
    {
        let mut meta = transaction.open_table(META)?;
        meta.insert("format", u64::from(FORMAT))?;
        meta.insert("epoch", epoch)?;
        meta.insert("sequence", 0)?;
        for table in TABLES {
            transaction.open_table(table.definition())?;
        }
    }
    Ok(transaction.commit()?)
}

/// Brings a file of an older format to this one; what it holds stays.
pub(super) fn upgrade(database: &Database) -> Result<(), redb::Error> {
    let transaction = begin(database)?;
    for table in TABLES {
        transaction.open_table(table.definition())?;
    }
    transaction.open_table(META)?.insert("format", u64::from(FORMAT))?;
    Ok(transaction.commit()?)
}

/// The format of the file; `None` if no table says one.
pub(super) fn format(database: &Database) -> Result<Option<u64>, redb::Error> {
    let meta = match database.begin_read()?.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    Ok(meta.get("format")?.map(|format| format.value()))
}

/// The number of the last commit.
pub(super) fn sequence(database: &Database) -> Result<u64, redb::Error> {
    let meta = database.begin_read()?.open_table(META)?;
    number(&meta, "sequence")
}

/// All that the file holds.
pub(super) fn read(database: &Database) -> Result<Contents, redb::Error> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let all =
        |table: Table| -> Result<_, redb::Error> { records(&transaction.open_table(table.definition())?) };
    Ok(Contents {
        epoch: number(&meta, "epoch")?,
        sequence: number(&meta, "sequence")?,
        producers: all(Table::Producers)?,
        descriptors: all(Table::Descriptors)?,
        contracts: all(Table::Contracts)?,
        claims: all(Table::Claims)?,
        resources: all(Table::Resources)?,
        usage: all(Table::Usage)?,
        records: all(Table::Records)?,
        peering: all(Table::Peering)?,
    })
}

/// Writes one transaction for all of `commits`; each has its own number, counted on from `last`.
pub(super) fn write<'a>(
    database: &Database,
    last: u64,
    commits: impl Iterator<Item = &'a [Change]>,
) -> Result<u64, redb::Error> {
    let transaction = begin(database)?;
    let mut sequence = last;
    for changes in commits {
        sequence += 1;
        for change in changes {
            match change {
                Change::Put { table, key, value } => {
                    let stamped = stamped(sequence, value);
                    transaction.open_table(table.definition())?.insert(key.as_slice(), stamped.as_slice())?;
                }
                Change::Delete { table, key } => {
                    transaction.open_table(table.definition())?.remove(key.as_slice())?;
                }
            }
        }
    }
    transaction.open_table(META)?.insert("sequence", sequence)?;
    transaction.commit()?;
    Ok(sequence)
}

/// Two phases, because strangers choose the bytes that we store, and redb's one-phase commit trusts a checksum that
/// is no protection against chosen bytes. It also lets redb tell a damaged last commit from an unfinished one.
fn begin(database: &Database) -> Result<redb::WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

fn number(meta: &impl ReadableTable<&'static str, u64>, key: &'static str) -> Result<u64, redb::Error> {
    let value = meta.get(key)?.map(|value| value.value());
    value.ok_or_else(|| redb::Error::Corrupted(format!("meta has no {key}")))
}

fn records(table: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<Vec<Record>, redb::Error> {
    let mut found = Vec::new();
    for entry in table.iter()? {
        let (key, value) = entry?;
        let (stamp, value) = value
            .value()
            .split_first_chunk::<8>()
            .ok_or_else(|| redb::Error::Corrupted("a value is shorter than its sequence".to_owned()))?;
        found.push(Record {
            key: key.value().to_vec(),
            sequence: u64::from_be_bytes(*stamp),
            value: Bytes::copy_from_slice(value),
        });
    }
    Ok(found)
}

fn stamped(sequence: u64, value: &[u8]) -> Vec<u8> {
    [&sequence.to_be_bytes(), value].concat()
}
