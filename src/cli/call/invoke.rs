//! One call of any kind: messages in as they are read, answers out as they arrive.

use crate::cli::call::codec::Dynamic;
use crate::cli::call::input::Source;
use crate::cli::call::{Extras, answer};
use crate::cli::output;
use crate::client::Channel;
use futures::stream::{self, BoxStream, StreamExt as _};
use http::uri::PathAndQuery;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use std::future::pending;
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

/// So much longer than the deadline is waited: what the server says about it is worth more than our own words.
const GRACE: Duration = Duration::from_millis(200);

pub(super) async fn run(
    channel: Channel,
    method: MethodDescriptor,
    source: Source,
    extras: Extras,
) -> anyhow::Result<ExitCode> {
    let (messages, mut faults) = if method.is_client_streaming() {
        source.many(&method.input())?
    } else {
        (stream::iter([source.one(&method.input())?]).boxed(), mpsc::channel(1).1)
    };
    let mut request = Request::new(messages);
    *request.metadata_mut() = extras.metadata;
    if let Some(deadline) = extras.deadline {
        request.set_timeout(deadline);
    }

    let over = async {
        match extras.deadline {
            Some(deadline) => tokio::time::sleep(deadline + GRACE).await,
            None => pending().await,
        }
    };
    let status = tokio::select! {
        biased;
        // The message that cannot be read came before the end of the stream that it causes.
        Some(fault) = faults.recv() => return Err(fault),
        ended = exchange(channel, &method, request, (extras.verbose, extras.explain)) => match ended? {
            Ok(()) => return Ok(ExitCode::SUCCESS),
            Err(status) => status,
        },
        () = over => Status::deadline_exceeded("no answer before the deadline"),
    };
    answer::tell(&status);
    Ok(answer::code(&status))
}

/// Sends, prints every answer, and ends with the status of the call; the outer error is ours.
async fn exchange(
    channel: Channel,
    method: &MethodDescriptor,
    request: Request<BoxStream<'static, DynamicMessage>>,
    (verbose, explain): (bool, bool),
) -> anyhow::Result<Result<(), Status>> {
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let mut grpc = Grpc::new(channel).max_decoding_message_size(usize::MAX);
    let answered = grpc.streaming(request, PathAndQuery::try_from(path)?, Dynamic::new(method)).await;
    let mut answers = match answered {
        Ok(response) => {
            if verbose {
                answer::tell_metadata("header", response.metadata());
            }
            response.into_inner()
        }
        Err(status) => {
            tell_trailers(status.metadata(), verbose, explain);
            return Ok(Err(status));
        }
    };
    loop {
        match answers.message().await {
            Ok(Some(message)) => output::say(output::dynamic_text(&message)?)?,
            Ok(None) => break,
            Err(status) => {
                tell_trailers(status.metadata(), verbose, explain);
                return Ok(Err(status));
            }
        }
    }
    match answers.trailers().await {
        Ok(trailers) => {
            tell_trailers(&trailers.unwrap_or_default(), verbose, explain);
            Ok(Ok(()))
        }
        Err(status) => {
            tell_trailers(status.metadata(), verbose, explain);
            Ok(Err(status))
        }
    }
}

fn tell_trailers(trailers: &MetadataMap, verbose: bool, explain: bool) {
    if verbose {
        answer::tell_metadata("trailer", trailers);
    }
    if explain {
        answer::tell_explanation(trailers);
    }
}
