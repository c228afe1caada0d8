//! What a batch brings: records with their way, and what is no longer offered.

use super::pb;
use super::{
    LARGEST_CERTIFICATE, LONGEST_CHAIN, MOST_ITEMS, MOST_SIGNERS, at_most, key, missing, origin, parse_key,
    parse_origin, parse_stamp, stamp, wrong,
};
use crate::model::sync::{Batch, Item, Reason, Signer};
use crate::model::{
    BrokerId, Digest, LARGEST_BODY, LONGEST_PATH, Path, Rejection, Signed, Travel, Violation,
};
use std::borrow::Cow;

/// The longest signature, in bytes: ECDSA over P-384 in DER is shorter, Ed25519 too.
const LONGEST_SIGNATURE: usize = 128;

/// A record on the wire, as its origin signed it.
pub fn signed(signed: &Signed) -> pb::SignedRecord {
    pb::SignedRecord {
        body: signed.body.clone(),
        signature: signed.signature.clone(),
        scheme: signed.scheme.into(),
        signer: signed.signer.as_bytes().to_vec().into(),
    }
}

pub(super) fn batch(batch: &Batch) -> pb::Batch {
    pb::Batch {
        number: batch.number,
        origin: Some(origin(&batch.origin)),
        signers: batch.signers.iter().map(|signer| pb::Signer { chain: signer.chain.clone() }).collect(),
        items: batch.items.iter().map(item).collect(),
    }
}

pub(super) fn parse_batch(batch: pb::Batch) -> Result<Batch, Violation> {
    at_most("batch.items", batch.items.len(), MOST_ITEMS)?;
    at_most("batch.signers", batch.signers.len(), MOST_SIGNERS)?;
    Ok(Batch {
        number: batch.number,
        origin: parse_origin("batch.origin", batch.origin)?,
        signers: batch.signers.into_iter().map(parse_signer).collect::<Result<_, _>>()?,
        items: batch.items.into_iter().map(parse_item).collect(),
    })
}

pub(super) fn item(item: &Item) -> pb::Item {
    use pb::item::Item as Form;
    let form = match item {
        Item::Record { signed: record, travel } => Some(Form::Record(pb::TravellingRecord {
            signed: Some(signed(record)),
            path: travel.path.brokers().iter().map(ToString::to_string).collect(),
            only_to_customers: travel.only_to_customers.as_ref().map(ToString::to_string).unwrap_or_default(),
        })),
        Item::OutOfScope { key: gone, stamp: at } => {
            Some(Form::OutOfScope(pb::OutOfScope { key: Some(key(gone)), stamp: Some(stamp(*at)) }))
        }
        Item::Unreadable(_) => None,
    };
    pb::Item { item: form }
}

/// Reads an item. What cannot be read is an item too, so that it alone is refused and the count stays true.
pub(super) fn parse_item(item: pb::Item) -> Item {
    use pb::item::Item as Form;
    let read = match item.item {
        Some(Form::Record(record)) => parse_record(record),
        Some(Form::OutOfScope(gone)) => parse_out_of_scope(gone),
        None => Err(unreadable(missing("item"))),
    };
    read.unwrap_or_else(Item::Unreadable)
}

fn parse_record(record: pb::TravellingRecord) -> Result<Item, Reason> {
    let signed = record.signed.ok_or_else(|| unreadable(missing("signed")))?;
    let signed = parse_signed(signed)?;
    let travel = parse_travel(record.path, &record.only_to_customers).map_err(unreadable)?;
    Ok(Item::Record { signed, travel })
}

fn parse_signed(record: pb::SignedRecord) -> Result<Signed, Reason> {
    if record.body.len() > LARGEST_BODY {
        return Err(Reason::from(&Rejection::TooLarge { size: record.body.len(), limit: LARGEST_BODY }));
    }
    let signer: Result<[u8; 32], _> = record.signer.as_ref().try_into();
    let signer = signer.map_err(|_| unreadable(wrong("signed.signer", "a digest has 32 bytes")))?;
    let scheme = u16::try_from(record.scheme);
    let scheme = scheme.map_err(|_| unreadable(wrong("signed.scheme", "a scheme has 16 bits")))?;
    if record.signature.len() > LONGEST_SIGNATURE {
        return Err(unreadable(wrong("signed.signature", "it is longer than any signature")));
    }
    Ok(Signed { body: record.body, signature: record.signature, scheme, signer: Digest::from(signer) })
}

fn parse_travel(path: Vec<String>, only_to_customers: &str) -> Result<Travel, Violation> {
    at_most("path", path.len(), LONGEST_PATH)?;
    let broker = |field: &str, text: &str| BrokerId::parse(text).map_err(|e| wrong(field, e.to_string()));
    let path = path.iter().map(|id| broker("path", id)).collect::<Result<Vec<_>, _>>()?;
    let only_to_customers = match only_to_customers {
        "" => None,
        id => Some(broker("only_to_customers", id)?),
    };
    Ok(Travel { path: Path::new(path), only_to_customers })
}

fn parse_out_of_scope(gone: pb::OutOfScope) -> Result<Item, Reason> {
    let key = parse_key("out_of_scope.key", gone.key).map_err(unreadable)?;
    Ok(Item::OutOfScope { key, stamp: parse_stamp(gone.stamp) })
}

fn parse_signer(signer: pb::Signer) -> Result<Signer, Violation> {
    at_most("batch.signers.chain", signer.chain.len(), LONGEST_CHAIN)?;
    if signer.chain.iter().any(|certificate| certificate.len() > LARGEST_CERTIFICATE) {
        return Err(wrong("batch.signers.chain", "a certificate has at most 16 KiB"));
    }
    Ok(Signer { chain: signer.chain })
}

fn unreadable(violation: Violation) -> Reason {
    let rejection = Rejection::Malformed(violation.to_string());
    Reason { code: Cow::Borrowed(rejection.reason()), text: rejection.to_string() }
}
