//! What can be called and what its messages look like: server reflection, v1 and then v1alpha.

use crate::cli::call::answer::one_line;
use crate::cli::call::screen::Files;
use crate::cli::output;
use crate::client::Channel;
use crate::client::pb::grpc::reflection::{v1, v1alpha};
use anyhow::{anyhow, bail};
use prost::Message;
use prost_reflect::{DescriptorPool, MethodDescriptor, ServiceDescriptor};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request};
use v1::server_reflection_request::MessageRequest as Question;
use v1::server_reflection_response::MessageResponse as Answer;

/// Rounds of asking for imports that are still missing: a well-behaved server needs one.
const ROUNDS: usize = 32;

/// Asks a server what it serves.
pub(super) struct Reflection {
    channel: Channel,
    metadata: MetadataMap,
    known: Option<DescriptorPool>,
    is_old: bool,
}

impl Reflection {
    /// Asks over `channel`, with `metadata`: it may steer which platform answers. Nobody is asked if all is `known`.
    pub(super) fn new(channel: Channel, metadata: MetadataMap, known: Option<DescriptorPool>) -> Self {
        Self { channel, metadata, known, is_old: false }
    }

    /// The names of all services, sorted.
    pub(super) async fn services(&mut self) -> anyhow::Result<Vec<String>> {
        if let Some(pool) = &self.known {
            return Ok(pool.services().map(|service| service.full_name().to_owned()).collect());
        }
        let Some(Answer::ListServicesResponse(list)) =
            self.ask(vec![Question::ListServices(String::new())]).await?.pop()
        else {
            bail!("the list of services has no answer");
        };
        let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
        names.sort();
        Ok(names)
    }

    /// A method and its messages.
    pub(super) async fn method(&mut self, service: &str, method: &str) -> anyhow::Result<MethodDescriptor> {
        let found = self.service(service).await?;
        let named = found.methods().find(|candidate| candidate.name() == method);
        named.ok_or_else(|| {
            let names: Vec<_> = found.methods().map(|method| method.name().to_owned()).collect();
            anyhow!("{service} has no method {method}; it has {}", names.join(", "))
        })
    }

    /// A service with its methods.
    pub(super) async fn service(&mut self, name: &str) -> anyhow::Result<ServiceDescriptor> {
        let pool = self.pool(name).await?;
        pool.get_service_by_name(name)
            .ok_or_else(|| anyhow!("{name} is not a service that is described there"))
    }

    /// The file that defines a symbol, with all that it imports.
    pub(super) async fn pool(&mut self, symbol: &str) -> anyhow::Result<DescriptorPool> {
        if let Some(pool) = &self.known {
            return Ok(pool.clone());
        }
        let mut files = Files::default();
        let mut questions = vec![Question::FileContainingSymbol(symbol.to_owned())];
        for _ in 0..ROUNDS {
            for answer in self.ask(questions).await? {
                match answer {
                    Answer::FileDescriptorResponse(found) => {
                        for bytes in &found.file_descriptor_proto {
                            files.take(bytes)?;
                        }
                    }
                    Answer::ErrorResponse(error) if error.error_code == Code::NotFound as i32 => bail!(
                        "{symbol} is not known there: it does not exist, cannot be described, or you may not see it; `portolan call list` shows what there is"
                    ),
                    Answer::ErrorResponse(error) => {
                        bail!("{symbol} cannot be described: {}", error.error_message)
                    }
                    _ => bail!("{symbol} has an answer to another question"),
                }
            }
            let missing = files.missing();
            if missing.is_empty() {
                return files.pool();
            }
            questions = self.without_our_own(missing, &mut files)?;
            if questions.is_empty() {
                return files.pool();
            }
        }
        bail!("the imports of {symbol} have no end");
    }

    /// Google's own files are known here, should the server leave them out.
    fn without_our_own(&self, missing: Vec<String>, files: &mut Files) -> anyhow::Result<Vec<Question>> {
        let mut questions = Vec::new();
        for name in missing {
            match output::pool()?.get_file_by_name(&name).filter(|_| name.starts_with("google/protobuf/")) {
                Some(file) => {
                    files.take(&file.encode_to_vec())?;
                }
                None => questions.push(Question::FileByFilename(name)),
            }
        }
        Ok(questions)
    }

    /// One stream, all questions, all answers.
    async fn ask(&mut self, questions: Vec<Question>) -> anyhow::Result<Vec<Answer>> {
        if !self.is_old {
            match self.ask_v1(questions.clone()).await {
                Err(status) if status.code() == Code::Unimplemented => self.is_old = true,
                answers => return answers.map_err(|status| unanswered(&status)),
            }
        }
        self.ask_v1alpha(questions).await.map_err(|status| match status.code() {
            Code::Unimplemented => {
                anyhow!("the server does not support reflection, so that nothing is known of its methods")
            }
            _ => unanswered(&status),
        })
    }

    async fn ask_v1(&self, questions: Vec<Question>) -> Result<Vec<Answer>, tonic::Status> {
        let mut client = v1::server_reflection_client::ServerReflectionClient::new(self.channel.clone())
            .max_decoding_message_size(usize::MAX);
        let request =
            |question| v1::ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        let questions = futures::stream::iter(questions.into_iter().map(request).collect::<Vec<_>>());
        let mut stream = client.server_reflection_info(self.request(questions)).await?.into_inner();
        let mut answers = Vec::new();
        while let Some(answer) = stream.message().await? {
            answers.extend(answer.message_response);
        }
        Ok(answers)
    }

    /// The older version has the same messages under another package.
    async fn ask_v1alpha(&self, questions: Vec<Question>) -> Result<Vec<Answer>, tonic::Status> {
        let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(self.channel.clone())
            .max_decoding_message_size(usize::MAX);
        let old = |question| {
            let request =
                v1::ServerReflectionRequest { host: String::new(), message_request: Some(question) };
            transcode::<v1alpha::ServerReflectionRequest>(&request)
        };
        let questions = questions.into_iter().map(old).collect::<Result<Vec<_>, _>>()?;
        let request = self.request(futures::stream::iter(questions));
        let mut stream = client.server_reflection_info(request).await?.into_inner();
        let mut answers = Vec::new();
        while let Some(answer) = stream.message().await? {
            answers.extend(transcode::<v1::ServerReflectionResponse>(&answer)?.message_response);
        }
        Ok(answers)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        request
    }
}

fn transcode<T: Message + Default>(message: &impl Message) -> Result<T, tonic::Status> {
    T::decode(message.encode_to_vec().as_slice()).map_err(|error| tonic::Status::internal(error.to_string()))
}

fn unanswered(status: &tonic::Status) -> anyhow::Error {
    anyhow!("reflection failed: {}", one_line(status))
}
