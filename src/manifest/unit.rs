//! Durations as people write them: `250ms`, `30s`, `1m30s`.

use std::time::Duration;

const UNITS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// What a duration looks like, as a regular expression for the schema.
pub(super) const PATTERN: &str = "^([0-9]{1,18}(ns|us|ms|s|m|h|d))+$";

/// Reads `250ms`, `30s`, `1m30s`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() && text.len() <= 80 {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits <= 18)?;
        let (amount, tail) = rest.split_at(digits);
        let (unit, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total += amount.parse::<u128>().ok()? * scale;
        rest = tail;
    }
    let whole = !text.is_empty() && rest.is_empty();
    let seconds = u64::try_from(total / 1_000_000_000).ok().filter(|_| whole)?;
    Some(Duration::new(seconds, (total % 1_000_000_000) as u32))
}

/// Writes a duration so that [`duration`] reads it back.
pub(super) fn show(span: Duration) -> String {
    let nanos = span.as_nanos();
    let largest = UNITS.iter().rev().find(|(_, scale)| nanos >= *scale && nanos.is_multiple_of(*scale));
    match largest {
        None => "0s".into(),
        // A number of more digits than are read: years to the nanosecond.
        Some((unit, scale)) if nanos / scale < 1_000_000_000_000_000_000 => {
            format!("{}{unit}", nanos / scale)
        }
        Some(_) => format!("{}s{}ns", span.as_secs(), span.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_duration_is_refused() {
        assert_eq!(duration("1m30s"), Some(Duration::from_secs(90)));
        for bad in
            ["", "30", "s", "30 s", "-1s", "1.5s", "30S", "9999999999999999999s", "999999999999999999d"]
        {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn durations_read_back(seconds in 0..315_576_000_000_u64, nanos in 0..1_000_000_000_u32) {
            for span in [Duration::new(seconds, nanos), Duration::from_secs(seconds), Duration::from_nanos(nanos.into())] {
                prop_assert_eq!(duration(&show(span)), Some(span));
            }
        }
    }
}
