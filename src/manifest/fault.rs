//! What is wrong with a manifest: where, what, and how to mend it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// More than this is not told of one file: whoever mends so many reads it again.
const TOLD: usize = 100;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The path of the field: `spec.endpoints[1].address`; empty for a document as a whole.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// How to mend it.
    pub fix: String,
}

/// Everything that is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Faults {
    file: PathBuf,
    found: Vec<Fault>,
    untold: usize,
}

impl Fault {
    /// A fault of a file as a whole.
    pub(super) fn of_file(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { line: 1, column: 1, field: String::new(), problem: problem.into(), fix: fix.into() }
    }
}

impl Faults {
    /// The faults of `file`, in the order of the file, each once, at most 100.
    pub(super) fn new(file: &Path, found: impl IntoIterator<Item = Fault>) -> Self {
        let mut found: Vec<_> = found.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let untold = found.len().saturating_sub(TOLD);
        found.truncate(TOLD);
        Self { file: file.to_owned(), found, untold }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The same, of a file that stands below a folder.
    pub fn below(self, folder: &Path) -> Self {
        Self { file: folder.join(self.file), ..self }
    }

    /// One after the other, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.found.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.found.iter().enumerate() {
            let Fault { line, column, field, problem, fix } = fault;
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{line}:{column}: ", self.file.display())?;
            if !field.is_empty() {
                write!(f, "{field}: ")?;
            }
            write!(f, "{problem}\n    fix: {fix}")?;
        }
        match self.untold {
            0 => Ok(()),
            untold => write!(f, "\n{}: {untold} more faults", self.file.display()),
        }
    }
}

impl std::error::Error for Faults {}
