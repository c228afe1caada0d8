//! One line: which fields there are, and how each is written.

use super::super::escape;
use super::super::status;
use crate::model::{Address, Identity, ProducerName, VersionName};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use std::fmt::{Display, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// The longest text of a stranger that is written, in bytes.
const LONGEST: usize = 256;

/// What can be written of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// When the call ended (RFC 3339, UTC, in microseconds).
    Time,
    /// The identity of the consumer.
    Caller,
    /// From where its connection comes.
    Peer,
    /// What was called, as it stands in the path: `package.Service/Method`.
    Method,
    /// The platform of the version that was routed to.
    Platform,
    /// The capability of the version that was routed to.
    Capability,
    /// The version that was routed to.
    Version,
    /// The producer that got the call last.
    Producer,
    /// Its endpoint.
    Endpoint,
    /// The name of the gRPC status that the consumer saw.
    Status,
    /// Why the broker itself ended the call, if it did: the reason of its `ErrorInfo`.
    Reason,
    /// Who ended the call: `producer`, `consumer` or `broker`.
    EndedBy,
    /// From the head of the request to the end of the call, in microseconds.
    DurationUs,
    /// From the head of the request to the head of the answer, in microseconds.
    HeadUs,
    /// Attempts at producers.
    Attempts,
    /// Attempts that were made because one before surely reached nobody.
    TransparentRetries,
    /// Attempts beside another that had not answered.
    Hedges,
    /// Messages from the consumer.
    RequestMessages,
    /// Bytes of message frames from the consumer.
    RequestBytes,
    /// Messages to the consumer.
    ResponseMessages,
    /// Bytes of message frames to the consumer.
    ResponseBytes,
    /// The trace that the call belongs to.
    TraceId,
    /// The span of the call, if it is followed.
    SpanId,
}

/// A call, as it can be written down.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// When it ended.
    pub time: Timestamp,
    /// Who called.
    pub caller: &'a Identity,
    /// From where.
    pub peer: Option<SocketAddr>,
    /// The service in its path.
    pub service: &'a str,
    /// The method in its path.
    pub method: &'a str,
    /// Where it was routed to.
    pub version: Option<&'a VersionName>,
    /// Who got it.
    pub producer: Option<&'a ProducerName>,
    /// Where.
    pub endpoint: Option<&'a Address>,
    /// The gRPC status.
    pub status: u8,
    /// Why the broker ended it.
    pub reason: Option<&'a str>,
    /// Who ended it.
    pub ended_by: &'static str,
    /// How long it took.
    pub duration: Duration,
    /// How long until its answer began.
    pub head: Option<Duration>,
    /// Attempts.
    pub attempts: u32,
    /// Attempts after one that surely reached nobody.
    pub transparent: u32,
    /// Attempts beside another.
    pub hedges: u32,
    /// Messages and bytes from the consumer.
    pub request: (u64, u64),
    /// Messages and bytes to the consumer.
    pub response: (u64, u64),
    /// The trace; 0 for none.
    pub trace: u128,
    /// The span; 0 for none.
    pub span: u64,
    /// Metadata that the configuration names.
    pub metadata: &'a [(HeaderName, HeaderValue)],
}

impl Field {
    /// All fields, in the order in which they are written, with their names.
    pub const ALL: [(&'static str, Field); 23] = [
        ("time", Field::Time),
        ("caller", Field::Caller),
        ("peer", Field::Peer),
        ("method", Field::Method),
        ("platform", Field::Platform),
        ("capability", Field::Capability),
        ("version", Field::Version),
        ("producer", Field::Producer),
        ("endpoint", Field::Endpoint),
        ("status", Field::Status),
        ("reason", Field::Reason),
        ("ended_by", Field::EndedBy),
        ("duration_us", Field::DurationUs),
        ("head_us", Field::HeadUs),
        ("attempts", Field::Attempts),
        ("transparent_retries", Field::TransparentRetries),
        ("hedges", Field::Hedges),
        ("request_messages", Field::RequestMessages),
        ("request_bytes", Field::RequestBytes),
        ("response_messages", Field::ResponseMessages),
        ("response_bytes", Field::ResponseBytes),
        ("trace_id", Field::TraceId),
        ("span_id", Field::SpanId),
    ];

    /// Its name.
    pub fn word(self) -> &'static str {
        Field::ALL.iter().find(|(_, field)| *field == self).map_or("", |(word, _)| word)
    }
}

impl Entry<'_> {
    /// Writes one object; a field that has nothing to say is left out.
    pub(super) fn write(&self, fields: &[Field], out: &mut String) {
        out.push('{');
        let mut object = Object { out, comma: "" };
        fields.iter().for_each(|field| self.field(*field, &mut object));
        if !self.metadata.is_empty() {
            object.key("metadata");
            object.out.push('{');
            let mut inner = Object { out: &mut *object.out, comma: "" };
            for (name, value) in self.metadata {
                inner.text(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
            }
            object.out.push('}');
        }
        out.push('}');
    }

    fn field(&self, field: Field, object: &mut Object<'_>) {
        let name = field.word();
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        match field {
            // A timestamp, an identity, an address and names are made of characters that need no escape.
            Field::Time => object.shown(name, format_args!("{:.6}", self.time)),
            Field::Caller => object.shown(name, self.caller),
            Field::Peer => object.maybe(name, self.peer),
            Field::Method => object.path(name, self.service, self.method),
            Field::Platform => object.maybe(name, self.version.map(|version| &version.platform)),
            Field::Capability => object.maybe(name, self.version.map(|version| &version.capability)),
            Field::Version => object.maybe(name, self.version.map(|version| &version.version)),
            Field::Producer => object.maybe(name, self.producer.map(|producer| &producer.producer)),
            Field::Endpoint => object.maybe(name, self.endpoint),
            Field::Status => object.text(name, status(self.status)),
            Field::Reason => self.reason.into_iter().for_each(|reason| object.text(name, reason)),
            Field::EndedBy => object.text(name, self.ended_by),
            Field::DurationUs => object.number(name, micros(self.duration)),
            Field::HeadUs => self.head.into_iter().for_each(|head| object.number(name, micros(head))),
            Field::Attempts => object.number(name, self.attempts.into()),
            Field::TransparentRetries => object.number(name, self.transparent.into()),
            Field::Hedges => object.number(name, self.hedges.into()),
            Field::RequestMessages => object.number(name, self.request.0),
            Field::RequestBytes => object.number(name, self.request.1),
            Field::ResponseMessages => object.number(name, self.response.0),
            Field::ResponseBytes => object.number(name, self.response.1),
            Field::TraceId if self.trace != 0 => object.shown(name, format_args!("{:032x}", self.trace)),
            Field::SpanId if self.span != 0 => object.shown(name, format_args!("{:016x}", self.span)),
            Field::TraceId | Field::SpanId => {}
        }
    }
}

struct Object<'a> {
    out: &'a mut String,
    comma: &'static str,
}

impl Object<'_> {
    fn key(&mut self, name: &str) {
        self.out.push_str(std::mem::replace(&mut self.comma, ","));
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    fn text(&mut self, name: &str, text: &str) {
        self.key(name);
        self.out.push('"');
        escape::json(self.out, text, LONGEST);
        self.out.push('"');
    }

    fn path(&mut self, name: &str, service: &str, method: &str) {
        self.key(name);
        self.out.push('"');
        escape::json(self.out, service, LONGEST);
        self.out.push('/');
        escape::json(self.out, method, LONGEST);
        self.out.push('"');
    }

    /// What needs no escape, whatever it is.
    fn shown(&mut self, name: &str, shown: impl Display) {
        self.key(name);
        // Writing to a string cannot fail; here and below.
        let _ = write!(self.out, "\"{shown}\"");
    }

    fn maybe(&mut self, name: &str, shown: Option<impl Display>) {
        shown.into_iter().for_each(|shown| self.shown(name, shown));
    }

    fn number(&mut self, name: &str, number: u64) {
        self.key(name);
        let _ = write!(self.out, "{number}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_call_is_one_object_on_one_line() {
        let caller = Identity::parse_spiffe("spiffe://data.example/app").unwrap();
        let version = VersionName::parse("platforms/p.example/capabilities/c/versions/1.0.0-rc.1").unwrap();
        let hostile = "x\"},\n{\"status\":\"OK".to_owned() + &"y".repeat(9_000);
        let value = HeaderValue::from_bytes(b"a\"b\xff\tc").unwrap();
        let metadata = [(HeaderName::from_static("x-request-id"), value)];
        let entry = Entry {
            time: Timestamp::UNIX_EPOCH,
            caller: &caller,
            peer: Some(([127, 0, 0, 1], 9).into()),
            service: "a.B",
            method: &hostile,
            version: Some(&version),
            producer: None,
            endpoint: None,
            status: 14,
            reason: Some("NO_CONNECTION"),
            ended_by: "broker",
            duration: Duration::from_micros(1500),
            head: None,
            attempts: 2,
            transparent: 1,
            hedges: 0,
            request: (1, 10),
            response: (0, 0),
            trace: 0xab,
            span: 0,
            metadata: &metadata,
        };
        let mut line = String::new();
        entry.write(&Field::ALL.map(|(_, field)| field), &mut line);
        assert!(!line.contains('\n') && line.len() < 1_500, "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["status"], "UNAVAILABLE");
        assert_eq!(read["time"], "1970-01-01T00:00:00.000000Z");
        assert_eq!(read["version"], "1.0.0-rc.1");
        assert_eq!(read["duration_us"], 1500);
        assert_eq!(read["trace_id"], "000000000000000000000000000000ab");
        assert_eq!(read["metadata"]["x-request-id"], "a\"b\u{fffd}\tc");
        assert!(read.get("producer").is_none() && read.get("span_id").is_none());
    }
}
