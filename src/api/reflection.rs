//! `grpc.reflection`, v1 and v1alpha: describes every producer of the federation that the caller may see, also while it
//! is offline.
//!
//! A question that has no answer gets an `error_response`, and the stream lives on. One answer is made at a time, and
//! only when the client takes it.

mod answer;
mod eyes;

use super::caller::caller;
use super::fault::Fault;
use crate::access::Policy;
use crate::catalog;
use crate::descriptors::{self, Set};
use crate::lifecycle::Shutdown;
use crate::model::ServiceName;
use answer::{Answer, Question};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use std::sync::Arc;
use tonic::{Request, Response, Status, Streaming};

/// No question is longer than a name.
const LARGEST_QUESTION: usize = 64 << 10;

/// Answers reflection in both versions.
#[derive(Debug, Clone)]
pub struct Reflection {
    own: Arc<[ServiceName]>,
    catalog: catalog::Reader,
    descriptors: descriptors::Reader,
    policy: Arc<Policy>,
    shutdown: Shutdown,
}

impl Reflection {
    /// Reflection over a federation; `own` are the descriptors of what this broker itself implements, as the index has
    /// them too.
    pub fn new(
        own: &Set,
        catalog: catalog::Reader,
        descriptors: descriptors::Reader,
        policy: Arc<Policy>,
        shutdown: Shutdown,
    ) -> Self {
        Self { own: own.services().cloned().collect(), catalog, descriptors, policy, shutdown }
    }

    /// The questions of a client. What has arrived is answered; then a broker that drains ends the stream and says so.
    fn until_drained<Q>(&self, questions: Streaming<Q>) -> impl Stream<Item = Result<Q, Status>> + use<Q>
    where
        Q: Send + 'static,
    {
        let open = Some((questions, self.shutdown.clone()));
        futures::stream::unfold(open, async |open| {
            let (mut questions, shutdown) = open?;
            tokio::select! {
                biased;
                question = questions.next() => Some((question?, Some((questions, shutdown)))),
                () = shutdown.requested() => {
                    Some((Err(Fault::draining().into()), None))
                }
            }
        })
    }
}

/// Speaks one version of the protocol; they differ in nothing but the package.
macro_rules! speak {
    ($version:ident, $server:ident, $name:literal) => {
        use super::*;
        use crate::wire::pb::grpc::reflection::$version::server_reflection_request::MessageRequest as Asked;
        use crate::wire::pb::grpc::reflection::$version::server_reflection_response::MessageResponse as Told;
        use crate::wire::pb::grpc::reflection::$version::server_reflection_server::{
            ServerReflection, ServerReflectionServer,
        };
        use crate::wire::pb::grpc::reflection::$version::{
            ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
            ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
        };

        impl Reflection {
            #[doc = concat!("The service `grpc.reflection.", $name, ".ServerReflection`.")]
            pub fn $server(&self) -> ServerReflectionServer<Self> {
                ServerReflectionServer::new(self.clone()).max_decoding_message_size(LARGEST_QUESTION)
            }
        }

        #[tonic::async_trait]
        impl ServerReflection for Reflection {
            type ServerReflectionInfoStream = BoxStream<'static, Result<ServerReflectionResponse, Status>>;

            async fn server_reflection_info(
                &self,
                request: Request<Streaming<ServerReflectionRequest>>,
            ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
                let caller = caller(&request)?;
                let this = self.clone();
                let answers = this.until_drained(request.into_inner()).map(move |request| {
                    let request = request?;
                    let told = told(this.eyes(&caller).answer(question(&request)));
                    Ok(ServerReflectionResponse {
                        valid_host: request.host.clone(),
                        original_request: Some(request),
                        message_response: Some(told),
                    })
                });
                Ok(Response::new(answers.boxed()))
            }
        }

        fn question(request: &ServerReflectionRequest) -> Option<Question<'_>> {
            Some(match request.message_request.as_ref()? {
                Asked::FileByFilename(name) => Question::File(name),
                Asked::FileContainingSymbol(symbol) => Question::Symbol(symbol),
                Asked::FileContainingExtension(extension) => {
                    Question::Extension(&extension.containing_type, extension.extension_number)
                }
                Asked::AllExtensionNumbersOfType(name) => Question::ExtensionNumbers(name),
                Asked::ListServices(_) => Question::Services,
            })
        }

        fn told(answer: Result<Answer, Fault>) -> Told {
            match answer {
                Ok(Answer::Files(file_descriptor_proto)) => {
                    Told::FileDescriptorResponse(FileDescriptorResponse { file_descriptor_proto })
                }
                Ok(Answer::ExtensionNumbers(base_type_name, extension_number)) => {
                    Told::AllExtensionNumbersResponse(ExtensionNumberResponse {
                        base_type_name,
                        extension_number,
                    })
                }
                Ok(Answer::Services(names)) => {
                    let service = names.into_iter().map(|name| ServiceResponse { name }).collect();
                    Told::ListServicesResponse(ListServiceResponse { service })
                }
                Err(fault) => {
                    let status = Status::from(fault);
                    let (error_code, error_message) = (status.code() as i32, status.message().to_owned());
                    Told::ErrorResponse(ErrorResponse { error_code, error_message })
                }
            }
        }
    };
}

/// `grpc.reflection.v1`.
mod v1 {
    speak!(v1, v1, "v1");
}

/// `grpc.reflection.v1alpha`: what most tools still ask first.
mod v1alpha {
    speak!(v1alpha, v1alpha, "v1alpha");
}

#[cfg(test)]
mod tests;
