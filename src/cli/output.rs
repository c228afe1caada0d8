//! What is printed: tables for people, JSON for programs, and nothing that could steer a terminal.

use crate::client;
use anyhow::Context as _;
use comfy_table::{ContentArrangement, Table, presets};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;
use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// For people
    Table,
    /// For programs
    Json,
}

/// Our own messages, and the standard details of errors.
static POOL: LazyLock<Result<DescriptorPool, prost_reflect::DescriptorError>> = LazyLock::new(|| {
    let mut pool = DescriptorPool::decode(client::DESCRIPTORS)?;
    pool.decode_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)?;
    Ok(pool)
});

/// Prints a line.
pub(super) fn say(text: impl AsRef<str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref().as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Prints bytes as they are.
pub(super) fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// A table with this header, as wide as the terminal, or as wide as it needs where none is.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    if std::env::var_os("NO_COLOR").is_some() {
        table.force_no_tty();
    }
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

/// Prints a table, flush left and without the blanks at the ends of its lines.
pub(super) fn show(mut table: Table) -> io::Result<()> {
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    say(lines.join("\n"))
}

/// Text of others, with everything escaped that a terminal could obey.
pub(super) fn clean(text: &str) -> String {
    let is_harmless = |c: char| (!c.is_control() && !client::is_invisible(c)) || c == '\n' || c == '\t';
    text.chars()
        .map(|c| if is_harmless(c) { c.to_string() } else { c.escape_default().to_string() })
        .collect()
}

/// `1 fault`, `2 faults`.
pub(super) fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// One of our own messages as proto JSON, with fields that are empty.
pub(super) fn json(name: &str, message: &impl Message) -> anyhow::Result<Value> {
    let pool = pool()?;
    let descriptor = pool.get_message_by_name(name).with_context(|| format!("no message {name} is known"))?;
    dynamic_json(&DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?)
}

/// Any message as proto JSON, with fields that are empty.
pub(super) fn dynamic_json(message: &DynamicMessage) -> anyhow::Result<Value> {
    let options = SerializeOptions::new().skip_default_fields(false);
    Ok(message.serialize_with_options(serde_json::value::Serializer, &options)?)
}

/// Any message as readable proto JSON, its fields in the order of the descriptor.
pub(super) fn dynamic_text(message: &DynamicMessage) -> anyhow::Result<String> {
    let mut text = Vec::new();
    let options = SerializeOptions::new().skip_default_fields(false);
    message.serialize_with_options(&mut serde_json::Serializer::pretty(&mut text), &options)?;
    Ok(String::from_utf8(text)?)
}

/// The messages that we know ourselves.
pub(super) fn pool() -> anyhow::Result<&'static DescriptorPool> {
    POOL.as_ref().map_err(|error| anyhow::anyhow!("our own descriptors cannot be read: {error}"))
}

/// The value of an enum without the prefix that proto gives it.
pub(super) fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

/// The last part of a resource name.
pub(super) fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_cannot_steer_a_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\r\u{7}\nc"), "a\\u{1b}[31mb\\r\\u{7}\nc");
    }

    #[test]
    fn our_own_messages_have_a_json_form() {
        let platform =
            client::pb::portolan::catalog::v1::Platform { name: "platforms/x".into(), ..Default::default() };
        let json = json("portolan.catalog.v1.Platform", &platform).unwrap();
        assert_eq!((json["name"].as_str(), json["capabilityCount"].as_i64()), (Some("platforms/x"), Some(0)));
    }
}
