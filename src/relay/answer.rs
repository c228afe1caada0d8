//! Judges what a producer answers, before anything of it is passed on (gRPC over HTTP/2, "Responses").

use http::{HeaderMap, HeaderName, StatusCode, header::CONTENT_TYPE, response};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// An answer that no gRPC client should have to see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// Another HTTP status than 200, and no gRPC status with it.
    #[error("the producer answered with HTTP status {0} and no gRPC status")]
    HttpStatus(u16),
    /// Something that is not gRPC.
    #[error("the producer answered with content-type {0:?} instead of application/grpc")]
    ContentType(String),
    /// The stream ended and nobody knows how the call went.
    #[error("the producer ended the call without a grpc-status")]
    NoStatus,
    /// More than one status.
    #[error("the producer sent more than one grpc-status")]
    TwoStatuses,
    /// A status that gRPC does not know.
    #[error("the producer sent grpc-status {0:?}, which is none of 0 to 16")]
    UnknownStatus(String),
    /// A status in the headers, and then a body.
    #[error("the producer sent a grpc-status in its headers and went on with a body")]
    StatusBeforeBody,
}

/// Whether a content type is gRPC's: `application/grpc`, alone or with `+format` or `;parameters`.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let rest = headers.get(CONTENT_TYPE).and_then(|v| v.as_bytes().strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Judges the head of an answer; `is_end` says that nothing follows (Trailers-Only): then it holds the status's number.
pub(super) fn judge_head(head: &response::Parts, is_end: bool) -> Result<Option<u8>, BadAnswer> {
    let has_status = head.headers.contains_key(&STATUS);
    if head.status != StatusCode::OK && !has_status {
        return Err(BadAnswer::HttpStatus(head.status.as_u16()));
    }
    if !is_grpc(&head.headers) {
        let seen = head
            .headers
            .get(CONTENT_TYPE)
            .map(|v| String::from_utf8_lossy(v.as_bytes()).chars().take(80).collect());
        return Err(BadAnswer::ContentType(seen.unwrap_or_default()));
    }
    match (is_end, has_status) {
        (true, _) => judge_trailers(&head.headers).map(Some),
        (false, true) => Err(BadAnswer::StatusBeforeBody),
        (false, false) => Ok(None),
    }
}

/// Judges what ends an answer. The number of its status.
pub(super) fn judge_trailers(trailers: &HeaderMap) -> Result<u8, BadAnswer> {
    let mut statuses = trailers.get_all(&STATUS).iter();
    let status = statuses.next().ok_or(BadAnswer::NoStatus)?;
    if statuses.next().is_some() {
        return Err(BadAnswer::TwoStatuses);
    }
    let code = std::str::from_utf8(status.as_bytes()).ok().filter(|s| s.bytes().all(|b| b.is_ascii_digit()));
    match code.and_then(|code| code.parse().ok()) {
        Some(code @ 0..=16) => Ok(code),
        _ => Err(BadAnswer::UnknownStatus(
            String::from_utf8_lossy(status.as_bytes()).chars().take(20).collect(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, headers: &[(&str, &str)]) -> response::Parts {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(()).unwrap().into_parts().0
    }

    #[test]
    fn bad_answers_are_named() {
        const GRPC: (&str, &str) = ("content-type", "application/grpc+proto");
        let cases = [
            (head(200, &[GRPC]), false, Ok(None)),
            (head(200, &[GRPC, ("grpc-status", "5")]), true, Ok(Some(5))),
            (head(503, &[("content-type", "text/html")]), false, Err(BadAnswer::HttpStatus(503))),
            (
                head(200, &[("content-type", "text/html")]),
                false,
                Err(BadAnswer::ContentType("text/html".into())),
            ),
            (
                head(200, &[("content-type", "application/grpc-web")]),
                false,
                Err(BadAnswer::ContentType("application/grpc-web".into())),
            ),
            (head(200, &[GRPC]), true, Err(BadAnswer::NoStatus)),
            (
                head(200, &[GRPC, ("grpc-status", "0"), ("grpc-status", "1")]),
                true,
                Err(BadAnswer::TwoStatuses),
            ),
            (head(200, &[GRPC, ("grpc-status", "99")]), true, Err(BadAnswer::UnknownStatus("99".into()))),
            (head(200, &[GRPC, ("grpc-status", "0")]), false, Err(BadAnswer::StatusBeforeBody)),
        ];
        for (head, is_end, expected) in cases {
            assert_eq!(judge_head(&head, is_end), expected);
        }
        assert_eq!(judge_trailers(&HeaderMap::new()), Err(BadAnswer::NoStatus));
    }
}
