//! Contracts from strangers, registered and read over the wire (dependencies.md §2, attacks.md R2).

use crate::fixture::{Consumer, Hub, Organisation, World};
use portolan::wire::pb::grpc::reflection::v1::server_reflection_client::ServerReflectionClient;
use portolan::wire::pb::grpc::reflection::v1::server_reflection_request::MessageRequest;
use portolan::wire::pb::grpc::reflection::v1::server_reflection_response::MessageResponse;
use portolan::wire::pb::grpc::reflection::v1::{ExtensionRequest, ServerReflectionRequest};
use portolan::wire::pb::portolan::catalog::v1::{Endpoint, Stage};
use portolan::wire::pb::portolan::registry::v1::registry_service_client::RegistryServiceClient;
use portolan::wire::pb::portolan::registry::v1::{CapabilityVersion, RegisterProducerRequest};
use prost::Message;
use prost_types::{
    DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};
use std::time::Duration;
use tokio::time::timeout;
use tonic::{Code, Status};

/// A file with one service `S` of one method, on messages of its own.
fn file(name: &str, package: &str, message: &str, syntax: &str) -> FileDescriptorProto {
    let method = MethodDescriptorProto {
        name: Some("Do".into()),
        input_type: Some(format!(".{package}.{message}")),
        output_type: Some(format!(".{package}.{message}")),
        ..Default::default()
    };
    let service =
        ServiceDescriptorProto { name: Some("S".into()), method: vec![method], ..Default::default() };
    FileDescriptorProto {
        name: Some(name.into()),
        package: Some(package.into()),
        message_type: vec![DescriptorProto { name: Some(message.into()), ..Default::default() }],
        service: vec![service],
        syntax: Some(syntax.into()),
        ..Default::default()
    }
}

async fn register(
    organisation: &Organisation,
    hub: &Hub,
    service: &str,
    descriptor_set: Vec<u8>,
) -> Result<(), Status> {
    let consumer = Consumer::connect(organisation, "/producer", hub).await;
    let id = service.to_lowercase().replace('.', "-");
    let version = CapabilityVersion {
        capability: id.clone(),
        version: "1.0.0".into(),
        services: vec![service.into()],
        descriptor_set: descriptor_set.into(),
        owner: "team".into(),
        contact: "team@example".into(),
        stage: Stage::Stable.into(),
        visibility: vec!["*".into()],
        ..Default::default()
    };
    let request = RegisterProducerRequest {
        platform: organisation.name.clone(),
        producer: id,
        endpoints: vec![Endpoint { address: "127.0.0.1:9".into(), ..Default::default() }],
        versions: vec![version],
        ..Default::default()
    };
    RegistryServiceClient::new(consumer.channel()).register_producer(request).await.map(drop)
}

fn set(files: &[FileDescriptorProto]) -> Vec<u8> {
    FileDescriptorSet { file: files.to_vec() }.encode_to_vec()
}

/// All answers to these questions, asked on one stream.
async fn ask(organisation: &Organisation, hub: &Hub, questions: Vec<MessageRequest>) -> Vec<MessageResponse> {
    let consumer = Consumer::connect(organisation, "/reader", hub).await;
    let mut client = ServerReflectionClient::new(consumer.channel());
    let question =
        |question| ServerReflectionRequest { message_request: Some(question), ..Default::default() };
    let questions = futures::stream::iter(questions.into_iter().map(question).collect::<Vec<_>>());
    let mut answers = client.server_reflection_info(questions).await.unwrap().into_inner();
    let mut all = Vec::new();
    let whole = async {
        while let Some(answer) = answers.message().await.unwrap() {
            all.push(answer.message_response.unwrap());
        }
    };
    timeout(Duration::from_secs(10), whole).await.expect("an answer to each");
    all
}

fn symbol(name: &str) -> MessageRequest {
    MessageRequest::FileContainingSymbol(name.into())
}

fn files(answer: &MessageResponse) -> Vec<FileDescriptorProto> {
    match answer {
        MessageResponse::FileDescriptorResponse(response) => {
            let bytes = response.file_descriptor_proto.iter();
            bytes.map(|bytes| FileDescriptorProto::decode(bytes.clone()).unwrap()).collect()
        }
        other => panic!("no files: {other:?}"),
    }
}

#[tokio::test]
async fn trap_2_1_a_syntax_that_no_library_knows_panics_nothing() {
    let world = World::new();
    let hub = world.broker().start().await;
    for (n, syntax) in ["editions", "proto9", "", "\u{0}", "proto2 "].into_iter().enumerate() {
        let package = format!("pay.v{n}");
        let odd = set(&[file(&format!("pay/v{n}.proto"), &package, "M", syntax)]);
        // Taken or refused, it is said by a status, and nobody else notices.
        if let Err(refused) = register(&world.payments, &hub, &format!("{package}.S"), odd).await {
            assert_eq!(refused.code(), Code::InvalidArgument, "{syntax:?}: {refused:?}");
        }
    }
    for (n, bytes) in
        [vec![0xff; 4096], vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f], vec![]].into_iter().enumerate()
    {
        if let Err(refused) = register(&world.payments, &hub, &format!("pay.x{n}.S"), bytes).await {
            assert_eq!(refused.code(), Code::InvalidArgument, "{n}: {refused:?}");
        }
    }
    let good = set(&[file("dat/v1.proto", "dat.v1", "M", "proto3")]);
    register(&world.data, &hub, "dat.v1.S", good).await.unwrap();
    let answers = ask(&world.ml, &hub, vec![symbol("dat.v1.S"), symbol("pay.v0.S")]).await;
    assert_eq!(files(&answers[0]).len(), 1);
}

#[tokio::test]
async fn trap_2_2_two_files_of_one_name_stay_describable() {
    let world = World::new();
    let hub = world.broker().start().await;
    let pay = set(&[file("common.proto", "pay.v1", "Cash", "proto3")]);
    let dat = set(&[file("common.proto", "dat.v1", "Row", "proto3")]);
    register(&world.payments, &hub, "pay.v1.S", pay).await.unwrap();
    register(&world.data, &hub, "dat.v1.S", dat).await.unwrap();
    let answers = ask(&world.ml, &hub, vec![symbol("pay.v1.Cash"), symbol("dat.v1.Row")]).await;
    let (pay, dat) = (files(&answers[0]), files(&answers[1]));
    assert_eq!(pay[0].message_type[0].name(), "Cash");
    assert_eq!(dat[0].message_type[0].name(), "Row");
    assert_ne!(pay[0].name(), dat[0].name(), "one reader can hold both");
}

#[tokio::test]
async fn trap_2_3_a_miss_is_an_answer_and_the_stream_lives_on() {
    let world = World::new();
    let hub = world.broker().start().await;
    let good = set(&[file("pay/v1.proto", "pay.v1", "M", "proto3")]);
    register(&world.payments, &hub, "pay.v1.S", good).await.unwrap();
    let extension = ExtensionRequest { containing_type: "pay.v1.M".into(), extension_number: 7 };
    let questions = vec![
        symbol("nobody.v1.S"),
        MessageRequest::FileByFilename("nowhere.proto".into()),
        MessageRequest::FileContainingExtension(extension),
        symbol("pay.v1.S"),
    ];
    let answers = ask(&world.ml, &hub, questions).await;
    for miss in &answers[..3] {
        let MessageResponse::ErrorResponse(error) = miss else { panic!("no error: {miss:?}") };
        assert_eq!(error.error_code, Code::NotFound as i32);
    }
    assert_eq!(files(&answers[3])[0].name(), "pay/v1.proto");
}
