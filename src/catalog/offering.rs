//! A version with those who declare it: producers that serve it, and manifests that only name it.

use crate::model::{Producer, ProducerName, Source, Version};
use jiff::Timestamp;
use std::sync::Arc;

/// A version with the producers that serve it.
#[derive(Debug, Clone)]
pub struct Offering {
    /// The contract, and what is in force of all that is said of it.
    pub version: Arc<Version>,
    /// Whose word is in force.
    pub source: Source,
    /// Ordered by name. Empty only while a manifest declares the version and nobody serves it.
    pub producers: Vec<Arc<Producer>>,
    /// Since when a manifest declares it by itself; `None` if none does.
    pub declared: Option<Timestamp>,
    /// What other sources say of it, the strongest first.
    pub beneath: Vec<Statement>,
}

/// What one source says of a version.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Who.
    pub source: Source,
    /// What.
    pub version: Arc<Version>,
}

impl Offering {
    /// Who says something of it, the one in force first.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        [self.source].into_iter().chain(self.beneath.iter().map(|statement| statement.source))
    }

    /// Since when those who declare it now do so.
    pub fn since(&self) -> Timestamp {
        self.producers.iter().map(|producer| producer.created).chain(self.declared).min().unwrap_or_default()
    }

    /// Whether a reader learns the same from both: the contract, what is in force of all that is said of it, who says
    /// so, and who serves it. How each producer is, is told of the producer.
    pub(super) fn reads_like(&self, other: &Self) -> bool {
        (Arc::ptr_eq(&self.version, &other.version) || self.version == other.version)
            && self.sources().eq(other.sources())
            && self.producers.iter().map(|p| &p.name).eq(other.producers.iter().map(|p| &p.name))
    }

    pub(super) fn of(source: Source, version: Arc<Version>) -> Self {
        Self { version, source, producers: Vec::new(), declared: None, beneath: Vec::new() }
    }

    /// Puts what `source` says in the place of what it said before.
    pub(super) fn state(&mut self, source: Source, version: Arc<Version>) {
        let mut said = self.statements();
        said.retain(|statement| statement.source != source);
        let at = said.partition_point(|statement| statement.source < source);
        said.insert(at, Statement { source, version });
        self.put_statements(said);
    }

    pub(super) fn put_producer(&mut self, producer: &Arc<Producer>) {
        match self.producers.binary_search_by(|p| p.name.cmp(&producer.name)) {
            Ok(place) => self.producers[place] = producer.clone(),
            Err(place) => self.producers.insert(place, producer.clone()),
        }
    }

    pub(super) fn drop_producer(&mut self, name: &ProducerName) {
        self.producers.retain(|producer| producer.name != *name);
    }

    /// What is left of it, without the words of sources that nobody stands behind any more.
    pub(super) fn settled(mut self) -> Option<Self> {
        let mut said = self.statements();
        said.retain(|statement| {
            let source = statement.source;
            self.producers.iter().any(|producer| producer.source == source)
                || (source == Source::Manifest && self.declared.is_some())
        });
        if said.is_empty() {
            return None;
        }
        self.put_statements(said);
        Some(self)
    }

    fn statements(&mut self) -> Vec<Statement> {
        let mut said = std::mem::take(&mut self.beneath);
        said.insert(0, Statement { source: self.source, version: self.version.clone() });
        said
    }

    /// The strongest is in force. Never empty.
    fn put_statements(&mut self, mut said: Vec<Statement>) {
        let first = said.remove(0);
        (self.source, self.version, self.beneath) = (first.source, first.version, said);
    }
}
