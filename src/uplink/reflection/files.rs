//! The files that a server gave, within bounds: of a stranger's bytes only names are read, and nothing else is unpacked.

use super::Unread;
use bytes::Bytes;
use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use std::collections::{BTreeMap, BTreeSet};

/// Files that are taken, or asked for.
const FILES: usize = 5_000;
/// Bytes of a file's name.
const NAME: usize = 512;
/// `FileDescriptorProto.name` and `.dependency`.
const NAMED: u32 = 1;
const IMPORTS: u32 = 3;

/// The files that were given, each name once: the first counts.
#[derive(Default)]
pub(super) struct Files {
    found: BTreeMap<String, Bytes>,
    /// All names that were given, asked for, or are to be asked for: what is not given is not asked for again.
    known: BTreeSet<String>,
    /// Imports that may have to be asked for.
    open: BTreeSet<String>,
    bytes: usize,
}

impl Files {
    /// Takes a serialized `google.protobuf.FileDescriptorProto`, while all of them have at most `largest` bytes.
    pub(super) fn take(&mut self, file: &[u8], largest: usize) -> Result<(), Unread> {
        let mut name = "";
        strings(file, NAMED, |text| {
            name = text;
            Ok(())
        })?;
        short(name)?;
        if self.found.contains_key(name) {
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(file.len());
        if self.bytes > largest {
            return Err(Unread::TooMuch { what: "bytes of descriptors", limit: largest });
        }
        self.note(name)?;
        strings(file, IMPORTS, |import| {
            short(import)?;
            if self.note(import)? {
                self.open.insert(import.to_owned());
            }
            Ok(())
        })?;
        // A copy: what was given may be a small part of a large answer that it would keep alive.
        self.found.insert(name.to_owned(), Bytes::copy_from_slice(file));
        Ok(())
    }

    /// Imports that were neither given nor asked for.
    pub(super) fn missing(&mut self) -> Vec<String> {
        let open = std::mem::take(&mut self.open);
        open.into_iter().filter(|name| !self.found.contains_key(name)).collect()
    }

    /// A serialized `google.protobuf.FileDescriptorSet` of them, ordered by name.
    pub(super) fn set(&self) -> Vec<u8> {
        let mut set = Vec::with_capacity(self.bytes + 8 * self.found.len());
        for file in self.found.values() {
            // `FileDescriptorSet.file`, from the very bytes that were given: what we do not know stays in them.
            prost::encoding::bytes::encode(1, file, &mut set);
        }
        set
    }

    /// Notes a name. True if it is new.
    fn note(&mut self, name: &str) -> Result<bool, Unread> {
        if self.known.contains(name) {
            return Ok(false);
        }
        if self.known.len() >= FILES {
            return Err(Unread::TooMuch { what: "files", limit: FILES });
        }
        Ok(self.known.insert(name.to_owned()))
    }
}

fn short(name: &str) -> Result<(), Unread> {
    let too_long = Unread::TooMuch { what: "bytes in a file's name", limit: NAME };
    if name.len() > NAME { Err(too_long) } else { Ok(()) }
}

/// Gives each string in field `wanted` of a message, and passes over all else without keeping any of it.
fn strings<'a>(
    mut message: &'a [u8],
    wanted: u32,
    mut take: impl FnMut(&'a str) -> Result<(), Unread>,
) -> Result<(), Unread> {
    while !message.is_empty() {
        let (tag, wire) = decode_key(&mut message).map_err(undecodable)?;
        if (tag, wire) != (wanted, WireType::LengthDelimited) {
            skip_field(wire, tag, &mut message, DecodeContext::default()).map_err(undecodable)?;
            continue;
        }
        let length = usize::try_from(decode_varint(&mut message).map_err(undecodable)?);
        let parts = length.ok().and_then(|length| message.split_at_checked(length));
        let (text, rest) = parts.ok_or_else(|| malformed("it is cut short"))?;
        message = rest;
        take(std::str::from_utf8(text).map_err(|_| malformed("a name that is not UTF-8"))?)?;
    }
    Ok(())
}

fn undecodable(error: DecodeError) -> Unread {
    malformed(&error.to_string())
}

fn malformed(why: &str) -> Unread {
    Unread::Malformed(format!("a file that cannot be decoded: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};

    fn file(name: &str, imports: &[&str]) -> Vec<u8> {
        let dependency = imports.iter().map(|import| (*import).to_owned()).collect();
        let message_type = vec![DescriptorProto { name: Some("M".to_owned()), ..Default::default() }];
        let name = Some(name.to_owned());
        FileDescriptorProto { name, dependency, message_type, ..Default::default() }.encode_to_vec()
    }

    fn too_much(outcome: Result<(), Unread>) -> &'static str {
        match outcome {
            Err(Unread::TooMuch { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_come_back_as_given_and_imports_are_asked_for_once() {
        let mut files = Files::default();
        let (a, b) = (file("a.proto", &["b.proto", "c.proto"]), file("b.proto", &["c.proto"]));
        files.take(&a, 1000).unwrap();
        files.take(&b, 1000).unwrap();
        files.take(&file("a.proto", &["never.proto"]), 1000).unwrap();
        assert_eq!(files.missing(), ["c.proto"]);
        files.take(&file("d.proto", &["c.proto"]), 1000).unwrap();
        assert!(files.missing().is_empty());
        let set = FileDescriptorSet::decode(files.set().as_slice()).unwrap();
        assert_eq!(set.file[..2].iter().map(Message::encode_to_vec).collect::<Vec<_>>(), [a, b]);
    }

    #[test]
    fn the_bytes_of_all_files_are_bounded_and_repeated_ones_are_not_kept() {
        let mut files = Files::default();
        let one = file("a.proto", &[]);
        for _ in 0..1000 {
            files.take(&one, one.len()).unwrap();
        }
        assert_eq!(files.bytes, one.len());
        assert_eq!(too_much(files.take(&file("b.proto", &[]), 2 * one.len() - 1)), "bytes of descriptors");
    }

    #[test]
    fn names_are_bounded_in_number_and_length() {
        let largest = 4 << 20;
        let many: Vec<_> = (0..FILES).map(|at| format!("{at}.proto")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(too_much(Files::default().take(&file("a.proto", &many), largest)), "files");
        let mut files = Files::default();
        files.take(&file("a.proto", &many[1..]), largest).unwrap();
        assert_eq!(too_much(files.take(&file("b.proto", &[]), largest)), "files");
        // A million times the same import, in two bytes each, is one name.
        let mut empty = file("a.proto", &[]);
        empty.extend([0x1a, 0].repeat(1 << 20));
        let mut files = Files::default();
        files.take(&empty, largest).unwrap();
        assert_eq!(files.missing(), [""]);
        let long = "x".repeat(NAME + 1);
        assert_eq!(too_much(files.take(&file(&long, &[]), largest)), "bytes in a file's name");
        assert_eq!(too_much(files.take(&file("b", &[&long]), largest)), "bytes in a file's name");
    }

    #[test]
    fn bytes_that_are_no_file_are_refused() {
        let huge = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let groups = [0x13].repeat(100_000);
        for bad in [&b"\x0a\x05a"[..], &huge, b"\x0a\x01\xff", b"\xff", &groups] {
            assert!(matches!(Files::default().take(bad, 1 << 20), Err(Unread::Malformed(_))), "{bad:?}");
        }
    }
}
