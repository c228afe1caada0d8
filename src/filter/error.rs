//! What is wrong with a text, where, and how to mend it.

use super::ast::Column;
use super::{DEEPEST, LONGEST, MOST_TERMS};
use crate::model;

/// So much of the text is shown around a fault.
const SHOWN: usize = 72;
/// So much of a stranger's word is repeated.
const QUOTED: usize = 40;

/// A text that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {fault}")]
pub struct Error {
    /// Where it goes wrong: 1 is the first character.
    pub column: usize,
    /// What is wrong, and how to mend it.
    pub fault: Fault,
}

/// What is wrong, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant says itself what it means")]
pub enum Fault {
    #[error("longer than {LONGEST} bytes; ask for less at once")]
    TooLong,
    #[error("more than {MOST_TERMS} terms; ask for less at once")]
    TooManyTerms,
    #[error("parentheses stand deeper than {DEEPEST}; take some out")]
    TooDeep,
    #[error("`{0}` needs something before it; quote it to find the word \"{0}\"")]
    NothingBefore(&'static str),
    #[error("`{0}` needs something after it; quote it to find the word \"{0}\"")]
    NothingAfter(&'static str),
    #[error("nothing stands between these parentheses; take them out")]
    EmptyGroup,
    #[error("this `(` is never closed; add `)`")]
    Unclosed,
    #[error("no `(` belongs to this `)`; take it out")]
    Unopened,
    #[error("this quote is never closed; add `{0}`, or quote the whole with the other kind")]
    UnclosedQuote(char),
    #[error("a quote in the middle of a word; put quotes around the whole")]
    QuoteInside,
    #[error("`\\{0}` means nothing; after `\\` stands `\"`, `'`, `\\` or `*`")]
    UnknownEscape(String),
    #[error("`{0}` stands only in quotes; put quotes around the whole")]
    OnlyQuoted(String),
    #[error("`{wrong}` is not of this language; write {right}")]
    ForeignWord { wrong: &'static str, right: &'static str },
    #[error("a space is missing before this")]
    MissingSpace,
    #[error("`-` stands directly before what it negates; take the space out, or quote it")]
    LooseMinus,
    #[error("`.` needs a name before it; quote a value that begins with a dot")]
    LeadingDot,
    #[error("`.` needs a name after it; quote a value that ends with a dot")]
    TrailingDot,
    #[error("`{0}` needs a field before it, as in `stage{0}…`")]
    NoField(&'static str),
    #[error("`{0}` needs a value after it; \"\" is the empty value")]
    NoValue(&'static str),
    #[error("a value may be compared once; write `a {0} b AND b {0} c`")]
    SecondComparator(&'static str),
    #[error("an empty text stands everywhere; leave it out")]
    EmptyText,
    #[error("a name may not be empty")]
    EmptyName,
    #[error("there is no function `{0}`, and no other; write comparisons, with `*` for any text")]
    Function(String),
    #[error("a group cannot be a value; write `a = x OR a = y`")]
    GroupAsValue,
    #[error("`{name}` is not a field; {hint}")]
    UnknownField { name: String, hint: String },
    #[error("`{field}` has nothing inside it; compare `{field}` itself")]
    NoParts { field: &'static str },
    #[error("`{field}` cannot be compared with `{op}`; {hint}")]
    WrongComparator { field: &'static str, op: &'static str, hint: String },
    #[error("`{value}` is not {expected} as `{field}` is; {hint}")]
    WrongValue { field: &'static str, value: String, expected: &'static str, hint: String },
    #[error("`{field}` has no wildcards with `{op}`; write the whole value, or escape it: \"\\*\"")]
    Wildcard { field: &'static str, op: &'static str },
    #[error("`{0}` is no direction; write `asc`, `desc` or a comma")]
    Direction(String),
    #[error("nothing stands here; take the comma out, or name a field")]
    EmptyItem,
    #[error("`{0}` orders already; name it once")]
    Twice(String),
    #[error("nothing can be ordered by `{field}`: {hint}")]
    Unordered { field: &'static str, hint: &'static str },
}

impl Error {
    pub(super) fn new(at: Column, fault: Fault) -> Self {
        Self { column: at.0, fault }
    }

    /// Two lines: the part of `text` that matters, and below it a caret and what is wrong.
    pub fn render(&self, text: &str) -> String {
        let before = self.column.saturating_sub(1);
        let skipped = before.saturating_sub(SHOWN / 2);
        // A tab or a control character would push the caret away from what it shows.
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let line: String = text.chars().skip(skipped).take(SHOWN).map(plain).collect();
        format!("{line}\n{:indent$}^ {}", "", self.fault, indent = before - skipped)
    }
}

/// A stranger's word as a sentence may repeat it: cut, and without control characters.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(QUOTED).flat_map(plain).collect();
    if text.chars().nth(QUOTED).is_some() {
        short.push('…');
    }
    short
}

fn plain(c: char) -> impl Iterator<Item = char> {
    let safe = matches!(c, '"' | '\'' | '\\');
    safe.then_some(c).into_iter().chain((!safe).then(|| c.escape_debug()).into_iter().flatten())
}

/// The name that was probably meant, if one is near.
pub(super) fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // What is much longer than any field is near to none, and must not cost its square.
    let wrong: String = wrong.chars().take(QUOTED).flat_map(char::to_lowercase).collect();
    model::nearest(&wrong, names.into_iter())
}
