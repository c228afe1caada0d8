//! The descriptors of the demo's contracts, cut to what one service needs.

use anyhow::Context as _;
use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use std::collections::BTreeSet;

const ALL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/demo.binpb"));

/// A serialized `FileDescriptorSet`: the file of `service` and all that it imports, imports first.
pub(super) fn of_service(service: &str) -> anyhow::Result<Vec<u8>> {
    let all = FileDescriptorSet::decode(ALL).context("the demo's own descriptors")?.file;
    let declares = |file: &&FileDescriptorProto| {
        file.service.iter().any(|found| format!("{}.{}", file.package(), found.name()) == service)
    };
    let root = all.iter().find(declares).with_context(|| format!("no contract declares {service}"))?;
    let (mut file, mut seen) = (Vec::new(), BTreeSet::new());
    gather(root, &all, &mut file, &mut seen);
    Ok(FileDescriptorSet { file }.encode_to_vec())
}

fn gather<'a>(
    root: &'a FileDescriptorProto,
    all: &'a [FileDescriptorProto],
    found: &mut Vec<FileDescriptorProto>,
    seen: &mut BTreeSet<&'a str>,
) {
    if seen.insert(root.name()) {
        for import in all.iter().filter(|file| root.dependency.iter().any(|name| name == file.name())) {
            gather(import, all, found, seen);
        }
        found.push(root.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::cast::ROLES;

    #[test]
    fn every_role_has_a_contract_and_only_what_it_needs() {
        for role in &ROLES {
            let set = FileDescriptorSet::decode(&*of_service(role.service).unwrap()).unwrap();
            let names: Vec<_> = set.file.iter().map(|file| file.name()).collect();
            let own = role.service.split('.').next().unwrap();
            let is_needed = |name: &&str| name.starts_with("google/") || name.starts_with(own);
            assert!(names.iter().all(is_needed), "{}: {names:?}", role.name);
        }
        assert!(of_service("nobody.v1.NobodyService").is_err());
    }
}
