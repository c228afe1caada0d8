//! Texts with wildcards: kept, matched whole, and found inside other texts whatever their case.

/// A text in which `*` stands for anything: the pieces between the stars, so one piece has no star at all.
///
/// Pieces between two stars are not empty: `**` is `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<String>,
}

impl Pattern {
    /// The empty text.
    pub(super) fn new() -> Self {
        Self { pieces: vec![String::new()] }
    }

    /// Adds a character that means itself.
    pub(super) fn push(&mut self, c: char) {
        if let Some(last) = self.pieces.last_mut() {
            last.push(c);
        }
    }

    /// Adds a wildcard.
    pub(super) fn push_star(&mut self) {
        if self.pieces.len() == 1 || self.pieces.last().is_some_and(|last| !last.is_empty()) {
            self.pieces.push(String::new());
        }
    }

    /// Adds another text.
    pub(super) fn append(&mut self, other: &Pattern) {
        for (i, piece) in other.pieces.iter().enumerate() {
            if i > 0 {
                self.push_star();
            }
            piece.chars().for_each(|c| self.push(c));
        }
    }

    /// The pieces between the stars.
    pub(super) fn pieces(&self) -> &[String] {
        &self.pieces
    }

    /// The text, if it has no star.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Whether it is `*` alone.
    pub(super) fn is_anything(&self) -> bool {
        self.pieces.len() == 2 && self.pieces.iter().all(String::is_empty)
    }

    /// The text with its stars.
    pub(super) fn plain(&self) -> String {
        self.pieces.join("*")
    }

    /// Whether the whole of `text` is like this, in this case.
    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.literal() == Some(text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for piece in middle {
            let Some(at) = rest.find(piece.as_str()) else { return false };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(last.as_str())
    }
}

/// A text to be found inside others, in any case; made once, then it allocates nothing.
#[derive(Debug, Clone)]
pub(super) struct Needle {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    /// Letters of ASCII, in lower case, and which of them is the rarest.
    Ascii(Box<[u8]>, usize),
    /// Any letters, in lower case.
    Unicode(Box<[char]>),
}

impl Needle {
    pub(super) fn new(pattern: &Pattern) -> Self {
        let pieces = pattern.pieces().iter().filter(|piece| !piece.is_empty());
        let piece = |text: &String| {
            if text.is_ascii() {
                let bytes = text.to_ascii_lowercase().into_bytes();
                let rarest =
                    (0..bytes.len()).min_by_key(|place| frequency(bytes[*place])).unwrap_or_default();
                Piece::Ascii(bytes.into(), rarest)
            } else {
                Piece::Unicode(text.chars().flat_map(char::to_lowercase).collect())
            }
        };
        Self { pieces: pieces.map(piece).collect() }
    }

    /// Whether `text` holds it: its pieces, in their order.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let mut rest = text;
        self.pieces.iter().all(|piece| match piece.find_end(rest) {
            Some(end) => {
                rest = &rest[end..];
                true
            }
            None => false,
        })
    }
}

impl Piece {
    /// Where its first occurrence ends.
    fn find_end(&self, text: &str) -> Option<usize> {
        match self {
            Self::Ascii(piece, rarest) => {
                find_ascii(text.as_bytes(), piece, *rarest).map(|at| at + piece.len())
            }
            Self::Unicode(piece) => {
                text.char_indices().find_map(|(at, _)| Some(at + lower_prefix(&text[at..], piece)?))
            }
        }
    }
}

/// Looks for the rarest letter of a piece, many at a time, and where it stands for the whole piece.
fn find_ascii(text: &[u8], piece: &[u8], rarest: usize) -> Option<usize> {
    const MANY: usize = 32;
    let last = text.len().checked_sub(piece.len())?;
    let lower = *piece.get(rarest)?;
    let upper = lower.to_ascii_uppercase();
    for (i, chunk) in text[rarest..=rarest + last].chunks(MANY).enumerate() {
        // Without an early end the compiler compares a whole chunk at once.
        if !chunk.iter().fold(false, |found, b| found | (*b == lower) | (*b == upper)) {
            continue;
        }
        let places = chunk.iter().enumerate().filter(|(_, b)| **b == lower || **b == upper);
        let mut places = places.map(|(place, _)| i * MANY + place);
        let found = places.find(|at| text[*at..*at + piece.len()].eq_ignore_ascii_case(piece));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// How common a letter is in names and descriptions, roughly.
fn frequency(letter: u8) -> usize {
    const RARE_FIRST: &[u8] = b"zqjxkvbpygfwmucldrhsnioate. ";
    RARE_FIRST.iter().position(|known| *known == letter).map_or(0, |place| place + 1)
}

/// How long the beginning of `text` is that says `piece`, in bytes.
fn lower_prefix(text: &str, piece: &[char]) -> Option<usize> {
    let mut wanted = piece.iter();
    for (at, c) in text.char_indices() {
        if wanted.as_slice().is_empty() {
            return Some(at);
        }
        for lower in c.to_lowercase() {
            // A letter that becomes two may end a needle with its first.
            if wanted.next().is_some_and(|wanted| *wanted != lower) {
                return None;
            }
        }
    }
    wanted.as_slice().is_empty().then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        let mut pattern = Pattern::new();
        text.chars().for_each(|c| if c == '*' { pattern.push_star() } else { pattern.push(c) });
        pattern
    }

    #[test]
    fn a_pattern_matches_the_whole_text() {
        let table = [
            ("ledger", "ledger", true),
            ("ledger", "Ledger", false),
            ("ledger", "ledgers", false),
            ("*.foo", "a.foo", true),
            ("*.foo", "a.foo.b", false),
            ("led*", "ledger", true),
            ("led*", "a-ledger", false),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*bc", "abc", false),
            ("a**b", "axb", true),
            ("", "", true),
            ("", "x", false),
        ];
        for (text, subject, expected) in table {
            assert_eq!(pattern(text).matches(subject), expected, "{text} on {subject}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_needle_is_found_where_it_stands(text in "[abAB]{0,80}", needle in "[ab]{1,4}") {
            let expected = text.to_lowercase().contains(&needle);
            proptest::prop_assert_eq!(Needle::new(&pattern(&needle)).is_in(&text), expected);
        }
    }

    #[test]
    fn a_needle_is_found_in_any_case() {
        let table = [
            ("ledger", "The LEDGER of all", true),
            ("ledger", "ledge", false),
            ("ger", "ledger", true),
            ("lel", "lelel", true),
            ("ünï", "Eine ÜNÏ dort", true),
            ("ünï", "Eine ÜNI dort", false),
            ("straße", "STRAßE", true),
            ("a*c", "xxAyyCzz", true),
            ("a*c", "xxCyyAzz", false),
            ("aa*aa", "aaa", false),
            ("*", "", true),
            ("x", "", false),
            (
                "zebra",
                "a rather long text in which, after more than a chunk of letters, a ZEBRA stands",
                true,
            ),
            (
                "of letters",
                "a rather long text in which, after more than a chunk of letters, nothing stands",
                true,
            ),
            ("ab", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbab", true),
            ("ab", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbba", false),
            ("i̇", "İ", true),
        ];
        for (text, subject, expected) in table {
            assert_eq!(Needle::new(&pattern(text)).is_in(subject), expected, "{text} in {subject}");
        }
    }
}
