//! The signed body of a record.

use super::super::catalog::{parse_stage, stage};
use super::super::time::{parse_timestamp, timestamp};
use super::pb;
use super::{key, parse_key, parse_stamp, stamp};
use crate::model::{Head, LARGEST_BODY, MOST_LABELS, Rejection, Scope, Topic};
use bytes::Bytes;
use prost::Message;

/// Bytes of a label's key and of its value.
const LONGEST_LABEL: usize = 256;

/// The bytes that an origin signs: the same each time for the same words.
pub fn body(head: &Head, payload: &Bytes) -> Bytes {
    let scope = pb::RecordScope {
        stage: head.scope.stage.map_or(0, |s| stage(s).into()),
        labels: head.scope.labels.clone(),
    };
    let body = pb::RecordBody {
        key: Some(key(&head.key)),
        stamp: Some(stamp(head.stamp)),
        deleted: head.is_deleted,
        scope: Some(scope).filter(|scope| *scope != pb::RecordScope::default()),
        write_time: Some(timestamp(head.written)),
        payload: payload.clone(),
    };
    body.encode_to_vec().into()
}

/// Reads a body: its head, and its payload as a slice of it. Names are held to their kinds; kinds that are not known
/// here pass.
pub fn parse_body(body: &Bytes) -> Result<(Head, Bytes), Rejection> {
    if body.len() > LARGEST_BODY {
        return Err(Rejection::TooLarge { size: body.len(), limit: LARGEST_BODY });
    }
    let malformed = |reason: &str| Rejection::Malformed(reason.to_owned());
    let read = pb::RecordBody::decode(body.clone()).map_err(|e| malformed(&e.to_string()))?;
    let key = parse_key("key", read.key).map_err(|v| malformed(&v.to_string()))?;
    // The name is told first: a payload or a rule never decides what a record is about.
    Topic::parse(key.kind, &key.name).map_err(|e| malformed(&e.to_string()))?;
    if read.deleted && !read.payload.is_empty() {
        return Err(malformed("a tombstone has no payload"));
    }
    let stamp = parse_stamp(read.stamp);
    if stamp.epoch == 0 || stamp.sequence == 0 {
        return Err(malformed("its stamp is not set"));
    }
    let written = read.write_time.and_then(parse_timestamp);
    let head = Head {
        scope: parse_scope(read.scope.unwrap_or_default())?,
        key,
        stamp,
        is_deleted: read.deleted,
        written: written.ok_or_else(|| malformed("its write_time is not an instant"))?,
    };
    Ok((head, read.payload))
}

fn parse_scope(scope: pb::RecordScope) -> Result<Scope, Rejection> {
    let fits = |(key, value): (&String, &String)| key.len() <= LONGEST_LABEL && value.len() <= LONGEST_LABEL;
    if scope.labels.len() > MOST_LABELS || !scope.labels.iter().all(fits) {
        return Err(Rejection::Malformed("it has too many labels, or too long ones".to_owned()));
    }
    // A stage that only a newer broker knows is none: no rule that asks for a stage lets it pass.
    Ok(Scope { stage: parse_stage(scope.stage), labels: scope.labels })
}
