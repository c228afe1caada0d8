//! What is wrong with a configuration: where, what, and how to mend it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value was written. Ordered as a reader meets it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the file; both count from 1, the column in characters.
    File {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// In an environment variable of this name.
    Environment(String),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where it was written.
    pub place: Place,
    /// The path of the field: `platforms[1].trust_domain`; empty for the file as a whole.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// How to mend it.
    pub fix: String,
}

/// Everything that is wrong with one configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    file: PathBuf,
    found: Vec<Fault>,
}

/// What is said of a field that is not there.
pub(super) const ABSENT: &str = "it is missing";

impl Fault {
    /// Whether something is missing, not wrong.
    pub(super) fn is_absence(&self) -> bool {
        self.problem == ABSENT
    }
}

impl Faults {
    /// The faults of `file`, in the order of the file, each once.
    pub(super) fn new(file: &Path, found: impl IntoIterator<Item = Fault>) -> Self {
        let found = found.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        Self { file: file.to_owned(), found }
    }

    /// One after the other, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.found.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.found.iter().enumerate() {
            let Fault { place, field, problem, fix } = fault;
            if index > 0 {
                writeln!(f)?;
            }
            match place {
                Place::File { line, column } => write!(f, "{}:{line}:{column}: ", self.file.display())?,
                Place::Environment(name) => write!(f, "environment {name}: ")?,
            }
            if !field.is_empty() {
                write!(f, "{field}: ")?;
            }
            write!(f, "{problem}\n    fix: {fix}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
