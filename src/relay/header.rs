//! What the broker takes from a request and adds to it (design §6); all else passes untouched.

use super::deadline;
use crate::access::Permit;
use crate::model::{BrokerId, Stage};
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// The verified identity of the consumer.
pub(super) const CALLER: HeaderName = HeaderName::from_static("portolan-caller");
/// The brokers a call came through: the loop guard.
pub(super) const VIA: HeaderName = HeaderName::from_static("portolan-via");
/// How often the call was tried before (gRFC A6).
const PREVIOUS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
/// W3C Trace Context.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What belongs to a trace that others know (W3C Trace Context §3.3).
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A call passes at most so many brokers.
const MOST_HOPS: usize = 8;

/// Headers by which other proxies tell producers who calls. From a consumer they can only be a lie.
const FORGEABLE: [&str; 14] = [
    "forwarded",
    "l5d-client-id",
    "ssl-client-cert",
    "x-amzn-mtls-clientcert",
    "x-client-cert",
    "x-client-dn",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-real-ip",
    "x-spiffe-id",
    "x-ssl-client-cert",
    "x-ssl-client-dn",
];

/// The call came here before, or through too many brokers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Loop {
    /// Our own id stands in `portolan-via`.
    #[error("the call came through this broker before (portolan-via: {0})")]
    Seen(String),
    /// Too many ids stand in `portolan-via`.
    #[error("the call came through more than 8 brokers (portolan-via: {0})")]
    TooManyHops(String),
}

/// What we write into `portolan-via` of a call that came through no other broker.
pub fn via(broker: &BrokerId) -> HeaderValue {
    HeaderValue::from_str(broker.as_str()).unwrap_or_else(|_| unreadable())
}

/// Edits the headers of a request on its way to a producer; `left` is the time until its deadline.
pub(super) fn edit_request(
    headers: &mut HeaderMap,
    permit: &Permit,
    (broker, alone): (&BrokerId, &HeaderValue),
    left: Option<Duration>,
) -> Result<(), Loop> {
    let via = next_via(headers, broker)?.unwrap_or_else(|| alone.clone());
    strip(headers);
    headers.insert(VIA, via);
    if let Ok(caller) = HeaderValue::from_maybe_shared(permit.caller().written().clone()) {
        headers.insert(CALLER, caller);
    }
    match left {
        Some(left) => headers.insert(deadline::GRPC_TIMEOUT, deadline::write(left)),
        None => headers.remove(deadline::GRPC_TIMEOUT),
    };
    if !headers.get(&TRACEPARENT).is_some_and(|value| is_traceparent(value.as_bytes())) {
        headers.insert(TRACEPARENT, new_traceparent());
        // It belongs to the trace that was not one (W3C Trace Context §3.3).
        headers.remove(TRACESTATE);
    }
    Ok(())
}

/// Edits the headers of a request that was edited before and is sent once more, after `previous` attempts that may have
/// reached a producer.
pub(super) fn edit_again(headers: &mut HeaderMap, left: Option<Duration>, previous: u32) {
    if previous > 0 {
        // Those of the consumer count too.
        let before = headers.get(&PREVIOUS).and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
        headers.insert(PREVIOUS, HeaderValue::from(before.unwrap_or_default().saturating_add(previous)));
    }
    if let Some(left) = left {
        headers.insert(deadline::GRPC_TIMEOUT, deadline::write(left));
    }
}

/// Tells the consumer that the version it used goes away (RFC 9745, RFC 8594).
pub(super) fn edit_response(headers: &mut HeaderMap, permit: &Permit) {
    remove(headers, is_ours);
    let version = permit.version();
    if version.stage != Stage::Deprecated {
        return;
    }
    let since = version.deprecation_time.map(|time| format!("@{}", time.as_second()));
    let sunset = version.sunset_time.map(|time| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    for (name, value) in [("deprecation", since), ("sunset", sunset)] {
        // What the producer says by itself stays.
        if let (Some(value), false) = (value, headers.contains_key(name))
            && let Ok(value) = HeaderValue::try_from(value)
        {
            headers.insert(name, value);
        }
    }
}

/// gRPC requests have no trailers; whatever stands there must not be taken for what the broker says.
pub(super) fn edit_request_trailers(trailers: &mut HeaderMap) {
    strip(trailers);
}

/// A producer cannot speak in the broker's name.
pub(super) fn edit_trailers(trailers: &mut HeaderMap) {
    remove(trailers, is_ours);
}

/// `None` if it came through none.
fn next_via(headers: &HeaderMap, broker: &BrokerId) -> Result<Option<HeaderValue>, Loop> {
    if !headers.contains_key(&VIA) {
        return Ok(None);
    }
    let seen: Vec<_> = headers.get_all(VIA).iter().filter_map(|value| value.to_str().ok()).collect();
    let seen = seen.join(", ");
    let hops = || seen.split(',').map(str::trim).filter(|hop| !hop.is_empty());
    if hops().any(|hop| hop == broker.as_str()) {
        return Err(Loop::Seen(cut(&seen)));
    }
    if hops().count() >= MOST_HOPS {
        return Err(Loop::TooManyHops(cut(&seen)));
    }
    let next = if seen.is_empty() { broker.to_string() } else { format!("{seen}, {broker}") };
    Ok(Some(HeaderValue::try_from(next).unwrap_or_else(|_| unreadable())))
}

fn unreadable() -> HeaderValue {
    HeaderValue::from_static("unreadable")
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

fn strip(headers: &mut HeaderMap) {
    remove(headers, |name| is_ours(name) || is_forgeable(name) || *name == HOST);
}

fn is_ours(name: &HeaderName) -> bool {
    name.as_str().starts_with("portolan-")
}

fn is_forgeable(name: &HeaderName) -> bool {
    let name = name.as_str();
    // Most names of a call end the comparison here.
    matches!(name.as_bytes().first(), Some(b'f' | b'l' | b's' | b'x')) && FORGEABLE.contains(&name)
}

fn remove(headers: &mut HeaderMap, which: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| which(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// `00-{32 hex}-{16 hex}-{2 hex}`, neither id all zero (W3C Trace Context §3.2).
fn is_traceparent(value: &[u8]) -> bool {
    let hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |part: &[u8]| part.iter().all(|b| *b == b'0');
    if value.len() < 55 || value[2] != b'-' || value[35] != b'-' || value[52] != b'-' {
        return false;
    }
    let (version, trace, parent, flags) = (&value[..2], &value[3..35], &value[36..52], &value[53..55]);
    let longer_is_allowed = version != b"00" && value.get(55) == Some(&b'-');
    [version, trace, parent, flags].into_iter().all(hex)
        && version != b"ff"
        && !zero(trace)
        && !zero(parent)
        && (value.len() == 55 || longer_is_allowed)
}

fn new_traceparent() -> HeaderValue {
    let (trace, parent) = (fastrand::u128(1..).to_be_bytes(), fastrand::u64(1..).to_be_bytes());
    let mut text = *b"00-00000000000000000000000000000001-0000000000000001-00";
    write_hex(&trace, &mut text[3..35]);
    write_hex(&parent, &mut text[36..52]);
    let mut written = HeaderValue::from_bytes(&text).unwrap_or_else(|_| {
        HeaderValue::from_static("00-00000000000000000000000000000001-0000000000000001-00")
    });
    // Each is written once: in HPACK's table it would only push out what comes again (RFC 7541 §6.2.3).
    written.set_sensitive(true);
    written
}

fn write_hex(bytes: &[u8], into: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, pair) in bytes.iter().zip(into.chunks_exact_mut(2)) {
        // One by one: as a slice it becomes a call.
        if let [high, low] = pair {
            (*high, *low) = (DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn what_other_proxies_say_of_the_caller_is_taken_out() {
        let mut request = headers(&[
            ("portolan-caller", "spiffe://evil.example/x"),
            ("portolan-explain", "1"),
            ("x-forwarded-client-cert", "By=x"),
            ("l5d-client-id", "x"),
            ("host", "elsewhere"),
            ("x-mine-bin", "AAEC"),
        ]);
        strip(&mut request);
        assert_eq!(request.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-mine-bin"]);
    }

    #[test]
    fn a_call_that_comes_back_is_refused_at_the_second_sight() {
        let broker = BrokerId::parse("hub-1").unwrap();
        assert_eq!(next_via(&headers(&[]), &broker), Ok(None));
        assert_eq!(
            next_via(&headers(&[("portolan-via", "other")]), &broker).unwrap().unwrap(),
            "other, hub-1"
        );
        assert!(matches!(
            next_via(&headers(&[("portolan-via", "other, hub-1")]), &broker),
            Err(Loop::Seen(_))
        ));
        let long = ["a"; 8].join(",");
        assert!(matches!(next_via(&headers(&[("portolan-via", &long)]), &broker), Err(Loop::TooManyHops(_))));
    }

    #[test]
    fn a_traceparent_is_kept_only_if_it_is_one() {
        assert!(is_traceparent(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(is_traceparent(new_traceparent().as_bytes()));
        for bad in [
            &b"00-00000000000000000000000000000000-00f067aa0ba902b7-01"[..],
            b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            b"00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            b"x",
        ] {
            assert!(!is_traceparent(bad));
        }
    }
}
