//! The one canonical text of a filter, which any reader of AIP-160 understands: quotes and parentheses only where needed.

use super::Filter;
use super::ast::{Node, Restriction};
use super::cursor::{is_keyword, is_text};
use super::text::Pattern;
use std::fmt::{self, Display, Formatter, Write as _};

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.root.as_ref().map_or(Ok(()), |root| print(root, Binding::And, f))
    }
}

/// How tightly an expression holds together, the loosest first.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Binding {
    And,
    Sequence,
    Or,
    Not,
    Simple,
}

/// Prints a node where nothing looser than `wanted` may stand without parentheses.
fn print(node: &Node, wanted: Binding, f: &mut Formatter<'_>) -> fmt::Result {
    let binding = match node {
        Node::And(_) => Binding::And,
        Node::Sequence(_) => Binding::Sequence,
        Node::Or(_) => Binding::Or,
        Node::Not(_) => Binding::Not,
        Node::Text(_) | Node::Restriction(_) => Binding::Simple,
    };
    if binding < wanted {
        f.write_char('(')?;
        print(node, Binding::And, f)?;
        return f.write_char(')');
    }
    match node {
        Node::And(parts) => join(parts, " AND ", Binding::Sequence, f),
        Node::Sequence(parts) => join(parts, " ", Binding::Or, f),
        Node::Or(parts) => join(parts, " OR ", Binding::Not, f),
        Node::Not(inner) => {
            f.write_str("NOT ")?;
            print(inner, Binding::Simple, f)
        }
        Node::Text(text) => text_or_quoted(text, f),
        Node::Restriction(Restriction { path, op, value, .. }) => {
            for (i, name) in path.iter().enumerate() {
                if i > 0 {
                    f.write_char('.')?;
                }
                name_or_quoted(name, i == 0, f)?;
            }
            // `:` reads as one with what it joins; the others read as words.
            let space = if op.as_str() == ":" { "" } else { " " };
            write!(f, "{space}{op}{space}")?;
            value_or_quoted(value, f)
        }
    }
}

fn join(parts: &[Node], between: &str, wanted: Binding, f: &mut Formatter<'_>) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            f.write_str(between)?;
        }
        print(part, wanted, f)?;
    }
    Ok(())
}

/// A part of a path. The first may be no keyword, and no minus that would negate it.
fn name_or_quoted(name: &str, first: bool, f: &mut Formatter<'_>) -> fmt::Result {
    let plain = name.chars().all(|c| is_text(c) && c != '*') && !foreign(name) && !name.is_empty();
    if plain && !(first && (is_keyword(name) || name.starts_with('-'))) {
        return f.write_str(name);
    }
    f.write_char('"')?;
    escape(name, f)?;
    f.write_char('"')
}

fn text_or_quoted(text: &Pattern, f: &mut Formatter<'_>) -> fmt::Result {
    let first_is_minus = text.pieces().first().is_some_and(|first| first.starts_with('-'));
    if first_is_minus { quote(text, f) } else { value_or_quoted(text, f) }
}

/// A value stands bare if the grammar reads it back as one: names joined by single dots.
fn value_or_quoted(value: &Pattern, f: &mut Formatter<'_>) -> fmt::Result {
    // A star that means itself stands only in quotes.
    let literal_star = value.pieces().iter().any(|piece| piece.contains('*'));
    let plain = value.plain();
    let dotted = plain.split('.').all(|part| !part.is_empty() && part.chars().all(is_text));
    let keyword = plain.split('.').next().is_some_and(is_keyword);
    if dotted && !keyword && !literal_star && !foreign(&plain) {
        f.write_str(&plain)
    } else {
        quote(value, f)
    }
}

fn foreign(text: &str) -> bool {
    text.contains("&&") || text.contains("||")
}

fn quote(value: &Pattern, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for (i, piece) in value.pieces().iter().enumerate() {
        if i > 0 {
            f.write_char('*')?;
        }
        escape(piece, f)?;
    }
    f.write_char('"')
}

fn escape(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    text.chars().try_for_each(|c| {
        if matches!(c, '"' | '\\' | '*') {
            f.write_char('\\')?;
        }
        f.write_char(c)
    })
}
