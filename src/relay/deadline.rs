//! `grpc-timeout`, read and written as gRPC over HTTP/2 says ("Timeout").

use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The header's name.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// A `grpc-timeout` that the specification does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("grpc-timeout is 1 to 8 digits and one of H, M, S, m, u, n, given once")]
pub struct BadTimeout;

/// Reads the timeout of a request; `None` without one.
pub fn parse(headers: &HeaderMap) -> Result<Option<Duration>, BadTimeout> {
    let mut values = headers.get_all(&GRPC_TIMEOUT).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => parse_value(value.as_bytes()).map(Some),
        (Some(_), Some(_)) => Err(BadTimeout),
    }
}

/// Waits until a call's time is over; for ever without a deadline.
pub async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Writes a timeout in the finest unit that eight digits can hold, rounded down: a deadline never grows on its way.
pub fn write(timeout: Duration) -> HeaderValue {
    const MOST: u128 = 99_999_999;
    let units = [
        (timeout.as_nanos(), 'n'),
        (timeout.as_micros(), 'u'),
        (timeout.as_millis(), 'm'),
        (timeout.as_secs().into(), 'S'),
    ];
    let (amount, unit) = units.into_iter().find(|(amount, _)| *amount <= MOST).unwrap_or((MOST, 'S'));
    HeaderValue::try_from(format!("{amount}{unit}")).unwrap_or_else(|_| HeaderValue::from_static("0n"))
}

fn parse_value(value: &[u8]) -> Result<Duration, BadTimeout> {
    let (unit, digits) = value.split_last().ok_or(BadTimeout)?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BadTimeout);
    }
    let amount = digits.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    Ok(match unit {
        b'H' => Duration::from_secs(amount * 3600),
        b'M' => Duration::from_secs(amount * 60),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return Err(BadTimeout),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_specification_does_not_allow_is_refused() {
        for bad in ["", "1", "S", "123456789S", "-1S", "+1S", "1x", "1 S", "1.5S", "0x1S", "1s"] {
            assert_eq!(parse_value(bad.as_bytes()), Err(BadTimeout), "{bad:?}");
        }
        let twice: HeaderMap = [("grpc-timeout", "1S"), ("grpc-timeout", "2S")]
            .map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap()))
            .into_iter()
            .fold(HeaderMap::new(), |mut map, (k, v): (HeaderName, HeaderValue)| {
                map.append(k, v);
                map
            });
        assert_eq!(parse(&twice), Err(BadTimeout));
    }

    #[test]
    fn what_is_written_reads_back_and_never_grows() {
        for timeout in
            [0, 1, 99_999_999, 100_000_000, 12_345_678_901, 1 << 50, 1 << 56].map(Duration::from_nanos)
        {
            let read = parse_value(write(timeout).as_bytes()).unwrap();
            assert!(
                read <= timeout && timeout - read <= timeout / 1_000_000 + Duration::from_nanos(1),
                "{timeout:?} {read:?}"
            );
        }
        assert_eq!(parse_value(b"00000002H"), Ok(Duration::from_secs(7200)));
    }
}
