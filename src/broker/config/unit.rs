//! Durations and sizes as people write them: `30s`, `1m30s`, `4MiB`.

use std::time::Duration;

const DURATIONS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// What a duration looks like, as a regular expression for the schema.
pub(super) const DURATION_PATTERN: &str = r"^([0-9]{1,12}(ms|s|m|h|d))+$";
/// What a size looks like, as a regular expression for the schema.
pub(super) const SIZE_PATTERN: &str = r"^[0-9]{1,12}(B|KiB|MiB|GiB)$";

/// Reads `500ms`, `30s`, `1m30s`, `2h`, `1d`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (amount, tail) = number(rest)?;
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        total = total.checked_add(scaled(amount, &tail[..unit], &DURATIONS)?)?;
        rest = &tail[unit..];
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// Reads `512B`, `64KiB`, `4MiB`, `1GiB`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (amount, unit) = number(text)?;
    scaled(amount, unit, &SIZES)
}

/// Writes a duration so that [`duration`] reads it back.
pub(super) fn show_duration(value: Duration) -> String {
    let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    show(millis, &DURATIONS)
}

/// Writes a size so that [`size`] reads it back.
pub(super) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES)
}

fn show(value: u64, units: &[(&str, u64)]) -> String {
    let largest = units.iter().rev().find(|(_, scale)| value >= *scale && value.is_multiple_of(*scale));
    let (unit, scale) = largest.unwrap_or(&units[0]);
    format!("{}{unit}", value / scale)
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    (digits.len() <= 12).then_some(())?;
    Some((digits.parse().ok()?, rest))
}

fn scaled(amount: u64, unit: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    amount.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back() {
        for (text, millis) in [("500ms", 500), ("30s", 30_000), ("1m30s", 90_000), ("2h", 7_200_000)] {
            let read = duration(text).unwrap();
            assert_eq!(read, Duration::from_millis(millis), "{text}");
            assert_eq!(duration(&show_duration(read)), Some(read));
        }
        for bad in ["", "30", "s", "30 s", "-1s", "1.5s", "30S", "9999999999999s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_read_back() {
        for (text, bytes) in [("0B", 0), ("512B", 512), ("64KiB", 65_536), ("4MiB", 4 << 20)] {
            assert_eq!(size(text), Some(bytes), "{text}");
            assert_eq!(show_size(bytes), text);
        }
        for bad in ["", "4", "4MB", "4 MiB", "MiB", "-1B"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }
}
