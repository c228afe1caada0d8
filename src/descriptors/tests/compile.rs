//! Compiles `.proto` text, so that a test shows what it is about.

use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use std::collections::BTreeMap;

struct Sources(BTreeMap<String, String>);

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = self.0.get(name).ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

/// The serialized set of these files and all they import, comments included. `syntax = "proto3"` is added.
pub(crate) fn compile(sources: &[(&str, &str)]) -> Vec<u8> {
    let texts =
        sources.iter().map(|(name, text)| ((*name).to_owned(), format!("syntax = \"proto3\";\n{text}")));
    let mut resolver = ChainFileResolver::new();
    resolver.add(Sources(texts.collect()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(sources.iter().map(|(name, _)| *name)).unwrap();
    compiler.encode_file_descriptor_set()
}

/// The same set with each file as `change` leaves it.
pub(crate) fn edit(set: &[u8], mut change: impl FnMut(&mut FileDescriptorProto)) -> Vec<u8> {
    let mut set = FileDescriptorSet::decode(set).unwrap();
    set.file.iter_mut().for_each(&mut change);
    set.encode_to_vec()
}
