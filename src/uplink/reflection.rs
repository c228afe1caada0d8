//! Reads what an unmodified server says of itself: grpc.reflection.v1, and v1alpha where that is all it has.

mod files;

use super::{Error, Pool};
use crate::model::{Endpoint, Producer, ServiceName, TrustDomain};
use crate::transport::{self, Channel, client};
use crate::wire::pb::grpc::reflection::{v1, v1alpha};
use files::Files;
use http::uri::Authority;
use prost::Message;
use std::time::Duration;
use tonic::{Code, Status};
use v1::server_reflection_request::MessageRequest as Question;
use v1::server_reflection_response::MessageResponse as Answer;

/// Rounds of asking for imports that are still missing: a well-behaved server needs one.
const ROUNDS: usize = 32;
/// Services that are looked at.
const SERVICES: usize = 5_000;
/// How much a server may say in all, as a multiple of what is kept: many repeat imports with each service.
const REPEATED: usize = 16;

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
        let authority = Authority::try_from(endpoint.address.authority());
        let authority = authority.unwrap_or_else(|_| Authority::from_static("producer.invalid"));
        let channel = Channel::new(connection.clone(), authority);
        let mut reader = Reader { channel, is_old: false, largest, left: largest.saturating_mul(REPEATED) };
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
    /// Bytes of one answer, and of all that is kept.
    largest: usize,
    /// Bytes that the server may still say.
    left: usize,
}

impl Reader {
    /// The names of what is served and wanted. A name that is none is not ours to judge: it is left out.
    async fn services(&mut self, wanted: impl Fn(&ServiceName) -> bool) -> Result<Vec<ServiceName>, Unread> {
        let mut listed = None;
        self.ask(vec![Question::ListServices(String::new())], |answer| {
            listed = Some(answer);
            Ok(())
        })
        .await?;
        let Some(Answer::ListServicesResponse(list)) = listed else {
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
        let (mut files, largest) = (Files::default(), self.largest);
        let mut questions: Vec<_> =
            services.iter().map(|service| Question::FileContainingSymbol(service.to_string())).collect();
        for _ in 0..ROUNDS {
            if questions.is_empty() {
                break;
            }
            self.ask(questions, |answer| match answer {
                Answer::FileDescriptorResponse(found) => {
                    found.file_descriptor_proto.iter().try_for_each(|file| files.take(file, largest))
                }
                // A file that the server does not give is missing; whoever screens the set says what follows.
                Answer::ErrorResponse(_) => Ok(()),
                _ => Err(Unread::Malformed("an answer to another question".to_owned())),
            })
            .await?;
            questions = files.missing().into_iter().map(Question::FileByFilename).collect();
        }
        Ok(files.set())
    }

    /// Asks, and gives each answer as it comes: none is kept but by `take`.
    async fn ask(
        &mut self,
        questions: Vec<Question>,
        mut take: impl FnMut(Answer) -> Result<(), Unread>,
    ) -> Result<(), Unread> {
        if !self.is_old {
            match self.ask_v1(questions.clone(), &mut take).await {
                Err(Unread::NoReflection) => self.is_old = true,
                outcome => return outcome,
            }
        }
        self.ask_v1alpha(questions, &mut take).await
    }

    async fn ask_v1(
        &mut self,
        questions: Vec<Question>,
        take: &mut impl FnMut(Answer) -> Result<(), Unread>,
    ) -> Result<(), Unread> {
        let mut client = v1::server_reflection_client::ServerReflectionClient::new(self.channel.clone())
            .max_decoding_message_size(self.largest);
        let mut due = questions.len();
        let questions = futures::stream::iter(questions.into_iter().map(request).collect::<Vec<_>>());
        let mut stream = client.server_reflection_info(questions).await.map_err(unread)?.into_inner();
        while let Some(answer) = stream.message().await.map_err(unread)? {
            self.count(&answer, &mut due).await?;
            answer.message_response.map_or(Ok(()), &mut *take)?;
        }
        Ok(())
    }

    /// The older version has the same messages under another package.
    async fn ask_v1alpha(
        &mut self,
        questions: Vec<Question>,
        take: &mut impl FnMut(Answer) -> Result<(), Unread>,
    ) -> Result<(), Unread> {
        let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(self.channel.clone())
            .max_decoding_message_size(self.largest);
        let mut due = questions.len();
        let old = |question| transcode::<v1alpha::ServerReflectionRequest>(&request(question));
        let questions = questions.into_iter().map(old).collect::<Result<Vec<_>, _>>()?;
        let questions = futures::stream::iter(questions);
        let mut stream = client.server_reflection_info(questions).await.map_err(unread)?.into_inner();
        while let Some(answer) = stream.message().await.map_err(unread)? {
            self.count(&answer, &mut due).await?;
            let answer: v1::ServerReflectionResponse = transcode(&answer)?;
            answer.message_response.map_or(Ok(()), &mut *take)?;
        }
        Ok(())
    }

    /// Counts one answer. Others have a turn before it is read: of a server that never pauses, the deadline must be seen.
    async fn count(&mut self, answer: &impl Message, due: &mut usize) -> Result<(), Unread> {
        let too_much = Unread::TooMuch { what: "bytes", limit: self.largest.saturating_mul(REPEATED) };
        self.left = self.left.checked_sub(answer.encoded_len()).ok_or(too_much)?;
        let more = || Unread::Malformed("more answers than questions".to_owned());
        *due = due.checked_sub(1).ok_or_else(more)?;
        tokio::task::yield_now().await;
        Ok(())
    }
}

fn request(question: Question) -> v1::ServerReflectionRequest {
    v1::ServerReflectionRequest { host: String::new(), message_request: Some(question) }
}

fn transcode<T: Message + Default>(message: &impl Message) -> Result<T, Unread> {
    T::decode(message.encode_to_vec().as_slice()).map_err(|error| Unread::Malformed(error.to_string()))
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
