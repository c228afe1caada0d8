//! Instants and spans, to and from `google.protobuf.Timestamp` and `Duration`.

use jiff::Timestamp;
use std::time::Duration;

/// An instant on the wire.
pub fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    // Protobuf counts nanoseconds up from the second, also before 1970; jiff gives them the sign of the second.
    let (mut seconds, mut nanos) = (time.as_second(), time.subsec_nanosecond());
    if nanos < 0 {
        seconds -= 1;
        nanos += 1_000_000_000;
    }
    prost_types::Timestamp { seconds, nanos }
}

/// An instant from the wire; `None` if it is none (years 1 to 9999, nanoseconds 0 to 999,999,999).
pub fn parse_timestamp(time: prost_types::Timestamp) -> Option<Timestamp> {
    let nanos = Some(time.nanos).filter(|nanos| (0..1_000_000_000).contains(nanos))?;
    Timestamp::new(time.seconds, 0).ok()?.checked_add(jiff::SignedDuration::from_nanos(nanos.into())).ok()
}

/// A span on the wire; one beyond protobuf's 10,000 years is cut to that.
pub fn duration(span: Duration) -> prost_types::Duration {
    const LONGEST: u64 = 315_576_000_000;
    match span.as_secs() {
        seconds if seconds < LONGEST => {
            prost_types::Duration { seconds: seconds as i64, nanos: span.subsec_nanos() as i32 }
        }
        _ => prost_types::Duration { seconds: LONGEST as i64, nanos: 0 },
    }
}

/// A span from the wire; `None` if it is negative or malformed.
pub fn parse_duration(span: prost_types::Duration) -> Option<Duration> {
    let nanos = u32::try_from(span.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(u64::try_from(span.seconds).ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn instants_read_back(seconds in -62_000_000_000_i64..253_000_000_000, nanos in 0..1_000_000_000) {
            let sent = prost_types::Timestamp { seconds, nanos };
            prop_assert_eq!(timestamp(parse_timestamp(sent).unwrap()), sent);
        }

        #[test]
        fn spans_read_back(seconds in 0..315_576_000_000_u64, nanos in 0..1_000_000_000_u32) {
            let span = Duration::new(seconds, nanos);
            prop_assert_eq!(parse_duration(duration(span)), Some(span));
        }

        #[test]
        fn nothing_panics(seconds: i64, nanos: i32) {
            let _ = parse_timestamp(prost_types::Timestamp { seconds, nanos });
            let _ = parse_duration(prost_types::Duration { seconds, nanos });
        }
    }
}
