//! The embeddings of ml.example: texts as vectors of hashed letter groups, so that alike texts point alike.

use super::super::pb::ml::embedding::v1::embedding_service_server::EmbeddingService;
use super::super::pb::ml::embedding::v1::*;
use super::Answers;
use futures::stream;
use std::collections::HashMap;
use tonic::{Request, Response, Status, Streaming};

const DIMENSIONS: usize = 32;
const MAX_TEXT: usize = 16 * 1024;

/// Needs no state: the same text has the same vector everywhere.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cli::demo) struct Embedder;

#[tonic::async_trait]
impl EmbeddingService for Embedder {
    type StreamEmbeddingsStream = Answers<StreamEmbeddingsResponse>;

    async fn embed(&self, request: Request<EmbedRequest>) -> Result<Response<EmbedResponse>, Status> {
        let values = embed(&request.into_inner().text)?;
        Ok(Response::new(EmbedResponse { embedding: Some(Embedding { values }) }))
    }

    async fn stream_embeddings(
        &self,
        request: Request<Streaming<StreamEmbeddingsRequest>>,
    ) -> Result<Response<Self::StreamEmbeddingsStream>, Status> {
        let start = Some((request.into_inner(), Vec::new()));
        let answers = stream::unfold(start, |state| async {
            let (mut texts, previous) = state?;
            let StreamEmbeddingsRequest { id, text } = match texts.message().await {
                Ok(message) => message?,
                Err(refusal) => return Some((Err(refusal), None)),
            };
            match embed(&text) {
                Err(refusal) => Some((Err(refusal), None)),
                Ok(values) => {
                    let similarity = cosine(&previous, &values);
                    let embedding = Some(Embedding { values: values.clone() });
                    Some((Ok(StreamEmbeddingsResponse { id, embedding, similarity }), Some((texts, values))))
                }
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

/// Counts groups of three letters into signed buckets, damps frequent ones, and scales to unit length.
fn embed(text: &str) -> Result<Vec<f32>, Status> {
    if text.trim().is_empty() || text.len() > MAX_TEXT {
        return Err(Status::invalid_argument("a text of 1 byte to 16 KiB is wanted"));
    }
    let letters: Vec<char> = format!(" {} ", text.trim().to_lowercase()).chars().collect();
    let mut counts: HashMap<&[char], f32> = HashMap::new();
    for group in letters.windows(3) {
        *counts.entry(group).or_default() += 1.0;
    }
    let mut values = vec![0.0; DIMENSIONS];
    let mut groups: Vec<_> = counts.into_iter().collect();
    // Floats do not add up alike in every order.
    groups.sort_by(|a, b| a.0.cmp(b.0));
    for (group, count) in groups {
        let hash = fnv(group);
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        values[(hash % DIMENSIONS as u64) as usize] += sign * count.ln_1p();
    }
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > 0.0 {
        values.iter_mut().for_each(|v| *v /= length);
    }
    Ok(values)
}

/// FNV-1a, 64 bits: the same on every machine.
fn fnv(group: &[char]) -> u64 {
    let step = |hash: u64, c: &char| (hash ^ u64::from(u32::from(*c))).wrapping_mul(0x0100_0000_01b3);
    group.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_texts_are_near() {
        let [ship, ships, tax] =
            ["the ship sails", "the ships sail", "tax return"].map(|text| embed(text).unwrap());
        assert!((cosine(&ship, &ship) - 1.0).abs() < 1e-5);
        assert!(cosine(&ship, &ships) > cosine(&ship, &tax));
    }

    #[test]
    fn an_empty_text_has_no_vector() {
        assert_eq!(embed("  ").unwrap_err().code(), tonic::Code::InvalidArgument);
    }
}
