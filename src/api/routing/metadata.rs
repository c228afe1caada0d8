//! The metadata that a call would bring, as a question about its route tells them.

use crate::api::fault::Fault;
use crate::model::Violation;
use crate::wire::pb::portolan::routing::v1 as pb;
use http::{HeaderMap, HeaderName, HeaderValue};

/// So many are read; no call needs more to find its way.
const MOST: usize = 64;
/// So many bytes of names and values together: what many servers take as headers.
const BYTES: usize = 8 << 10;

/// Reads them; all that are wrong are named.
pub(super) fn read(metadata: &[pb::Metadata]) -> Result<HeaderMap, Fault> {
    let bytes: usize = metadata.iter().map(|one| one.key.len() + one.value.len()).sum();
    if metadata.len() > MOST || bytes > BYTES {
        let message = format!("at most {MOST} are read, of {BYTES} bytes together");
        let violation = Violation::new("metadata", "TOO_LARGE", message);
        return Err(
            Fault::invalid("BAD_METADATA", "metadata are too many, or too long").violations([violation])
        );
    }
    let mut read = HeaderMap::with_capacity(metadata.len());
    let mut wrong = Vec::new();
    for (nth, one) in metadata.iter().enumerate() {
        match name(&one.key) {
            Ok(name) => match HeaderValue::from_str(&one.value) {
                Ok(value) => drop(read.append(name, value)),
                Err(_) => {
                    wrong.push(at(nth, "value", "MALFORMED", "write visible ASCII, and base64 for -bin"))
                }
            },
            Err(violation) => wrong.push(at(nth, "key", violation.0, violation.1)),
        }
    }
    match wrong.first() {
        None => Ok(read),
        Some(Violation { field, message, .. }) => {
            Err(Fault::invalid("BAD_METADATA", format!("{field}: {message}")).violations(wrong))
        }
    }
}

/// The name of a key, or why it is none.
fn name(key: &str) -> Result<HeaderName, (&'static str, &'static str)> {
    if key.starts_with("portolan-") {
        return Err(("USE_FIELD", "what a call says by portolan-… has a field of its own"));
    }
    HeaderName::from_lowercase(key.as_bytes())
        .map_err(|_| ("MALFORMED", "write lower-case letters, digits, _, - and ."))
}

fn at(nth: usize, field: &str, reason: &'static str, message: &str) -> Violation {
    Violation::new(format!("metadata[{nth}].{field}"), reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::StatusExt;

    fn metadata(pairs: &[(&str, &str)]) -> Vec<pb::Metadata> {
        pairs.iter().map(|(key, value)| pb::Metadata { key: (*key).into(), value: (*value).into() }).collect()
    }

    fn refused(metadata: &[pb::Metadata]) -> Vec<(String, String)> {
        let details = tonic::Status::from(read(metadata).unwrap_err()).get_error_details();
        let violations = &details.bad_request().unwrap().field_violations;
        violations.iter().map(|v| (v.field.clone(), v.description.clone())).collect()
    }

    #[test]
    fn they_are_read_as_a_call_brings_them() {
        let read = read(&metadata(&[("session-id", "a b"), ("session-id", "c"), ("x-bin", "AAEC")])).unwrap();
        let values: Vec<_> = read.get_all("session-id").iter().collect();
        assert_eq!(values, ["a b", "c"]);
        assert_eq!(read["x-bin"], "AAEC");
    }

    #[test]
    fn every_one_that_no_call_could_bring_is_named() {
        let bad =
            [("ok", "x"), ("", "x"), ("A", "x"), ("a b", "x"), ("a", "\r\n"), ("portolan-version", "^1")];
        let fields: Vec<_> = refused(&metadata(&bad)).into_iter().map(|(field, _)| field).collect();
        let wanted =
            ["metadata[1].key", "metadata[2].key", "metadata[3].key", "metadata[4].value", "metadata[5].key"];
        assert_eq!(fields, wanted);
    }

    #[test]
    fn there_is_an_end_to_them() {
        let many = vec![("a", "x"); MOST + 1];
        let long = "x".repeat(BYTES);
        for bad in [metadata(&many), metadata(&[("a", &long)])] {
            assert_eq!(refused(&bad)[0].0, "metadata");
        }
        assert!(read(&metadata(&many[1..])).is_ok());
    }
}
