//! The document search of data.example: an inverted index, ranked by how rare the matching words are.

use super::super::pb::data::search::v1::search_service_server::SearchService;
use super::super::pb::data::search::v1::*;
use super::lock;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tonic::{Request, Response, Status, Streaming};

const MAX_DOCUMENTS: usize = 10_000;
/// A word of the title counts as much as so many words of the text.
const TITLE_WEIGHT: f64 = 3.0;

const LIBRARY: &[(&str, &str, &str)] = &[
    (
        "portolan",
        "Portolan charts",
        "Medieval sailors drew every port of the sea and the courses between them.",
    ),
    (
        "compass",
        "The compass rose",
        "Rhumb lines run from each rose; a sailor follows one from port to port.",
    ),
    (
        "ledger",
        "Double-entry bookkeeping",
        "Merchants of Venice wrote each payment twice, as debit and as credit.",
    ),
    ("letters", "Letters of credit", "A merchant paid at home and his partner was paid in a far port."),
    (
        "lighthouse",
        "Lighthouses",
        "A light on the coast tells a ship where the rocks are and whose coast it is.",
    ),
    (
        "customs",
        "Customs and ports",
        "Who may land which goods is written down, shown on demand, and audited.",
    ),
    (
        "convoy",
        "Convoys",
        "Ships that sail together lose fewer of their number, though the slowest sets the pace.",
    ),
    ("pilot", "The pilot", "A pilot knows one harbour well and brings every ship to its berth."),
];

/// Documents with the weight of each of their words.
#[derive(Debug, Clone)]
pub(in crate::cli::demo) struct Library {
    index: Arc<Mutex<Index>>,
}

#[derive(Debug, Default)]
struct Index {
    documents: BTreeMap<String, Document>,
    /// Word to document id to weight.
    words: HashMap<String, BTreeMap<String, f64>>,
}

impl Library {
    /// Opens a small library.
    pub(in crate::cli::demo) fn open() -> Self {
        let mut index = Index::default();
        for (id, title, text) in LIBRARY {
            index.put(Document { id: (*id).into(), title: (*title).into(), text: (*text).into() });
        }
        Self { index: Arc::new(Mutex::new(index)) }
    }
}

#[tonic::async_trait]
impl SearchService for Library {
    async fn index_documents(
        &self,
        request: Request<Streaming<IndexDocumentsRequest>>,
    ) -> Result<Response<IndexDocumentsResponse>, Status> {
        let mut documents = request.into_inner();
        let mut indexed = 0;
        while let Some(IndexDocumentsRequest { document }) = documents.message().await? {
            let document = document.filter(|document| !document.id.is_empty());
            let document =
                document.ok_or_else(|| Status::invalid_argument(format!("document {indexed} has no id")))?;
            let mut index = lock(&self.index);
            if index.documents.len() >= MAX_DOCUMENTS && !index.documents.contains_key(&document.id) {
                return Err(Status::resource_exhausted("the demo's library is full"));
            }
            index.put(document);
            indexed += 1;
        }
        let total = lock(&self.index).documents.len() as i32;
        Ok(Response::new(IndexDocumentsResponse { indexed, total }))
    }

    async fn search(&self, request: Request<SearchRequest>) -> Result<Response<SearchResponse>, Status> {
        let SearchRequest { query, limit } = request.into_inner();
        let limit = match usize::try_from(limit) {
            Ok(0) => 10,
            Ok(limit) => limit.min(100),
            Err(_) => return Err(Status::invalid_argument("limit is negative")),
        };
        let hits = lock(&self.index).search(&query, limit);
        Ok(Response::new(SearchResponse { hits }))
    }
}

impl Index {
    fn put(&mut self, document: Document) {
        for documents in self.words.values_mut() {
            documents.remove(&document.id);
        }
        let weighted = [(&document.title, TITLE_WEIGHT), (&document.text, 1.0)];
        for (word, weight) in
            weighted.iter().flat_map(|(text, weight)| words(text).map(move |word| (word, weight)))
        {
            *self.words.entry(word).or_default().entry(document.id.clone()).or_default() += weight;
        }
        self.documents.insert(document.id.clone(), document);
    }

    /// Ranks by the sum, over the words of the query, of weight times rarity (tf-idf).
    fn search(&self, query: &str, limit: usize) -> Vec<Hit> {
        let mut scores: BTreeMap<&str, f64> = BTreeMap::new();
        for documents in words(query).filter_map(|word| self.words.get(&word)) {
            let rarity = (1.0 + self.documents.len() as f64 / (1.0 + documents.len() as f64)).ln();
            for (id, weight) in documents {
                *scores.entry(id).or_default() += weight.sqrt() * rarity;
            }
        }
        let mut ranked: Vec<_> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        let hit = |(id, score): (&str, f64)| Hit { document: self.documents.get(id).cloned(), score };
        ranked.into_iter().take(limit).map(hit).collect()
    }
}

/// The words of a text, in lower case, a plural `s` taken off.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).map(|word| match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 && !stem.ends_with('s') => stem.to_owned(),
        _ => word,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(index: &Index, query: &str) -> Vec<String> {
        index.search(query, 3).into_iter().map(|hit| hit.document.unwrap().id).collect()
    }

    #[test]
    fn titles_and_rare_words_rank_first() {
        let library = Library::open();
        let index = lock(&library.index);
        assert_eq!(ids(&index, "lighthouse coast")[0], "lighthouse");
        assert_eq!(ids(&index, "port CHARTS")[0], "portolan");
        assert!(ids(&index, "submarine").is_empty());
    }

    #[test]
    fn a_document_indexed_again_replaces_itself() {
        let mut index = Index::default();
        let document = |text: &str| Document { id: "a".into(), title: String::new(), text: text.into() };
        index.put(document("anchor"));
        index.put(document("mast"));
        assert_eq!((ids(&index, "anchor").len(), ids(&index, "mast").len()), (0, 1));
    }
}
