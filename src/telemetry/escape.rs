//! Text of others, so that it can neither break a line nor end a string.

use std::fmt::Write;

/// Writes `text` as the inside of a JSON string, at most `most` bytes of it. Control characters of every kind are
/// escaped, line and paragraph separators and what turns the direction of writing too: a line of a log stays one line
/// on every screen.
pub(super) fn json(out: &mut String, text: &str, most: usize) {
    let text = cut(text, most);
    // Nearly all text is plain.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if is_unsafe(c) => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}

/// Writes `text` as the value of a label in the text formats of Prometheus and OpenMetrics.
pub(super) fn label(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if is_unsafe(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

/// The beginning of a text, whole characters of it.
pub(super) fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// All of these are below U+10000: four digits write them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        let mut out = String::from("\"");
        json(&mut out, text, usize::MAX);
        out + "\""
    }

    #[test]
    fn a_line_stays_one_line() {
        let hostile = "a\"b\\c\r\n\u{1b}[31m\u{0}\u{85}\u{2028}\u{202e}é";
        assert_eq!(escaped(hostile), "\"a\\\"b\\\\c\\u000d\\u000a\\u001b[31m\\u0000\\u0085\\u2028\\u202eé\"");
        let mut out = String::new();
        label(&mut out, "a\"b\\c\n\r");
        assert_eq!(out, "a\\\"b\\\\c\\n\u{fffd}");
        assert_eq!(cut("aéb", 2), "a");
    }

    proptest! {
        #[test]
        fn what_is_escaped_reads_back(text in "\\PC*|.{0,40}", wild in any::<String>()) {
            for text in [text, wild] {
                let escaped = escaped(&text);
                prop_assert!(!escaped.contains(['\n', '\r']));
                prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
            }
        }
    }
}
