//! What the user sends: messages as JSON from the command line, a file or standard input; metadata from flags.

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use futures::stream::{self, BoxStream, StreamExt as _};
use prost_reflect::{DynamicMessage, MessageDescriptor};
use std::fs::File;
use std::io::{self, BufReader, Read};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{AsciiMetadataKey, BinaryMetadataKey, MetadataMap, MetadataValue};

/// Messages that wait to be sent, at most: standard input may be faster than the call.
const AHEAD: usize = 16;

/// Where the messages come from.
pub(super) enum Source {
    /// None were given.
    Nothing,
    /// Text in JSON.
    Text(String),
    /// Standard input, read as it comes.
    Input,
}

impl Source {
    /// What `-d` says; a file is read at once.
    pub(super) fn open(data: Option<&str>) -> anyhow::Result<Self> {
        match data.map(|data| data.strip_prefix('@').ok_or(data)) {
            None => Ok(Self::Nothing),
            Some(Err(text)) => Ok(Self::Text(text.to_owned())),
            Some(Ok("" | "-")) => Ok(Self::Input),
            Some(Ok(path)) => {
                let mut text = String::new();
                File::open(path)
                    .and_then(|mut file| file.read_to_string(&mut text))
                    .with_context(|| format!("cannot read the request from {path}"))?;
                Ok(Self::Text(text))
            }
        }
    }

    /// All messages, for a method that takes one: none given is an empty one.
    pub(super) fn one(self, kind: &MessageDescriptor) -> anyhow::Result<DynamicMessage> {
        let mut messages = match self {
            Source::Nothing => vec![DynamicMessage::new(kind.clone())],
            Source::Text(text) => read(text.as_bytes(), kind).collect::<anyhow::Result<_>>()?,
            Source::Input => read(io::stdin().lock(), kind).collect::<anyhow::Result<_>>()?,
        };
        match messages.len() {
            0 => Ok(DynamicMessage::new(kind.clone())),
            1 => Ok(messages.remove(0)),
            n => Err(anyhow!("the method takes one message, and {n} are given")),
        }
    }

    /// The messages of a method that takes a stream. What is given as text is judged before anything is sent;
    /// standard input is sent as it comes, and a message in it that cannot be read is told to the receiver.
    pub(super) fn many(
        self,
        kind: &MessageDescriptor,
    ) -> anyhow::Result<(BoxStream<'static, DynamicMessage>, mpsc::Receiver<anyhow::Error>)> {
        let (fault, faults) = mpsc::channel(1);
        let messages = match self {
            Source::Nothing => stream::empty().boxed(),
            Source::Text(text) => {
                let all: Vec<_> = read(text.as_bytes(), kind).collect::<anyhow::Result<_>>()?;
                stream::iter(all).boxed()
            }
            Source::Input => {
                let (sender, messages) = mpsc::channel(AHEAD);
                let kind = kind.clone();
                // A thread of its own: a read of a terminal cannot be cancelled.
                tokio::task::spawn_blocking(move || {
                    for message in read(BufReader::new(io::stdin()), &kind) {
                        let sent = match message {
                            Ok(message) => sender.blocking_send(message).is_ok(),
                            Err(error) => fault.blocking_send(error).is_err(),
                        };
                        if !sent {
                            return;
                        }
                    }
                });
                ReceiverStream::new(messages).boxed()
            }
        };
        Ok((messages, faults))
    }
}

/// JSON objects, one after the other.
fn read(from: impl Read, kind: &MessageDescriptor) -> impl Iterator<Item = anyhow::Result<DynamicMessage>> {
    let kind = kind.clone();
    let values = serde_json::Deserializer::from_reader(from).into_iter::<serde_json::Value>();
    values.enumerate().map(move |(index, value)| {
        let value = value.with_context(|| format!("message {} of the request is not JSON", index + 1))?;
        DynamicMessage::deserialize(kind.clone(), value)
            .with_context(|| format!("message {} of the request is not a {}", index + 1, kind.full_name()))
    })
}

/// Splits `name: value`.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        }
        _ => Err("write NAME: VALUE".to_owned()),
    }
}

/// Metadata of the headers that were given.
pub(super) fn metadata(headers: &[(String, String)]) -> anyhow::Result<MetadataMap> {
    let base64 = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let mut metadata = MetadataMap::new();
    for (name, value) in headers {
        let wrong = || format!("-H {name:?}: this is no metadata");
        if name.ends_with("-bin") {
            let bytes =
                base64.decode(value).with_context(|| format!("-H {name:?}: its value is not base64"))?;
            let key = BinaryMetadataKey::from_bytes(name.as_bytes()).with_context(wrong)?;
            metadata.append_bin(key, MetadataValue::from_bytes(&bytes));
        } else {
            let key = AsciiMetadataKey::from_bytes(name.as_bytes()).with_context(wrong)?;
            metadata.append(key, value.parse().with_context(wrong)?);
        }
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output;

    fn kind() -> MessageDescriptor {
        output::pool().unwrap().get_message_by_name("portolan.catalog.v1.GetPlatformRequest").unwrap()
    }

    #[test]
    fn one_message_or_none_is_taken() {
        let name = |source: Source| {
            source.one(&kind()).map(|m| m.get_field_by_name("name").unwrap().as_str().unwrap().to_owned())
        };
        assert_eq!(name(Source::Text("{\"name\": \"x\"}".into())).unwrap(), "x");
        assert_eq!(name(Source::Nothing).unwrap(), "");
        assert!(name(Source::Text("{} {}".into())).unwrap_err().to_string().contains("2 are given"));
        let error = format!("{:#}", name(Source::Text("{\"nome\": 1}".into())).unwrap_err());
        assert!(error.contains("GetPlatformRequest") && error.contains("nome"), "{error}");
    }

    #[test]
    fn binary_metadata_is_base64_with_or_without_padding() {
        let given = [
            ("a".into(), "1".into()),
            ("a".into(), "2".into()),
            ("b-bin".into(), "AQ".into()),
            ("b-bin".into(), "AQ==".into()),
        ];
        let metadata = metadata(&given).unwrap();
        assert_eq!(metadata.get_all("a").iter().count(), 2);
        assert!(metadata.get_all_bin("b-bin").iter().all(|value| value.to_bytes().unwrap().as_ref() == [1]));
        assert!(super::metadata(&[("b-bin".into(), "!".into())]).is_err());
        assert!(super::metadata(&[("a b".into(), "1".into())]).is_err());
    }
}
