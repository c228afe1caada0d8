//! The top of one serialized file: its name, its package and what it imports.

use super::fault::{Fault, Limits, excerpt};
use super::raw::{self, Fields};

/// What stands at the top of a file.
#[derive(Debug, Default)]
pub(super) struct Header<'a> {
    /// The file's name.
    pub(super) name: &'a str,
    /// Its package; may be empty.
    pub(super) package: &'a str,
    /// The files that it imports, in order.
    pub(super) imports: Vec<&'a str>,
    /// Which of `imports` it hands on.
    pub(super) public: Vec<usize>,
    /// Files that only its options need.
    pub(super) for_options: Vec<&'a str>,
}

/// Reads the top of a file.
pub(super) fn read(file: &[u8]) -> Result<Header<'_>, Fault> {
    let mut header = Header::default();
    for field in Fields::of(file) {
        let field = field?;
        match field.number {
            1 => header.name = field.text()?,
            2 => header.package = field.text()?,
            3 => header.imports.push(field.text()?),
            10 => {
                let indexes = field.numbers()?;
                header.public.extend(indexes.into_iter().filter_map(|index| usize::try_from(index).ok()));
            }
            raw::OPTION_DEPENDENCY => header.for_options.push(field.text()?),
            _ => {}
        }
    }
    header.public.sort_unstable();
    header.public.dedup();
    Ok(header)
}

/// Judges the names at the top of a file.
pub(super) fn judge(header: &Header<'_>, limits: &Limits) -> Result<(), Fault> {
    let too_long = |name: &str, limit| Fault::NameTooLong { name: excerpt(name), limit };
    if header.name.len() > limits.file_name {
        return Err(too_long(header.name, limits.file_name));
    }
    // Tools write files under these names, so a name must not climb out of a directory.
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && !segment.contains(|c: char| c.is_control() || matches!(c, '\\' | ':'))
    };
    if !header.name.split('/').all(is_segment) {
        return Err(Fault::BadFileName);
    }
    if header.package.len() > limits.symbol_name {
        return Err(too_long(header.package, limits.symbol_name));
    }
    match header.package.split('.').find(|part| !is_identifier(part)) {
        Some(part) if !header.package.is_empty() => Err(Fault::BadIdentifier { name: excerpt(part) }),
        _ => Ok(()),
    }
}

/// Whether `name` is what protobuf calls an identifier.
pub(super) fn is_identifier(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
