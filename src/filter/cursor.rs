//! Reads a filter's text letter by letter: names, quoted texts, comparators, and the column of each.

use super::ast::{Column, Op};
use super::error::{Error, Fault, quoted};
use super::text::Pattern;

const KEYWORDS: [&str; 3] = ["AND", "OR", "NOT"];

/// Comparators, the longer first.
const OPS: [Op; 7] =
    [Op::LessEqual, Op::GreaterEqual, Op::NotEqual, Op::Less, Op::Greater, Op::Equal, Op::Has];

/// What people write who think of another language, and what they mean.
const FOREIGN: [(&str, &str); 7] = [
    ("==", "`=`"),
    ("=~", "`=` with `*` for any text"),
    ("!~", "`!=` with `*` for any text"),
    ("<>", "`!=`"),
    ("&&", "`AND`"),
    ("||", "`OR`"),
    ("!", "`NOT` or `-`"),
];

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
    column: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, column: 1 }
    }

    pub(super) fn column(&self) -> Column {
        Column(self.column)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes one character.
    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.column += 1;
        Some(c)
    }

    /// Takes one character, if it is this one.
    pub(super) fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    /// Passes white space; whether there was any.
    pub(super) fn skip_space(&mut self) -> bool {
        let before = self.column;
        while self.peek().is_some_and(char::is_whitespace) {
            self.next();
        }
        self.column > before
    }

    /// The keyword that stands here.
    pub(super) fn keyword(&self) -> Option<&'static str> {
        let ends = |word: &str| !self.rest[word.len()..].starts_with(is_text);
        KEYWORDS.into_iter().find(|word| self.rest.starts_with(word) && ends(word))
    }

    /// Takes a word of ASCII that was seen to stand here.
    pub(super) fn pass(&mut self, word: &str) {
        self.rest = &self.rest[word.len()..];
        self.column += word.len();
    }

    /// The comparator that stands here.
    pub(super) fn op(&self) -> Option<Op> {
        OPS.into_iter().find(|op| self.rest.starts_with(op.as_str()))
    }

    /// Refuses what looks like another language.
    pub(super) fn refuse_foreign(&self) -> Result<(), Error> {
        let stands =
            |wrong: &str| self.rest.starts_with(wrong) && !(wrong == "!" && self.rest.starts_with("!="));
        match FOREIGN.into_iter().find(|(wrong, _)| stands(wrong)) {
            Some((wrong, right)) => Err(Error::new(self.column(), Fault::ForeignWord { wrong, right })),
            None => Ok(()),
        }
    }

    /// A text without quotes, up to what ends it; empty if none stands here.
    pub(super) fn word(&mut self) -> Result<Pattern, Error> {
        self.run(is_text)
    }

    /// A value without quotes: dots and colons are part of it, so that times and versions need no quotes.
    pub(super) fn value(&mut self) -> Result<Pattern, Error> {
        self.run(|c| is_text(c) || matches!(c, '.' | ':'))
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> Result<Pattern, Error> {
        let mut pattern = Pattern::new();
        while let Some(c) = self.peek() {
            if self.rest.starts_with("&&") || self.rest.starts_with("||") {
                self.refuse_foreign()?;
            }
            if c == '\\' || (c.is_control() && !c.is_whitespace()) {
                let fault = Fault::OnlyQuoted(quoted(c.encode_utf8(&mut [0; 4])));
                return Err(Error::new(self.column(), fault));
            }
            match c {
                '*' => pattern.push_star(),
                c if belongs(c) => pattern.push(c),
                _ => break,
            }
            self.next();
        }
        Ok(pattern)
    }

    /// A quoted text, whose opening quote stands here; `None` if there is none.
    pub(super) fn quoted(&mut self) -> Result<Option<Pattern>, Error> {
        let opened = self.column();
        let Some(quote) = self.peek().filter(|c| matches!(c, '"' | '\'')) else { return Ok(None) };
        self.next();
        let mut pattern = Pattern::new();
        loop {
            let at = self.column();
            match self.next() {
                None => return Err(Error::new(opened, Fault::UnclosedQuote(quote))),
                Some(c) if c == quote => return Ok(Some(pattern)),
                Some('*') => pattern.push_star(),
                Some('\\') => match self.next() {
                    Some(c @ ('"' | '\'' | '\\' | '*')) => pattern.push(c),
                    Some(c) => {
                        let fault = Fault::UnknownEscape(quoted(c.encode_utf8(&mut [0; 4])));
                        return Err(Error::new(at, fault));
                    }
                    None => return Err(Error::new(opened, Fault::UnclosedQuote(quote))),
                },
                Some(c) => pattern.push(c),
            }
        }
    }
}

/// Whether a character may stand in a text without quotes.
pub(super) fn is_text(c: char) -> bool {
    !c.is_whitespace()
        && !c.is_control()
        && !matches!(c, '.' | ',' | ':' | '(' | ')' | '<' | '>' | '=' | '!' | '"' | '\'' | '\\')
}

/// Whether a word would be read as a keyword.
pub(super) fn is_keyword(text: &str) -> bool {
    KEYWORDS.contains(&text)
}
