//! The documents of a file: each is read on its own, so that a fault in one hides no other.

/// One document, with where it stands.
pub(super) struct Document<'t> {
    /// Its text, with the marker that begins it.
    pub(super) text: &'t str,
    /// How many lines of the file stand above it.
    pub(super) above: usize,
}

/// Cuts a file at its markers `---` and `...`, which YAML allows nowhere else at the beginning of a line
/// (YAML 1.2.2 §9.1.2, "c-forbidden"). Those that hold nothing but comments are left out.
pub(super) fn split(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    let (mut begin, mut above) = (0, 0);
    let mut at = 0;
    for (line, content) in text.split_inclusive('\n').enumerate() {
        if is_marker(content) && at > begin {
            documents.push(Document { text: &text[begin..at], above });
            (begin, above) = (at, line);
        }
        at += content.len();
    }
    documents.push(Document { text: &text[begin..], above });
    documents.retain(|document| document.text.lines().any(says_something));
    documents
}

impl Document<'_> {
    /// The line of the file where its first field stands, from 1.
    pub(super) fn line(&self) -> usize {
        self.above + self.text.lines().position(says_something).unwrap_or(0) + 1
    }
}

fn is_marker(line: &str) -> bool {
    ["---", "..."].iter().any(|marker| {
        line.strip_prefix(marker)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
    })
}

/// Whether a line is more than a comment, a directive or a marker.
fn says_something(line: &str) -> bool {
    let rest = if is_marker(line) { &line[3..] } else { line };
    let rest = rest.trim();
    !rest.is_empty() && !rest.starts_with('#') && !line.starts_with('%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_knows_its_line() {
        let lines = |text| split(text).iter().map(Document::line).collect::<Vec<_>>();
        assert_eq!(lines("a: 1\n"), [1]);
        assert_eq!(lines("# head\n---\na: 1\n---\n\n# next\nb: 2\n...\n---\n# nothing\n"), [3, 7]);
        assert_eq!(lines("%YAML 1.2\n---\na: 1\n--- {b: 2}\n"), [3, 4]);
        assert_eq!(lines("a: |\n  ---\n ---\n----\n"), [1]);
        assert_eq!(lines("a: 1\r\n---\r\nb: 1\r\n"), [1, 3]);
        assert_eq!(lines(""), Vec::<usize>::new());
    }
}
