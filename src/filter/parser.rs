//! The grammar of AIP-160 (google.aip.dev/assets/misc/ebnf-filtering.txt): one function for each of its rules.

use super::ast::{Column, Node, Restriction};
use super::cursor::Cursor;
use super::error::{Error, Fault, quoted};
use super::text::Pattern;
use super::{DEEPEST, LONGEST, MOST_TERMS};

/// `filter: [expression]`
pub(super) fn parse(text: &str) -> Result<Option<Node>, Error> {
    if text.len() > LONGEST {
        let column = text.char_indices().take_while(|(at, _)| *at < LONGEST).count() + 1;
        return Err(Error::new(Column(column), Fault::TooLong));
    }
    let mut parser = Parser { cursor: Cursor::new(text), depth: 0, terms: 0 };
    parser.cursor.skip_space();
    if parser.cursor.peek().is_none() {
        return Ok(None);
    }
    let root = parser.expression(Place::Start)?;
    match parser.cursor.peek() {
        None => Ok(Some(root)),
        Some(_) => Err(parser.fault(Fault::Unopened)),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
    terms: usize,
}

/// What an operand is wanted for, so that its absence can be told.
#[derive(Clone, Copy)]
enum Place {
    Start,
    Group(Column),
    After(&'static str, Column),
}

/// `value {DOT field}`, before it is known what it is compared with.
struct Member {
    parts: Vec<Pattern>,
    at: Column,
}

impl Parser<'_> {
    /// `expression: sequence {WS AND WS sequence}`; the cursor is left at the end or at a `)`.
    fn expression(&mut self, place: Place) -> Result<Node, Error> {
        let mut parts = vec![self.sequence(place)?];
        while let Some(place) = self.take_keyword("AND")? {
            parts.push(self.sequence(place)?);
        }
        Ok(one_or(parts, Node::And))
    }

    /// `sequence: factor {WS factor}`
    fn sequence(&mut self, place: Place) -> Result<Node, Error> {
        let mut parts = vec![self.factor(place)?];
        loop {
            let spaced = self.cursor.skip_space();
            if matches!(self.cursor.peek(), None | Some(')')) || self.cursor.keyword() == Some("AND") {
                return Ok(one_or(parts, Node::Sequence));
            }
            if !spaced {
                return Err(self.unspaced());
            }
            parts.push(self.factor(Place::Start)?);
        }
    }

    /// `factor: term {WS OR WS term}`
    fn factor(&mut self, place: Place) -> Result<Node, Error> {
        let mut parts = vec![self.term(place)?];
        while let Some(place) = self.take_keyword("OR")? {
            parts.push(self.term(place)?);
        }
        Ok(one_or(parts, Node::Or))
    }

    /// `term: [(NOT WS | MINUS)] simple`
    fn term(&mut self, place: Place) -> Result<Node, Error> {
        if let Some(place) = self.take_keyword("NOT")? {
            return Ok(Node::Not(Box::new(self.simple(place)?)));
        }
        let at = self.cursor.column();
        if self.cursor.take('-') {
            if self.cursor.peek().is_none_or(char::is_whitespace) {
                return Err(Error::new(at, Fault::LooseMinus));
            }
            return Ok(Node::Not(Box::new(self.simple(Place::After("-", at))?)));
        }
        self.simple(place)
    }

    /// `simple: restriction | composite`, `composite: LPAREN expression RPAREN`
    fn simple(&mut self, place: Place) -> Result<Node, Error> {
        let at = self.cursor.column();
        if !self.cursor.take('(') {
            self.refuse_absence(place)?;
            return self.restriction();
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Error::new(at, Fault::TooDeep));
        }
        self.cursor.skip_space();
        let inner = self.expression(Place::Group(at))?;
        if !self.cursor.take(')') {
            return Err(Error::new(at, Fault::Unclosed));
        }
        self.depth -= 1;
        Ok(inner)
    }

    /// `restriction: comparable [comparator arg]`
    fn restriction(&mut self) -> Result<Node, Error> {
        self.terms += 1;
        if self.terms > MOST_TERMS {
            return Err(self.fault(Fault::TooManyTerms));
        }
        let member = self.member()?;
        let ended = self.cursor.clone();
        self.cursor.skip_space();
        let Some(op) = self.cursor.op() else {
            self.cursor = ended;
            return member.into_text();
        };
        self.cursor.refuse_foreign()?;
        let op_at = self.cursor.column();
        self.cursor.pass(op.as_str());
        self.cursor.refuse_foreign()?;
        self.cursor.skip_space();
        let value_at = self.cursor.column();
        let value = self.arg(op.as_str())?;
        let path = member.parts.iter().map(Pattern::plain).collect();
        Ok(Node::Restriction(Restriction { path, op, value, at: [member.at, op_at, value_at] }))
    }

    /// `member: value {DOT field}`; a `function` is known by its parenthesis, and refused.
    fn member(&mut self) -> Result<Member, Error> {
        let at = self.cursor.column();
        let mut parts = Vec::new();
        loop {
            let quoted_part = self.cursor.quoted()?;
            let bare = quoted_part.is_none();
            let part = match quoted_part {
                Some(part) => part,
                None => self.cursor.word()?,
            };
            let empty = part.literal() == Some("");
            if empty && bare {
                // The caller saw that a member begins here, so only what stands after a dot can be missing.
                return Err(Error::new(Column(self.cursor.column().0 - 1), Fault::TrailingDot));
            }
            parts.push(part);
            if bare && self.cursor.peek() == Some('(') {
                let name: Vec<_> = parts.iter().map(Pattern::plain).collect();
                return Err(Error::new(at, Fault::Function(quoted(&name.join(".")))));
            }
            if bare && matches!(self.cursor.peek(), Some('"' | '\'')) {
                return Err(self.fault(Fault::QuoteInside));
            }
            if !self.cursor.take('.') {
                return Ok(Member { parts, at });
            }
        }
    }

    /// `arg: comparable | composite`, of which only values are known here.
    fn arg(&mut self, op: &'static str) -> Result<Pattern, Error> {
        match self.cursor.peek() {
            None | Some(')') => return Err(self.fault(Fault::NoValue(op))),
            Some('(') => return Err(self.fault(Fault::GroupAsValue)),
            Some(_) if self.cursor.keyword().is_some() => return Err(self.fault(Fault::NoValue(op))),
            Some(_) => {}
        }
        let at = self.cursor.column();
        let text = self.cursor.quoted()?;
        let bare = text.is_none();
        let value = match text {
            Some(value) => value,
            None => self.cursor.value()?,
        };
        match self.cursor.peek() {
            Some('(') if bare => Err(Error::new(at, Fault::Function(quoted(&value.plain())))),
            Some('"' | '\'') => Err(self.fault(Fault::QuoteInside)),
            Some('.' | ':') => Err(self.fault(Fault::MissingSpace)),
            Some(c) if bare && value.literal() == Some("") && self.cursor.op().is_none() => {
                Err(self.stray(c))
            }
            _ => Ok(value),
        }
        .and_then(|value| self.refuse_second_comparator(value))
    }

    fn refuse_second_comparator(&self, value: Pattern) -> Result<Pattern, Error> {
        let mut ahead = self.cursor.clone();
        ahead.skip_space();
        match ahead.op() {
            Some(op) => Err(Error::new(ahead.column(), Fault::SecondComparator(op.as_str()))),
            None => Ok(value),
        }
    }

    /// Takes a keyword, if it is this one, and the space that must follow it.
    fn take_keyword(&mut self, word: &'static str) -> Result<Option<Place>, Error> {
        let mut ahead = self.cursor.clone();
        ahead.skip_space();
        if ahead.keyword() != Some(word) {
            return Ok(None);
        }
        let at = ahead.column();
        ahead.pass(word);
        let spaced = ahead.skip_space();
        self.cursor = ahead;
        if !spaced && !matches!(self.cursor.peek(), None | Some(')')) {
            return Err(self.fault(Fault::MissingSpace));
        }
        Ok(Some(Place::After(word, at)))
    }

    /// Refuses what cannot begin an operand.
    fn refuse_absence(&self, place: Place) -> Result<(), Error> {
        self.cursor.refuse_foreign()?;
        match (self.cursor.peek(), place) {
            (None | Some(')'), Place::After(word, at)) => Err(Error::new(at, Fault::NothingAfter(word))),
            (None, Place::Group(at)) => Err(Error::new(at, Fault::Unclosed)),
            (Some(')'), Place::Group(at)) => Err(Error::new(at, Fault::EmptyGroup)),
            (Some(')') | None, Place::Start) => Err(self.fault(Fault::Unopened)),
            (Some('.'), _) => Err(self.fault(Fault::LeadingDot)),
            (Some(c), _) => match (self.cursor.keyword(), self.cursor.op()) {
                (Some(word), _) => Err(self.fault(Fault::NothingBefore(word))),
                (_, Some(op)) => Err(self.fault(Fault::NoField(op.as_str()))),
                _ if c == ',' => Err(self.stray(c)),
                _ => Ok(()),
            },
        }
    }

    /// What is wrong where a factor ended and neither a space nor an end follows.
    fn unspaced(&self) -> Error {
        match self.cursor.peek() {
            Some(',') => self.stray(','),
            Some('!') => {
                self.cursor.refuse_foreign().err().unwrap_or_else(|| self.fault(Fault::MissingSpace))
            }
            _ => self.fault(Fault::MissingSpace),
        }
    }

    fn stray(&self, c: char) -> Error {
        self.fault(Fault::OnlyQuoted(quoted(c.encode_utf8(&mut [0; 4]))))
    }

    fn fault(&self, fault: Fault) -> Error {
        Error::new(self.cursor.column(), fault)
    }
}

impl Member {
    /// A comparable that is compared with nothing: a text to be found.
    fn into_text(self) -> Result<Node, Error> {
        let mut whole = Pattern::new();
        for (i, part) in self.parts.iter().enumerate() {
            if i > 0 {
                whole.push('.');
            }
            whole.append(part);
        }
        if whole.literal() == Some("") {
            return Err(Error::new(self.at, Fault::EmptyText));
        }
        Ok(Node::Text(whole))
    }
}

fn one_or(mut parts: Vec<Node>, many: fn(Vec<Node>) -> Node) -> Node {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}
