//! Which fields of an answer a caller wants (AIP-157).

use super::fault::Fault;
use crate::wire::DESCRIPTORS;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};
use prost_types::FieldMask;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// No mask names more paths.
const MOST_PATHS: usize = 100;
/// No path is longer, in bytes.
const LONGEST_PATH: usize = 256;

static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).ok());

/// The fields that are sent; the others are left empty.
#[derive(Debug)]
pub(super) struct Mask {
    message: MessageDescriptor,
    wanted: Wanted,
}

/// What is wanted of one thing.
#[derive(Debug)]
enum Wanted {
    All,
    /// Fields of a message, or keys of a map, each with what is wanted inside it.
    Some(BTreeMap<String, Wanted>),
}

impl Mask {
    /// Reads a mask over a message of ours; empty is everything, as is `*`.
    pub(super) fn parse(mask: Option<&FieldMask>, message: &str) -> Result<Self, Fault> {
        let known = POOL.as_ref().and_then(|pool| pool.get_message_by_name(message));
        let message = known.ok_or_else(|| Fault::internal("UNKNOWN_MESSAGE", "the message is not known"))?;
        let paths = mask.map_or(&[][..], |mask| &mask.paths);
        if paths.len() > MOST_PATHS || paths.iter().any(|path| path.len() > LONGEST_PATH) {
            let most = format!(
                "read_mask has more than {MOST_PATHS} paths, or one longer than {LONGEST_PATH} bytes"
            );
            return Err(Fault::invalid("INVALID_READ_MASK", most));
        }
        let mut wanted = Wanted::Some(BTreeMap::new());
        for path in paths.iter().filter(|path| *path != "*") {
            check(path, &message)?;
            wanted.add(path.split('.'));
        }
        if paths.is_empty() || paths.iter().any(|path| path == "*") {
            wanted = Wanted::All;
        }
        Ok(Self { message, wanted })
    }

    /// Leaves only what is wanted.
    pub(super) fn apply<M: Message + Default>(&self, whole: M) -> Result<M, Fault> {
        let Wanted::Some(fields) = &self.wanted else { return Ok(whole) };
        let failed = |_| Fault::internal("MASK_FAILED", "the answer cannot be cut");
        let bytes = whole.encode_to_vec();
        let mut message = DynamicMessage::decode(self.message.clone(), bytes.as_slice()).map_err(failed)?;
        cut(&mut message, fields);
        M::decode(message.encode_to_vec().as_slice()).map_err(failed)
    }
}

impl Wanted {
    fn add<'a>(&mut self, mut path: impl Iterator<Item = &'a str>) {
        match (self, path.next()) {
            // A path that is part of another takes it in, whichever comes first.
            (Self::All, _) => {}
            (wanted, None) => *wanted = Self::All,
            (Self::Some(parts), Some(part)) => {
                parts.entry(part.to_owned()).or_insert(Self::Some(BTreeMap::new())).add(path);
            }
        }
    }
}

/// Refuses a path that leads nowhere.
fn check(path: &str, message: &MessageDescriptor) -> Result<(), Fault> {
    let refuse = |what: String| Fault::invalid("INVALID_READ_MASK", format!("read_mask {path:.80?}: {what}"));
    let mut inside = Some(message.clone());
    for part in path.split('.') {
        let message =
            inside.take().ok_or_else(|| refuse(format!("nothing stands inside what is before {part:?}")))?;
        // What stands inside a map is its entry, and any word may be its key.
        if message.is_map_entry() {
            continue;
        }
        let field = message.get_field_by_name(part).ok_or_else(|| {
            let names: Vec<_> = message.fields().map(|field| field.name().to_owned()).collect();
            refuse(format!("{part:?} is not a field; the fields are {}", names.join(", ")))
        })?;
        inside = field.kind().as_message().cloned();
    }
    Ok(())
}

fn cut(message: &mut DynamicMessage, wanted: &BTreeMap<String, Wanted>) {
    let fields = message.fields().map(|(field, _)| field);
    let unwanted: Vec<_> = fields.filter(|field| !wanted.contains_key(field.name())).collect();
    unwanted.iter().for_each(|field| message.clear_field(field));
    for (field, value) in message.fields_mut() {
        if let Some(Wanted::Some(inside)) = wanted.get(field.name()) {
            cut_value(value, inside);
        }
    }
}

fn cut_value(value: &mut Value, wanted: &BTreeMap<String, Wanted>) {
    match value {
        Value::Message(message) => cut(message, wanted),
        Value::List(items) => items.iter_mut().for_each(|item| cut_value(item, wanted)),
        Value::Map(entries) => {
            entries.retain(|key, _| key.as_str().is_some_and(|key| wanted.contains_key(key)));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::pb::portolan::catalog::v1 as pb;
    use tonic::Status;

    const VERSION: &str = "portolan.catalog.v1.Version";

    fn mask(message: &str, paths: &[&str]) -> Result<Mask, Fault> {
        let paths = paths.iter().map(ToString::to_string).collect();
        Mask::parse(Some(&FieldMask { paths }), message)
    }

    fn version() -> pb::Version {
        let labels = [("team", "gold"), ("tier", "1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        pb::Version {
            name: "n".into(),
            owner: "o".into(),
            services: vec!["a".into(), "b".into()],
            slo: Some(pb::Slo { availability_percent: 99.0, latency_p99: Some(Default::default()) }),
            labels: labels.into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_mask_leaves_what_it_names() {
        let whole = version();
        let cut = |paths: &[&str]| mask(VERSION, paths).unwrap().apply(whole.clone()).unwrap();
        assert_eq!(cut(&[]), whole);
        assert_eq!(cut(&["name", "*"]), whole);
        assert_eq!(cut(&["name"]), pb::Version { name: "n".into(), ..Default::default() });
        let slo = pb::Slo { availability_percent: 99.0, latency_p99: None };
        let expected = pb::Version { services: whole.services.clone(), slo: Some(slo), ..Default::default() };
        assert_eq!(cut(&["services", "slo.availability_percent"]), expected);
        let expected = pb::Version { slo: whole.slo, ..Default::default() };
        assert_eq!(cut(&["slo.latency_p99", "slo"]), expected);
        assert_eq!(cut(&["slo", "slo.latency_p99"]), expected);
        assert_eq!(cut(&["labels.team", "labels.none"]).labels.into_keys().collect::<Vec<_>>(), ["team"]);
        assert_eq!(
            mask(VERSION, &["name"]).unwrap().apply(pb::Version::default()).unwrap(),
            pb::Version::default()
        );
    }

    #[test]
    fn a_mask_reaches_into_each_item_of_a_list() {
        let endpoint = pb::Endpoint { address: "a:1".into(), locality: "l".into(), weight: 3 };
        let whole = pb::Producer { endpoints: vec![endpoint.clone(), endpoint], ..Default::default() };
        let cut = mask("portolan.catalog.v1.Producer", &["endpoints.address"]).unwrap().apply(whole).unwrap();
        let only = pb::Endpoint { address: "a:1".into(), ..Default::default() };
        assert_eq!(cut.endpoints, [only.clone(), only]);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_refused() {
        let table = [
            ("nmae", "\"nmae\" is not a field; the fields are name, version,"),
            ("slo.x", "\"x\" is not a field; the fields are availability_percent, latency_p99"),
            ("name.x", "nothing stands inside what is before \"x\""),
            ("labels.a.b", "nothing stands inside what is before \"b\""),
            ("", "\"\" is not a field"),
        ];
        for (path, message) in table {
            let status = Status::from(mask(VERSION, &[path]).unwrap_err());
            assert!(status.message().contains(message), "{path}: {}", status.message());
        }
        assert!(mask(VERSION, &["name"; MOST_PATHS]).is_ok());
        assert!(mask(VERSION, &["name"; MOST_PATHS + 1]).is_err());
        assert!(mask(VERSION, &["n".repeat(LONGEST_PATH + 1).as_str()]).is_err());
    }
}
