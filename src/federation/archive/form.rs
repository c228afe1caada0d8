//! The stored forms: protobuf, so that a newer broker may add to them.

use super::{Contents, Entry, Evidence, Past, Way, record};
use crate::model::sync::{Position, Signer};
use crate::model::{BrokerId, Digest, Origin, Path, RecordKey, Signed, Stamp, Travel, TrustDomain};
use bytes::Bytes;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;

pub(super) const INCARNATION: &[u8] = b"incarnation\0";
const ORIGIN: &[u8] = b"origin\0";
const POSITION: &[u8] = b"position\0";
const SIGNER: &[u8] = b"signer\0";
const EVIDENCE: &[u8] = b"evidence\0";

#[derive(Clone, PartialEq, Message)]
struct StoredSigned {
    #[prost(bytes = "bytes", tag = "1")]
    body: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    signature: Bytes,
    #[prost(uint32, tag = "3")]
    scheme: u32,
    #[prost(bytes = "bytes", tag = "4")]
    signer: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct StoredEntry {
    #[prost(message, optional, tag = "1")]
    signed: Option<StoredSigned>,
    #[prost(message, repeated, tag = "2")]
    ways: Vec<StoredWay>,
    #[prost(uint64, tag = "3")]
    revision: u64,
    #[prost(string, repeated, tag = "4")]
    told: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    gone: Vec<String>,
    /// Milliseconds since the Unix epoch, plus one; 0 is none.
    #[prost(uint64, tag = "6")]
    retired: u64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredWay {
    #[prost(string, tag = "1")]
    peer: String,
    #[prost(string, repeated, tag = "2")]
    path: Vec<String>,
    #[prost(string, tag = "3")]
    only_to_customers: String,
    #[prost(message, required, tag = "4")]
    stamp: StoredStamp,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct StoredStamp {
    #[prost(uint64, tag = "1")]
    epoch: u64,
    #[prost(uint64, tag = "2")]
    sequence: u64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredPast {
    #[prost(message, required, tag = "1")]
    newest: StoredStamp,
    #[prost(message, required, tag = "2")]
    floor: StoredStamp,
    #[prost(uint64, tag = "3")]
    horizon: u64,
    #[prost(bool, tag = "4")]
    is_whole: bool,
}

#[derive(Clone, PartialEq, Message)]
struct StoredPosition {
    #[prost(message, required, tag = "1")]
    stamp: StoredStamp,
    #[prost(uint64, tag = "2")]
    log: u64,
    #[prost(uint64, tag = "3")]
    cursor: u64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredSigner {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    chain: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredEvidence {
    #[prost(message, required, tag = "1")]
    kept: StoredSigned,
    #[prost(message, required, tag = "2")]
    refused: StoredSigned,
    #[prost(string, tag = "3")]
    from: String,
}

/// The key of a record: an origin's records stand together, in the order of a batch.
pub(super) fn record_key(key: &RecordKey) -> Vec<u8> {
    [&origin_word(&key.origin)[..], b"\0", &key.kind.number().to_be_bytes()[..], key.name.as_str().as_bytes()]
        .concat()
}

pub(super) fn origin_key(origin: &Origin) -> Vec<u8> {
    [ORIGIN, &origin_word(origin)].concat()
}

pub(super) fn position_key(peer: &BrokerId, origin: &Origin) -> Vec<u8> {
    [POSITION, peer.as_str().as_bytes(), b"\0", &origin_word(origin)].concat()
}

pub(super) fn signer_key(signer: &Digest) -> Vec<u8> {
    [SIGNER, signer.as_bytes()].concat()
}

pub(super) fn evidence_key(evidence: &Evidence) -> Vec<u8> {
    [EVIDENCE, Digest::of(&evidence.refused.body).as_bytes()].concat()
}

pub(super) fn entry(entry: &Entry) -> Bytes {
    let words = |brokers: &[BrokerId]| brokers.iter().map(ToString::to_string).collect();
    let way = |way: &Way| StoredWay {
        peer: way.peer.to_string(),
        path: words(way.travel.path.brokers()),
        only_to_customers: way.travel.only_to_customers.as_ref().map(ToString::to_string).unwrap_or_default(),
        stamp: stamp(way.stamp),
    };
    let millis = |since: Duration| u64::try_from(since.as_millis()).unwrap_or(u64::MAX - 1);
    let stored = StoredEntry {
        signed: Some(signed(&entry.record.signed)),
        ways: entry.ways.iter().map(way).collect(),
        revision: entry.revision,
        told: words(&entry.told),
        gone: words(&entry.gone),
        retired: entry.retired.map_or(0, |since| millis(since).saturating_add(1)),
    };
    stored.encode_to_vec().into()
}

pub(super) fn read_entry(value: &Bytes) -> Result<Entry, String> {
    let stored = StoredEntry::decode(value.clone()).map_err(|e| e.to_string())?;
    let way = |way: StoredWay| {
        let only_to_customers = Some(way.only_to_customers).filter(|id| !id.is_empty());
        let only_to_customers = only_to_customers.map(|id| broker(&id)).transpose()?;
        let path = Path::new(brokers(&way.path)?);
        let travel = Travel { path, only_to_customers };
        Ok::<_, String>(Way { peer: broker(&way.peer)?, travel, stamp: read_stamp(way.stamp) })
    };
    Ok(Entry {
        record: Arc::new(record(read_signed(stored.signed.ok_or("it has no record")?)?)?),
        ways: stored.ways.into_iter().map(way).collect::<Result<_, _>>()?,
        revision: stored.revision,
        told: brokers(&stored.told)?,
        gone: brokers(&stored.gone)?,
        retired: stored.retired.checked_sub(1).map(Duration::from_millis),
    })
}

pub(super) fn past(past: &Past) -> Bytes {
    let stored = StoredPast {
        newest: stamp(past.newest),
        floor: stamp(past.floor),
        horizon: past.horizon,
        is_whole: past.is_whole,
    };
    stored.encode_to_vec().into()
}

pub(super) fn position(position: Position) -> Bytes {
    let Position { stamp: at, log, cursor } = position;
    StoredPosition { stamp: stamp(at), log, cursor }.encode_to_vec().into()
}

pub(super) fn signer(signer: &Signer) -> Bytes {
    StoredSigner { chain: signer.chain.clone() }.encode_to_vec().into()
}

pub(super) fn evidence(evidence: &Evidence) -> Bytes {
    let stored = StoredEvidence {
        kept: signed(&evidence.kept),
        refused: signed(&evidence.refused),
        from: evidence.from.to_string(),
    };
    stored.encode_to_vec().into()
}

/// Reads one row of the table `peering`. Rows that only a newer broker knows are left alone.
pub(super) fn read_peering(read: &mut Contents, key: &[u8], value: &Bytes) -> Result<(), String> {
    if key == INCARNATION {
        let raw: Result<[u8; 8], _> = value.as_ref().try_into();
        read.incarnation = raw.map(u64::from_be_bytes).map_err(|_| "it has not eight bytes".to_owned())?;
    } else if let Some(word) = key.strip_prefix(ORIGIN) {
        let stored: StoredPast = decode(value)?;
        let past = Past {
            newest: read_stamp(stored.newest),
            floor: read_stamp(stored.floor),
            horizon: stored.horizon,
            is_whole: stored.is_whole,
        };
        read.origins.push((read_origin(word)?, past));
    } else if let Some(words) = key.strip_prefix(POSITION) {
        let at = words.iter().position(|b| *b == 0).ok_or("it names no origin")?;
        let peer = broker(&String::from_utf8_lossy(&words[..at]))?;
        let StoredPosition { stamp, log, cursor } = decode(value)?;
        let position = Position { stamp: read_stamp(stamp), log, cursor };
        read.positions.push((peer, read_origin(&words[at + 1..])?, position));
    } else if key.starts_with(SIGNER) {
        read.signers.push(Signer { chain: decode::<StoredSigner>(value)?.chain });
    } else if key.starts_with(EVIDENCE) {
        let stored: StoredEvidence = decode(value)?;
        let (kept, refused) = (read_signed(stored.kept)?, read_signed(stored.refused)?);
        read.evidence.push(Evidence { kept, refused, from: broker(&stored.from)? });
    }
    Ok(())
}

fn decode<T: Message + Default>(value: &Bytes) -> Result<T, String> {
    T::decode(value.clone()).map_err(|e| e.to_string())
}

fn signed(signed: &Signed) -> StoredSigned {
    StoredSigned {
        body: signed.body.clone(),
        signature: signed.signature.clone(),
        scheme: signed.scheme.into(),
        signer: Bytes::copy_from_slice(signed.signer.as_bytes()),
    }
}

fn read_signed(stored: StoredSigned) -> Result<Signed, String> {
    let signer: Result<[u8; 32], _> = stored.signer.as_ref().try_into();
    Ok(Signed {
        body: stored.body,
        signature: stored.signature,
        scheme: u16::try_from(stored.scheme).map_err(|e| e.to_string())?,
        signer: signer.map(Digest::from).map_err(|_| "its signer has not 32 bytes".to_owned())?,
    })
}

fn stamp(stamp: Stamp) -> StoredStamp {
    StoredStamp { epoch: stamp.epoch, sequence: stamp.sequence }
}

fn read_stamp(stored: StoredStamp) -> Stamp {
    Stamp { epoch: stored.epoch, sequence: stored.sequence }
}

fn origin_word(origin: &Origin) -> Vec<u8> {
    [origin.trust_domain.as_str().as_bytes(), b"\0", origin.broker.as_str().as_bytes()].concat()
}

fn read_origin(word: &[u8]) -> Result<Origin, String> {
    let at = word.iter().position(|b| *b == 0).ok_or("it names no broker")?;
    let trust_domain =
        TrustDomain::parse(&String::from_utf8_lossy(&word[..at])).map_err(|e| e.to_string())?;
    Ok(Origin { trust_domain, broker: broker(&String::from_utf8_lossy(&word[at + 1..]))? })
}

fn broker(text: &str) -> Result<BrokerId, String> {
    BrokerId::parse(text).map_err(|e| e.to_string())
}

fn brokers(texts: &[String]) -> Result<Vec<BrokerId>, String> {
    texts.iter().map(|text| broker(text)).collect()
}
