//! What a registration looks like in the store: JSON with its own version, beside descriptor sets by digest.

use super::Error;
use crate::model::{Contract, Digest, Lease, PlatformName, Producer, ProducerName, ServiceName, Version};
use crate::store::{self, Change, Table};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The forms that were ever written; a new form is a new variant, and the old ones stay readable.
#[derive(Serialize, Deserialize)]
#[serde(tag = "form")]
enum Form {
    #[serde(rename = "1")]
    One(One),
}

#[derive(Serialize, Deserialize)]
struct One {
    lease: String,
    /// `None` holds until it is deregistered.
    term: Option<Duration>,
    producer: Producer,
    versions: Vec<Version>,
}

/// The forms of a contract.
#[derive(Serialize, Deserialize)]
#[serde(tag = "form")]
enum ContractForm {
    #[serde(rename = "1")]
    One(Contract),
}

/// The forms of a claim on a service name.
#[derive(Serialize, Deserialize)]
#[serde(tag = "form")]
enum ClaimForm {
    #[serde(rename = "1")]
    One(ClaimOne),
}

#[derive(Serialize, Deserialize)]
struct ClaimOne {
    service: ServiceName,
    platform: PlatformName,
    since: Timestamp,
}

/// A registration as it was stored.
pub(super) struct Stored {
    pub(super) lease: Lease,
    pub(super) producer: Producer,
    pub(super) versions: Vec<Version>,
}

/// The change that keeps a registration.
pub(super) fn put(lease: &Lease, producer: Producer, versions: &[Version]) -> Result<Change, Error> {
    let key = key(&producer.name);
    let form =
        Form::One(One { lease: lease.id.clone(), term: lease.term, producer, versions: versions.to_vec() });
    Ok(Change::Put { table: Table::Producers, key, value: json(&form)?.into() })
}

/// Digest of all that a registration says, whenever and for however long it says it.
pub(super) fn content(producer: &Producer, versions: &[Version]) -> Result<Digest, Error> {
    let mut versions: Vec<_> = versions.iter().collect();
    versions.sort_by(|a, b| a.name.cmp(&b.name));
    let said = (&producer.identity, &producer.registrant, &producer.endpoints, versions);
    Ok(Digest::of(&json(&said)?))
}

/// The descriptor sets that versions need, each once.
pub(super) fn sets(versions: &[Version]) -> Arc<[Digest]> {
    versions.iter().filter_map(|version| version.descriptors).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The change that forgets a registration.
pub(super) fn delete(name: &ProducerName) -> Change {
    Change::Delete { table: Table::Producers, key: key(name) }
}

/// The change that keeps a descriptor set.
pub(super) fn put_descriptors(digest: Digest, bytes: Bytes) -> Change {
    Change::Put { table: Table::Descriptors, key: digest.as_bytes().to_vec(), value: bytes }
}

/// The change that forgets a descriptor set.
pub(super) fn delete_descriptors(digest: Digest) -> Change {
    Change::Delete { table: Table::Descriptors, key: digest.as_bytes().to_vec() }
}

/// Reads what [`put`] wrote.
pub(super) fn read(bytes: &[u8]) -> Result<Stored, serde_json::Error> {
    let Form::One(One { lease, term, producer, versions }) = serde_json::from_slice(bytes)?;
    let lease =
        Lease { id: lease, producer: producer.name.clone(), holder: producer.registrant.clone(), term };
    Ok(Stored { lease, producer, versions })
}

/// The change that remembers a contract.
pub(super) fn put_contract(contract: &Contract) -> Result<Change, Error> {
    let key = contract.name.to_string().into_bytes();
    let value = json(&ContractForm::One(contract.clone()))?.into();
    Ok(Change::Put { table: Table::Contracts, key, value })
}

/// Reads what [`put_contract`] wrote.
pub(super) fn read_contract(bytes: &[u8]) -> Result<Contract, serde_json::Error> {
    let ContractForm::One(contract) = serde_json::from_slice(bytes)?;
    Ok(contract)
}

/// The change that remembers since when a platform claims a service name.
pub(super) fn put_claim(
    service: &ServiceName,
    platform: &PlatformName,
    since: Timestamp,
) -> Result<Change, Error> {
    let form = ClaimForm::One(ClaimOne { service: service.clone(), platform: platform.clone(), since });
    Ok(Change::Put { table: Table::Claims, key: claim_key(service, platform), value: json(&form)?.into() })
}

/// Reads what [`put_claim`] wrote.
pub(super) fn read_claim(bytes: &[u8]) -> Result<(ServiceName, PlatformName, Timestamp), serde_json::Error> {
    let ClaimForm::One(ClaimOne { service, platform, since }) = serde_json::from_slice(bytes)?;
    Ok((service, platform, since))
}

/// The change that forgets a claim.
pub(super) fn delete_claim(service: &ServiceName, platform: &PlatformName) -> Change {
    Change::Delete { table: Table::Claims, key: claim_key(service, platform) }
}

/// Neither name has a space in it.
fn claim_key(service: &ServiceName, platform: &PlatformName) -> Vec<u8> {
    format!("{service} {platform}").into_bytes()
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    Ok(serde_json::to_vec(value).map_err(|e| store::Error::Refused(Arc::new(e)))?)
}

fn key(name: &ProducerName) -> Vec<u8> {
    name.to_string().into_bytes()
}
