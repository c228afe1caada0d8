//! The order of a list (AIP-132): `stage, name desc`.

use super::ast::Column;
use super::error::{Error, Fault, quoted};
use super::query::{Item, Value};
use super::schema::{Kind, Schema};
use super::{LONGEST, MOST_TERMS};
use std::cmp::Ordering;
use std::fmt;

/// By which fields a list is ordered, the most important first.
#[derive(Debug, Clone, Default)]
pub struct OrderBy {
    keys: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Key {
    index: usize,
    name: &'static str,
    kind: Kind,
    entry: Option<String>,
    descending: bool,
}

impl OrderBy {
    /// Reads an order; the empty text is no order at all.
    pub fn parse(text: &str, schema: Schema) -> Result<Self, Error> {
        if text.len() > LONGEST {
            return Err(Error::new(Column(1), Fault::TooLong));
        }
        let mut order = Self::default();
        if text.trim().is_empty() {
            return Ok(order);
        }
        let mut column = 1;
        for item in text.split(',') {
            let key = Key::parse(item, column, schema)?;
            let at = Column(column + item.chars().take_while(|c| c.is_whitespace()).count());
            if order.keys.len() == MOST_TERMS {
                return Err(Error::new(at, Fault::TooManyTerms));
            }
            if order.keys.iter().any(|other| (other.index, &other.entry) == (key.index, &key.entry)) {
                return Err(Error::new(at, Fault::Twice(quoted(&key.path()))));
            }
            order.keys.push(key);
            column += item.chars().count() + 1;
        }
        Ok(order)
    }

    /// Whether nothing is ordered.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether the order hangs on a field.
    pub fn reads(&self, field: usize) -> bool {
        self.keys.iter().any(|key| key.index == field)
    }

    /// Which comes first. What has no value comes after what has one; descending turns this round.
    pub fn compare<I: Item>(&self, a: &I, b: &I) -> Ordering {
        let mut orders = self.keys.iter().map(|key| {
            let order = key.compare(a, b);
            if key.descending { order.reverse() } else { order }
        });
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl fmt::Display for OrderBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, key) in self.keys.iter().enumerate() {
            let (comma, direction) =
                (if i > 0 { ", " } else { "" }, if key.descending { " desc" } else { "" });
            write!(f, "{comma}{}{direction}", key.path())?;
        }
        Ok(())
    }
}

impl Key {
    fn parse(item: &str, column: usize, schema: Schema) -> Result<Self, Error> {
        let mut words = words(item, column);
        let Some((name, at)) = words.next() else {
            return Err(Error::new(Column(column), Fault::EmptyItem));
        };
        let descending = match words.next() {
            None | Some(("asc", _)) => false,
            Some(("desc", _)) => true,
            Some((word, at)) => return Err(Error::new(at, Fault::Direction(quoted(word)))),
        };
        if let Some((word, at)) = words.next() {
            return Err(Error::new(at, Fault::Direction(quoted(word))));
        }
        let path: Vec<String> = name.split('.').map(str::to_owned).collect();
        let found = schema.find(&path, at)?;
        let hint = match found.field.kind {
            Kind::Texts => Some("it holds several values"),
            Kind::Map if found.key.is_none() => Some("it holds several values; name a key of it"),
            _ => None,
        };
        if let Some(hint) = hint {
            return Err(Error::new(at, Fault::Unordered { field: found.field.name, hint }));
        }
        let (name, kind) = (found.field.name, found.field.kind);
        Ok(Self { index: found.index, name, kind, entry: found.key, descending })
    }

    fn path(&self) -> String {
        self.entry.as_ref().map_or_else(|| self.name.to_owned(), |entry| format!("{}.{entry}", self.name))
    }

    fn compare<I: Item>(&self, a: &I, b: &I) -> Ordering {
        match &self.entry {
            Some(entry) => compare_options(a.entry(self.index, entry), b.entry(self.index, entry)),
            None => self.compare_values(&a.value(self.index), &b.value(self.index)),
        }
    }

    fn compare_values(&self, a: &Value<'_>, b: &Value<'_>) -> Ordering {
        match (a, b) {
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Time(a), Value::Time(b)) => a.cmp(b),
            (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
            (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
            (Value::Version(a), Value::Version(b)) => a.cmp(b),
            (Value::Word(a), Value::Word(b)) => self.rank(a).cmp(&self.rank(b)),
            (a, b) => matches!(a, Value::Absent).cmp(&matches!(b, Value::Absent)),
        }
    }

    /// Words stand in the order of the schema.
    fn rank(&self, word: &str) -> Option<usize> {
        let Kind::Words(words) = self.kind else { return None };
        words.iter().position(|known| *known == word)
    }
}

fn compare_options(a: Option<&str>, b: Option<&str>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}

/// The words of an item, with their columns.
fn words(item: &str, mut column: usize) -> impl Iterator<Item = (&str, Column)> {
    item.split(char::is_whitespace).filter_map(move |word| {
        let at = Column(column);
        column += word.chars().count() + 1;
        (!word.is_empty()).then_some((word, at))
    })
}
