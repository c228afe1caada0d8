//! Gives a filter its meaning: fields are looked up, values are read as what their fields hold.

use super::ast::{Column, Node, Op, Restriction};
use super::error::{Error, Fault, nearest, quoted};
use super::query::{Check, Query, Test};
use super::schema::{Found, Kind, Schema};
use super::text::{Needle, Pattern};
use jiff::Timestamp;
use semver::Version;

/// Reads a whole filter.
pub(super) fn check(root: Option<&Node>, schema: Schema) -> Result<Query, Error> {
    let root = root.map_or(Ok(Test::All(Vec::new())), |root| test(root, schema))?;
    Ok(Query { root })
}

fn test(node: &Node, schema: Schema) -> Result<Test, Error> {
    let tests = |nodes: &[Node]| {
        let mut tests = nodes.iter().map(|node| test(node, schema)).collect::<Result<Vec<_>, _>>()?;
        tests.sort_by_key(Test::cost);
        Ok(tests)
    };
    match node {
        Node::And(nodes) | Node::Sequence(nodes) => tests(nodes).map(Test::All),
        Node::Or(nodes) => tests(nodes).map(Test::Any),
        Node::Not(node) => Ok(Test::Not(Box::new(test(node, schema)?))),
        Node::Text(text) => Ok(Test::Found(Needle::new(text))),
        Node::Restriction(restriction) => compare(restriction, schema),
    }
}

fn compare(restriction: &Restriction, schema: Schema) -> Result<Test, Error> {
    let Restriction { path, op, value, at } = restriction;
    let found = schema.find(path, at[0])?;
    let compared = Compared { name: found.field.name, op: *op, value, op_at: at[1], value_at: at[2] };
    let test = match (found.field.kind, found.key.is_some()) {
        (Kind::Map, false) | (Kind::Texts, _) => return compared.among(&found),
        (Kind::Map, true) | (Kind::Text, _) => compared.text(found.key.is_some())?,
        (Kind::Words(words), _) => compared.word(words)?,
        (Kind::Boolean, _) => compared.boolean()?,
        (Kind::Time, _) => compared.time()?,
        (Kind::Number, _) => compared.number()?,
        (Kind::Version, _) => compared.version()?,
    };
    let test = match found.key {
        Some(key) => Test::Entry(found.index, key, test),
        None => Test::Field(found.index, test),
    };
    Ok(if *op == Op::NotEqual { Test::Not(Box::new(test)) } else { test })
}

/// One comparison whose field is known.
struct Compared<'a> {
    name: &'static str,
    op: Op,
    value: &'a Pattern,
    op_at: Column,
    value_at: Column,
}

impl Compared<'_> {
    /// A map without a key, or several texts: only `:` can ask what is among them.
    fn among(&self, found: &Found) -> Result<Test, Error> {
        if self.op == Op::Has {
            return Ok(Test::Among(found.index, self.value.clone()));
        }
        let name = self.name;
        Err(self.wrong_op(match found.field.kind {
            Kind::Map => format!("write `{name}:KEY`, or `{name}.KEY {} …`", self.op),
            _ => format!("it holds several values, so write `{name}:…`"),
        }))
    }

    /// A text. `m.key:v` asks for equality (AIP-160); `text:v` asks whether it is in there.
    fn text(&self, is_entry: bool) -> Result<Check, Error> {
        Ok(match self.op {
            Op::Has if self.value.is_anything() => Check::Present,
            Op::Has if !is_entry => Check::Holds(Needle::new(self.value)),
            Op::Equal | Op::NotEqual | Op::Has => Check::Like(self.value.clone()),
            op => Check::Text(op, self.literal()?.to_owned()),
        })
    }

    fn word(&self, words: &'static [&'static str]) -> Result<Check, Error> {
        self.refuse_order("it has no order here, so write `=` or `!=`")?;
        if self.value.is_anything() {
            return Ok(Check::Present);
        }
        let literal = self.literal()?.to_lowercase();
        // `STAGE_STABLE` is what the protobuf enumeration calls `stable`.
        let prefix = format!("{}_", self.name);
        let wanted = literal.strip_prefix(&prefix).unwrap_or(&literal);
        words.iter().find(|word| **word == wanted).map(|word| Check::Word(word)).ok_or_else(|| {
            let hint = match nearest(wanted, words.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it is one of {}", words.join(", ")),
            };
            self.wrong_value("a word", hint)
        })
    }

    fn boolean(&self) -> Result<Check, Error> {
        self.refuse_order("it is true or false, so write `=` or `!=`")?;
        match self.value.literal() {
            _ if self.value.is_anything() => Ok(Check::Present),
            Some("true") => Ok(Check::Boolean(true)),
            Some("false") => Ok(Check::Boolean(false)),
            _ => Err(self.wrong_value("a boolean", "write `true` or `false`".into())),
        }
    }

    fn time(&self) -> Result<Check, Error> {
        if self.is_presence() {
            return Ok(Check::Present);
        }
        let text = self.literal()?;
        let time = text.parse::<Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
        let hint = || "write `2026-01-31T00:00:00Z` or `2026-01-31`".to_owned();
        time.map(|time| Check::Time(self.op, time))
            .map_err(|_| self.wrong_value("a time", hint()))
            .map(not_equal_is_negated)
    }

    fn number(&self) -> Result<Check, Error> {
        if self.is_presence() {
            return Ok(Check::Present);
        }
        let number = self.literal()?.parse::<f64>().ok().filter(|number| number.is_finite());
        let number = number.ok_or_else(|| self.wrong_value("a number", "write `42` or `2.5`".into()))?;
        // There are two zeros, and only one is meant.
        Ok(not_equal_is_negated(Check::Number(self.op, number + 0.0)))
    }

    fn version(&self) -> Result<Check, Error> {
        if self.is_presence() {
            return Ok(Check::Present);
        }
        let equality = matches!(self.op, Op::Equal | Op::NotEqual | Op::Has);
        if self.value.literal().is_none() && equality {
            return self.version_wildcard();
        }
        let text = self.literal()?;
        // `>= 2` and `< 2` can mean only 2.0.0; `> 2` and `= 2` could mean two things.
        let padded = match text.split('.').count() {
            1 => format!("{text}.0.0"),
            2 => format!("{text}.0"),
            _ => text.to_owned(),
        };
        let may_pad = matches!(self.op, Op::GreaterEqual | Op::Less);
        let version = Version::parse(if may_pad { &padded } else { text }).map_err(|_| {
            let hint = match Version::parse(&padded) {
                Ok(whole) if equality => format!("write `{whole}` or `{text}.*`"),
                Ok(whole) => format!("write `{whole}`"),
                Err(_) => "write `1.2.0`".into(),
            };
            self.wrong_value("a semantic version", hint)
        })?;
        Ok(not_equal_is_negated(Check::Version(
            if self.op == Op::Has { Op::Equal } else { self.op },
            version,
        )))
    }

    fn version_wildcard(&self) -> Result<Check, Error> {
        let text = self.value.plain();
        let numbers: Option<Vec<u64>> =
            text.strip_suffix(".*").map(|text| text.split('.').map_while(|n| n.parse().ok()).collect());
        match numbers.as_deref() {
            Some([major]) if text == format!("{major}.*") => Ok(Check::Within(*major, None)),
            Some([major, minor]) if text == format!("{major}.{minor}.*") => {
                Ok(Check::Within(*major, Some(*minor)))
            }
            _ => Err(self.wrong_value("a semantic version", "write `1.2.0`, `1.2.*` or `1.*`".into())),
        }
    }

    /// Whether it is asked if there is a value at all.
    fn is_presence(&self) -> bool {
        self.value.is_anything() && matches!(self.op, Op::Has | Op::Equal | Op::NotEqual)
    }

    fn literal(&self) -> Result<&str, Error> {
        let fault = || Fault::Wildcard { field: self.name, op: self.op.as_str() };
        self.value.literal().ok_or_else(|| Error::new(self.value_at, fault()))
    }

    fn refuse_order(&self, hint: &str) -> Result<(), Error> {
        match self.op {
            Op::Equal | Op::NotEqual | Op::Has => Ok(()),
            _ => Err(self.wrong_op(hint.to_owned())),
        }
    }

    fn wrong_op(&self, hint: String) -> Error {
        let fault = Fault::WrongComparator { field: self.name, op: self.op.as_str(), hint };
        Error::new(self.op_at, fault)
    }

    fn wrong_value(&self, expected: &'static str, hint: String) -> Error {
        let value = quoted(&self.value.plain());
        Error::new(self.value_at, Fault::WrongValue { field: self.name, value, expected, hint })
    }
}

/// The negation of `!=` stands around the check, so inside stands `=`.
fn not_equal_is_negated(check: Check) -> Check {
    match check {
        Check::Time(Op::NotEqual, time) => Check::Time(Op::Equal, time),
        Check::Number(Op::NotEqual, number) => Check::Number(Op::Equal, number),
        Check::Version(Op::NotEqual, version) => Check::Version(Op::Equal, version),
        check => check,
    }
}
