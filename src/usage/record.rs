//! What the book looks like in the store: one value for each pair of version and consumer.

use super::days::Days;
use crate::model::{Identity, TrustDomain, VersionName};
use crate::store::{Change, Record, Table};
use serde::{Deserialize, Serialize};

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) version: VersionName,
    /// `None`: those who were too many to be told apart.
    pub(super) consumer: Option<Identity>,
}

/// The forms that were ever written, told apart by the number in front.
#[derive(Serialize, Deserialize)]
struct Stored(u8, Days);

const FORM: u8 = 1;

/// Reads a stored count; `None` if it is not one that this program knows.
pub(super) fn read(record: &Record) -> Option<(Key, Days)> {
    let text = std::str::from_utf8(&record.key).ok()?;
    let mut parts = text.split('\0');
    let (version, domain, name) = (parts.next()?, parts.next()?, parts.next()?);
    let consumer = match domain {
        "" => None,
        domain => Some(Identity::parse(name, &TrustDomain::parse(domain).ok()?).ok()?),
    };
    let key = Key { version: VersionName::parse(version).ok()?, consumer };
    let Stored(form, days) = serde_json::from_slice(&record.value).ok()?;
    (form == FORM && parts.next().is_none()).then_some((key, days))
}

/// The change that makes the store say the same; nothing to say deletes.
pub(super) fn change(key: &Key, days: Option<Days>) -> Change {
    let table = Table::Usage;
    let (domain, name) = match &key.consumer {
        Some(consumer) => (consumer.trust_domain.as_str(), consumer.to_string()),
        None => ("", String::new()),
    };
    let bytes = format!("{}\0{domain}\0{name}", key.version).into_bytes();
    // Numbers alone always have a JSON form.
    let value = days.and_then(|days| serde_json::to_vec(&Stored(FORM, days)).ok());
    match value {
        Some(value) => Change::Put { table, key: bytes, value: value.into() },
        None => Change::Delete { table, key: bytes },
    }
}
