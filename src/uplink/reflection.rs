//! Reads what an unmodified server says of itself: grpc.reflection.v1, and v1alpha where that is all it has.

use super::{Error, Pool};
use crate::model::{Endpoint, Producer, ServiceName, TrustDomain};
use crate::transport::{self, Channel, client};
use crate::wire::pb::grpc::reflection::{v1, v1alpha};
use bytes::Bytes;
use http::uri::Authority;
use prost::Message;
use prost_types::FileDescriptorProto;
use std::collections::BTreeMap;
use std::time::Duration;
use tonic::{Code, Status};
use v1::server_reflection_request::MessageRequest as Question;
use v1::server_reflection_response::MessageResponse as Answer;

/// Rounds of asking for imports that are still missing: a well-behaved server needs one.
const ROUNDS: usize = 32;
/// Services that are looked at.
const SERVICES: usize = 5_000;
/// Files that are taken.
const FILES: usize = 5_000;

/// What a server says of itself.
#[derive(Debug, Clone)]
pub struct Described {
    /// The services that were wanted and are served, sorted.
    pub services: Vec<ServiceName>,
    /// A serialized `google.protobuf.FileDescriptorSet` of them and all they import, ordered by file name.
    pub descriptor_set: Vec<u8>,
    connection: client::Connection,
}

impl Described {
    /// Waits until the connection over which it was read has ended: the server may come back as another.
    pub async fn closed(&self) {
        self.connection.closed().await;
    }
}

/// Why nothing is known of what a server offers.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unread {
    /// There is no connection.
    #[error(transparent)]
    Unreachable(#[from] Error),
    /// The server has no reflection.
    #[error(
        "the server has neither grpc.reflection.v1 nor v1alpha: give its descriptor set as a file (buf build -o)"
    )]
    NoReflection,
    /// It does not answer, or the connection was lost.
    #[error("reflection did not answer: {0}")]
    Silent(String),
    /// It answers with an error.
    #[error("reflection answered {0}")]
    Refused(String),
    /// It answers something that is no answer.
    #[error("reflection answered nonsense: {0}")]
    Malformed(String),
    /// It says more than is taken.
    #[error("reflection offers more than {limit} {what}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// What is taken.
        limit: usize,
    },
}

/// Reads the services for which `wanted` holds, with all they import: at most `largest` bytes, within `deadline`.
pub async fn read(
    pool: &Pool,
    (producer, endpoint): (&Producer, &Endpoint),
    tenant: &TrustDomain,
    wanted: impl Fn(&ServiceName) -> bool,
    (largest, deadline): (usize, Duration),
) -> Result<Described, Unread> {
    let work = async {
        let connection = pool.connection(producer, endpoint, tenant).await?;
        let authority = Authority::try_from(endpoint.address.to_string());
        let authority = authority.unwrap_or_else(|_| Authority::from_static("producer.invalid"));
        let channel = Channel::new(connection.clone(), authority);
        let mut reader = Reader { channel, is_old: false, largest };
        let services = reader.services(wanted).await?;
        let descriptor_set = reader.files(&services).await?;
        Ok(Described { services, descriptor_set, connection })
    };
    let late = |_| Unread::Silent(format!("it took longer than {deadline:?}"));
    tokio::time::timeout(deadline, work).await.map_err(late)?
}

struct Reader {
    channel: Channel,
    is_old: bool,
    largest: usize,
}

impl Reader {
    /// The names of what is served and wanted. A name that is none is not ours to judge: it is left out.
    async fn services(&mut self, wanted: impl Fn(&ServiceName) -> bool) -> Result<Vec<ServiceName>, Unread> {
        let Some(Answer::ListServicesResponse(list)) =
            self.ask(vec![Question::ListServices(String::new())]).await?.pop()
        else {
            return Err(Unread::Malformed("the list of services has no answer".to_owned()));
        };
        if list.service.len() > SERVICES {
            return Err(Unread::TooMuch { what: "services", limit: SERVICES });
        }
        let names = list.service.iter().filter_map(|service| ServiceName::parse(&service.name).ok());
        let mut names: Vec<_> = names.filter(wanted).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The files of these services with all they import.
    async fn files(&mut self, services: &[ServiceName]) -> Result<Vec<u8>, Unread> {
        let mut files = Files::default();
        let mut questions: Vec<_> =
            services.iter().map(|service| Question::FileContainingSymbol(service.to_string())).collect();
        for _ in 0..ROUNDS {
            if questions.is_empty() {
                break;
            }
            for answer in self.ask(std::mem::take(&mut questions)).await? {
                match answer {
                    Answer::FileDescriptorResponse(found) => {
                        found
                            .file_descriptor_proto
                            .into_iter()
                            .try_for_each(|file| files.take(file, self.largest))?;
                    }
                    // A file that the server does not give is missing; whoever screens the set says what follows.
                    Answer::ErrorResponse(_) => {}
                    _ => return Err(Unread::Malformed("an answer to another question".to_owned())),
                }
            }
            questions = files.missing().into_iter().map(Question::FileByFilename).collect();
        }
        Ok(files.set())
    }

    async fn ask(&mut self, questions: Vec<Question>) -> Result<Vec<Answer>, Unread> {
        if !self.is_old {
            match self.ask_v1(questions.clone()).await {
                Err(status) if status.code() == Code::Unimplemented => self.is_old = true,
                answers => return answers.map_err(unread),
            }
        }
        self.ask_v1alpha(questions).await.map_err(unread)
    }

    async fn ask_v1(&self, questions: Vec<Question>) -> Result<Vec<Answer>, Status> {
        let mut client = v1::server_reflection_client::ServerReflectionClient::new(self.channel.clone())
            .max_decoding_message_size(self.largest);
        let count = questions.len();
        let questions = futures::stream::iter(questions.into_iter().map(request).collect::<Vec<_>>());
        let mut stream = client.server_reflection_info(questions).await?.into_inner();
        let mut answers = Vec::new();
        while let Some(answer) = stream.message().await? {
            answers.extend(answer.message_response);
            enough(answers.len(), count)?;
        }
        Ok(answers)
    }

    /// The older version has the same messages under another package.
    async fn ask_v1alpha(&self, questions: Vec<Question>) -> Result<Vec<Answer>, Status> {
        let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(self.channel.clone())
            .max_decoding_message_size(self.largest);
        let count = questions.len();
        let old = |question| transcode::<v1alpha::ServerReflectionRequest>(&request(question));
        let questions = questions.into_iter().map(old).collect::<Result<Vec<_>, _>>()?;
        let mut stream = client.server_reflection_info(futures::stream::iter(questions)).await?.into_inner();
        let mut answers = Vec::new();
        while let Some(answer) = stream.message().await? {
            answers.extend(transcode::<v1::ServerReflectionResponse>(&answer)?.message_response);
            enough(answers.len(), count)?;
        }
        Ok(answers)
    }
}

/// The files that were given, each name once: the first counts.
#[derive(Default)]
struct Files {
    found: BTreeMap<String, (Bytes, Vec<String>)>,
    /// Asked for already: what is not given is not asked for again.
    asked: std::collections::BTreeSet<String>,
    bytes: usize,
}

impl Files {
    fn take(&mut self, file: Bytes, largest: usize) -> Result<(), Unread> {
        let header = FileDescriptorProto::decode(file.clone())
            .map_err(|e| Unread::Malformed(format!("a file that cannot be decoded: {e}")))?;
        if self.found.contains_key(header.name()) {
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(file.len());
        if self.bytes > largest {
            return Err(Unread::TooMuch { what: "bytes of descriptors", limit: largest });
        }
        if self.found.len() >= FILES {
            return Err(Unread::TooMuch { what: "files", limit: FILES });
        }
        let name = header.name().to_owned();
        self.asked.insert(name.clone());
        self.found.insert(name, (file, header.dependency));
        Ok(())
    }

    /// Imports that were neither given nor asked for.
    fn missing(&mut self) -> Vec<String> {
        let imports: Vec<_> = self.found.values().flat_map(|(_, imports)| imports.clone()).collect();
        imports.into_iter().filter(|name| self.asked.insert(name.clone())).collect()
    }

    fn set(&self) -> Vec<u8> {
        let mut set = Vec::with_capacity(self.bytes + 8 * self.found.len());
        for (file, _) in self.found.values() {
            // `FileDescriptorSet.file`, from the very bytes that were given: what we do not know stays in them.
            prost::encoding::bytes::encode(1, file, &mut set);
        }
        set
    }
}

fn request(question: Question) -> v1::ServerReflectionRequest {
    v1::ServerReflectionRequest { host: String::new(), message_request: Some(question) }
}

fn enough(answers: usize, questions: usize) -> Result<(), Status> {
    if answers > questions { Err(Status::internal("more answers than questions")) } else { Ok(()) }
}

fn transcode<T: Message + Default>(message: &impl Message) -> Result<T, Status> {
    T::decode(message.encode_to_vec().as_slice()).map_err(|error| Status::internal(error.to_string()))
}

/// What an error of the server means; its words are cut and in quotes: they go onto other people's screens.
fn unread(status: Status) -> Unread {
    if let Some(lost) = transport::Error::behind(&status) {
        return Unread::Silent(lost.to_string());
    }
    let words: String = status.message().chars().take(200).collect();
    match status.code() {
        Code::Unimplemented => Unread::NoReflection,
        code => Unread::Refused(format!("{code:?}: {words:?}")),
    }
}
