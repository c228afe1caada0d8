//! A contract of usual size: a service of five methods, and twelve messages with their fields.

use portolan::model::ServiceName;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};

const METHODS: [&str; 5] = ["Create", "Get", "List", "Delete", "Watch"];
const FIELDS: [&str; 6] = ["name", "display_name", "description", "page_token", "filter", "etag"];

/// The descriptor set of a service.
pub(crate) fn descriptors(service: &ServiceName) -> FileDescriptorSet {
    let (package, short) = service.as_str().rsplit_once('.').unwrap();
    let messages =
        METHODS.iter().flat_map(|method| [format!("{method}Request"), format!("{method}Response")]);
    let messages = messages.chain(["Resource".to_owned(), "Condition".to_owned()]);
    let methods = METHODS.iter().map(|method| MethodDescriptorProto {
        name: Some((*method).to_owned()),
        input_type: Some(format!(".{package}.{method}Request")),
        output_type: Some(format!(".{package}.{method}Response")),
        server_streaming: Some(*method == "Watch"),
        ..Default::default()
    });
    let file = FileDescriptorProto {
        name: Some(format!("{}/service.proto", package.replace('.', "/"))),
        package: Some(package.to_owned()),
        message_type: messages.map(message).collect(),
        service: vec![ServiceDescriptorProto {
            name: Some(short.to_owned()),
            method: methods.collect(),
            options: None,
        }],
        syntax: Some("proto3".to_owned()),
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }
}

fn message(name: String) -> DescriptorProto {
    let fields = FIELDS.iter().zip(1..).map(|(field, number)| FieldDescriptorProto {
        name: Some((*field).to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::String.into()),
        ..Default::default()
    });
    DescriptorProto { name: Some(name), field: fields.collect(), ..Default::default() }
}
