//! Messages whose type is known only at run time, for tonic.

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Encodes the requests of one method and decodes its answers.
#[derive(Debug, Clone)]
pub(super) struct Dynamic {
    answer: MessageDescriptor,
}

impl Dynamic {
    pub(super) fn new(method: &MethodDescriptor) -> Self {
        Self { answer: method.output() }
    }
}

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Requests;
    type Decoder = Answers;

    fn encoder(&mut self) -> Requests {
        Requests
    }

    fn decoder(&mut self) -> Answers {
        Answers(self.answer.clone())
    }
}

#[derive(Debug)]
pub(super) struct Requests;

impl Encoder for Requests {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(into).map_err(|error| Status::internal(error.to_string()))
    }
}

#[derive(Debug)]
pub(super) struct Answers(MessageDescriptor);

impl Decoder for Answers {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let decoded = DynamicMessage::decode(self.0.clone(), from);
        let wrong = |error| Status::internal(format!("the answer is not a {}: {error}", self.0.full_name()));
        decoded.map(Some).map_err(wrong)
    }
}
