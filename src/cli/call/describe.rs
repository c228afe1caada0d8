//! What descriptors say, written as one would write it in a `.proto` file.

use anyhow::{Context as _, bail};
use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    ServiceDescriptor,
};
use std::fmt::Write as _;

/// The full names of a service's methods, one a line.
pub(super) fn methods(service: &ServiceDescriptor) -> String {
    service
        .methods()
        .map(|method| format!("{}/{}", service.full_name(), method.name()))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A service, method, message, enum or field by its full name.
pub(super) fn symbol(pool: &DescriptorPool, name: &str) -> anyhow::Result<String> {
    if let Some(found) = pool.get_service_by_name(name) {
        return Ok(service(&found));
    }
    if let Some(found) = pool.get_message_by_name(name) {
        return Ok(message(&found));
    }
    if let Some(found) = pool.get_enum_by_name(name) {
        return Ok(enumeration(&found));
    }
    let (parent, last) = name.rsplit_once('.').context("a symbol has a package")?;
    if let Some(found) = pool.get_service_by_name(parent).and_then(|s| s.methods().find(|m| m.name() == last))
    {
        let messages = [found.input(), found.output()].map(|kind| message(&kind));
        return Ok(format!("{}\n\n{}", method(&found), messages.join("\n\n")));
    }
    if let Some(found) = pool.get_message_by_name(parent).and_then(|m| m.get_field_by_name(last)) {
        return Ok(field(&found));
    }
    bail!("{name} is there, but is no service, method, message, enum or field")
}

/// A service with its methods.
pub(super) fn service(service: &ServiceDescriptor) -> String {
    let mut text = format!("service {} {{\n", service.full_name());
    for found in service.methods() {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  {}", method(&found));
    }
    text + "}"
}

/// One line: `rpc Get(.a.Request) returns (stream .a.Response);`
pub(super) fn method(method: &MethodDescriptor) -> String {
    let stream = |is: bool| if is { "stream " } else { "" };
    format!(
        "rpc {}({}.{}) returns ({}.{});",
        method.name(),
        stream(method.is_client_streaming()),
        method.input().full_name(),
        stream(method.is_server_streaming()),
        method.output().full_name()
    )
}

fn message(message: &MessageDescriptor) -> String {
    let mut text = format!("message {} {{\n", message.full_name());
    let is_alone =
        |field: &FieldDescriptor| field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic());
    for found in message.fields().filter(is_alone) {
        let _ = writeln!(text, "  {}", field(&found));
    }
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let _ = writeln!(text, "  oneof {} {{", oneof.name());
        for found in oneof.fields() {
            let _ = writeln!(text, "    {}", field(&found));
        }
        text += "  }\n";
    }
    text + "}"
}

fn enumeration(kind: &EnumDescriptor) -> String {
    let mut text = format!("enum {} {{\n", kind.full_name());
    for value in kind.values() {
        let _ = writeln!(text, "  {} = {};", value.name(), value.number());
    }
    text + "}"
}

fn field(field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            format!(
                "map<{}, {}>",
                word(&entry.map_entry_key_field().kind()),
                word(&entry.map_entry_value_field().kind())
            )
        }
        kind => {
            let label = match field.cardinality() {
                Cardinality::Repeated => "repeated ",
                Cardinality::Required => "required ",
                Cardinality::Optional
                    if field.supports_presence() && field.field_descriptor_proto().proto3_optional() =>
                {
                    "optional "
                }
                Cardinality::Optional => "",
            };
            format!("{label}{}", word(&kind))
        }
    };
    format!("{kind} {} = {};", field.name(), field.number())
}

fn word(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => format!(".{}", message.full_name()),
        Kind::Enum(kind) => format!(".{}", kind.full_name()),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output;

    #[test]
    fn symbols_read_like_their_source() {
        let pool = output::pool().unwrap();
        let told = symbol(pool, "portolan.status.v1.StatusService").unwrap();
        assert!(told.contains("  rpc WatchStatus(.portolan.status.v1.WatchStatusRequest) returns (stream .portolan.status.v1.WatchStatusResponse);"), "{told}");
        let told = symbol(pool, "portolan.catalog.v1.Version").unwrap();
        for line in [
            "  repeated string services = 3;",
            "  .portolan.catalog.v1.Stage stage = 7;",
            "  bool describable = 13;",
        ] {
            assert!(told.contains(line), "{told}");
        }
        assert!(symbol(pool, "portolan.catalog.v1.Stage").unwrap().contains("  STAGE_STABLE = 3;"));
        assert!(symbol(pool, "google.rpc.ErrorInfo").unwrap().contains("map<string, string> metadata = 3;"));
        assert!(
            symbol(pool, "portolan.catalog.v1.CatalogService.GetVersion")
                .unwrap()
                .starts_with("rpc GetVersion(")
        );
        assert!(symbol(pool, "portolan.catalog.v1").is_err());
    }
}
