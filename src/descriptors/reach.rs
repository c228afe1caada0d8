//! A set of small numbers: the files whose declarations a file sees.

/// A set of file numbers, as bits.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach {
    words: Vec<u64>,
}

impl Reach {
    /// The set of `file` alone.
    pub(super) fn of(file: usize) -> Self {
        let mut words = vec![0; file / 64 + 1];
        words[file / 64] = 1 << (file % 64);
        Self { words }
    }

    /// Adds all of `other`.
    pub(super) fn add(&mut self, other: &Reach) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    /// Whether `file` is in it.
    pub(super) fn has(&self, file: usize) -> bool {
        self.words.get(file / 64).is_some_and(|word| word >> (file % 64) & 1 == 1)
    }
}
