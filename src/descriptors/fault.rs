//! What may be wrong with descriptors from strangers, and how much of them is taken at all.

use super::raw::Malformed;
use std::fmt;

/// How much of a stranger's descriptor set is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the serialized set.
    pub bytes: usize,
    /// Files in it.
    pub files: usize,
    /// Declarations in it: messages, fields, enums, values, services, methods, extensions, oneofs.
    pub symbols: usize,
    /// Bytes of a file's name.
    pub file_name: usize,
    /// Bytes of a symbol's full name.
    pub symbol_name: usize,
}

impl Default for Limits {
    /// Room for the largest public interfaces that we know; a gRPC message of the usual 4 MiB carries it.
    fn default() -> Self {
        Self { bytes: 4 << 20, files: 2_000, symbols: 100_000, file_name: 512, symbol_name: 512 }
    }
}

/// Why a whole set is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not a serialized `google.protobuf.FileDescriptorSet`.
    #[error("the bytes are not a serialized google.protobuf.FileDescriptorSet")]
    Malformed,
    /// Too many bytes.
    #[error("the descriptor set has {bytes} bytes, more than {limit}")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What is taken.
        limit: usize,
    },
    /// Too many files.
    #[error("the descriptor set has more than {limit} files")]
    TooManyFiles {
        /// What is taken.
        limit: usize,
    },
    /// Too many declarations.
    #[error("the descriptor set declares more than {limit} symbols")]
    TooManySymbols {
        /// What is taken.
        limit: usize,
    },
    /// Too many small parts (options, ranges, source locations), which cost more memory than bytes.
    #[error("the descriptor set has more than {limit} options, ranges and source locations")]
    TooManyParts {
        /// What is taken.
        limit: usize,
    },
}

/// A file that is not described, and why. The rest of its set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file's name, as far as it can be read.
    pub file: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Why one file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a `google.protobuf.FileDescriptorProto`: cut short, a wrong wire type, text that is not UTF-8.
    #[error("it is not a well-formed google.protobuf.FileDescriptorProto")]
    Malformed,
    /// Messages inside messages beyond reason.
    #[error("its messages are nested too deep")]
    TooDeep,
    /// A file name that could reach outside a directory, or is empty.
    #[error("its name is not a relative path of plain segments")]
    BadFileName,
    /// A name beyond the limit.
    #[error("{name:?} is longer than {limit} bytes")]
    NameTooLong {
        /// Its beginning.
        name: String,
        /// What is taken.
        limit: usize,
    },
    /// Not a protobuf identifier.
    #[error("{name:?} is not a protobuf identifier")]
    BadIdentifier {
        /// What stands there.
        name: String,
    },
    /// Another file of the set has the same name and other content.
    #[error("another file of the set has the same name and other content")]
    NameTaken,
    /// The set lacks a file that it imports.
    #[error("it imports {import:?}, which the set does not hold (build the set with its imports)")]
    MissingImport {
        /// What it imports.
        import: String,
    },
    /// It imports a file that is refused.
    #[error("it imports {import:?}, which is refused")]
    RefusedImport {
        /// What it imports.
        import: String,
    },
    /// It imports the same file twice.
    #[error("it imports {import:?} twice")]
    RepeatedImport {
        /// What it imports.
        import: String,
    },
    /// It stands in, or imports from, a circle of imports.
    #[error("its imports run in a circle")]
    Cycle,
    /// Somebody else declares the symbol already.
    #[error("it declares {symbol:?}, which is declared already")]
    DuplicateSymbol {
        /// The full name.
        symbol: String,
    },
    /// It uses a type that neither it nor its imports declare.
    #[error("it uses {symbol:?}, which neither it nor its imports declare")]
    UnknownType {
        /// The name as used.
        symbol: String,
    },
}

/// Why a parameter schema is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Too many bytes.
    #[error("the parameter schema has {bytes} bytes, more than {limit}")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What is taken.
        limit: usize,
    },
    /// Not JSON.
    #[error("the parameter schema is not JSON: {reason}")]
    NotJson {
        /// Where and why.
        reason: String,
    },
    /// Parameters are an object, so their schema must say so.
    #[error("the parameter schema must be an object with \"type\": \"object\"")]
    NotObject,
    /// Another dialect of JSON Schema.
    #[error("\"$schema\" is {dialect:?}; only {expected} is understood")]
    Dialect {
        /// What stands there.
        dialect: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A reference that leaves the document, or a part with a name of its own, from which references would start.
    #[error(
        "{path}: the schema must stand for itself: {keyword} may only be a reference into it, such as \"#/$defs/size\""
    )]
    NotLocal {
        /// JSON pointer.
        path: String,
        /// `$ref`, `$dynamicRef` or `$id`.
        keyword: &'static str,
    },
    /// More patterns than are compiled for one schema.
    #[error("the parameter schema has more than {limit} patterns, or more than {bytes} bytes of them")]
    TooManyPatterns {
        /// How many are taken.
        limit: usize,
        /// How long they may be in all.
        bytes: usize,
    },
    /// Not what JSON Schema allows.
    #[error("{path}: {reason}")]
    Invalid {
        /// JSON pointer.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} cannot be described: {}", self.file, self.fault)
    }
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        Fault::Malformed
    }
}

/// What strangers wrote is quoted, and cut, in errors and logs.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(120).collect()
}
