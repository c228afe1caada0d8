//! What text may hide from the people who read it.

/// Whether a character shows nothing, or turns the direction of what is shown (Unicode TR36): it forges what people read.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
