//! Descriptors of strangers, made safe: prost-reflect panics on what it does not know, and keeps the first of two
//! files with one name without a word.

use anyhow::{Context as _, anyhow, bail};
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Files by name, as they came from one answer.
#[derive(Debug, Default)]
pub(super) struct Files {
    by_name: BTreeMap<String, FileDescriptorProto>,
}

impl Files {
    /// Takes the bytes of a file; tells its name.
    pub(super) fn take(&mut self, bytes: &[u8]) -> anyhow::Result<String> {
        let file = FileDescriptorProto::decode(bytes)
            .map_err(|error| anyhow!("a file descriptor cannot be read: {error}"))?;
        let name = file.name().to_owned();
        match file.syntax() {
            "" | "proto2" | "proto3" => {}
            other => {
                bail!("{name:?} is written in {other:?}, which is not understood here; proto2 and proto3 are")
            }
        }
        self.by_name.entry(name.clone()).or_insert(file);
        Ok(name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Files that others import and that are not there.
    pub(super) fn missing(&self) -> Vec<String> {
        let imported = self.by_name.values().flat_map(|file| &file.dependency);
        let mut missing: Vec<_> = imported.filter(|name| !self.has(name)).cloned().collect();
        missing.sort();
        missing.dedup();
        missing
    }

    /// All files as one pool.
    pub(super) fn pool(self) -> anyhow::Result<DescriptorPool> {
        let files = self.by_name.into_values();
        let build = || {
            let mut pool = DescriptorPool::new();
            pool.add_file_descriptor_protos(files).map(|()| pool)
        };
        match catch_unwind(AssertUnwindSafe(build)) {
            Ok(Ok(pool)) => Ok(pool),
            Ok(Err(error)) => Err(anyhow!("the descriptors do not fit together: {error}")),
            Err(_) => Err(anyhow!("the descriptors cannot be understood")),
        }
    }
}

/// All files of a descriptor set that the user has.
pub(super) fn load(path: &Path) -> anyhow::Result<DescriptorPool> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let set = RawSet::decode(bytes.as_slice())
        .with_context(|| format!("{} is no google.protobuf.FileDescriptorSet", path.display()))?;
    let mut files = Files::default();
    for file in &set.file {
        files.take(file).with_context(|| format!("{} cannot be used", path.display()))?;
    }
    files.pool().with_context(|| format!("{} cannot be used", path.display()))
}

/// A `google.protobuf.FileDescriptorSet` whose files are still bytes.
#[derive(Clone, PartialEq, Message)]
struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, syntax: &str, dependency: &[&str]) -> Vec<u8> {
        FileDescriptorProto {
            name: Some(name.into()),
            syntax: Some(syntax.into()),
            dependency: dependency.iter().map(|name| name.to_string()).collect(),
            ..Default::default()
        }
        .encode_to_vec()
    }

    #[test]
    fn what_would_panic_is_refused_before() {
        for syntax in ["editions", "proto9", "\u{0}"] {
            let error = Files::default().take(&file("x.proto", syntax, &[])).unwrap_err().to_string();
            assert!(error.contains("not understood"), "{error}");
        }
        assert!(Files::default().take(b"\xff\xff").is_err());
    }

    #[test]
    fn imports_that_are_not_there_are_named() {
        let mut files = Files::default();
        files.take(&file("a.proto", "proto3", &["b.proto", "c.proto"])).unwrap();
        files.take(&file("b.proto", "proto3", &["c.proto"])).unwrap();
        assert_eq!(files.missing(), ["c.proto"]);
        assert!(files.pool().unwrap_err().to_string().contains("do not fit"));
    }
}
