//! What is known of a value: the schemas that it is valid under, taken apart as far as they all hold.

use serde_json::{Map, Number, Value};
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};

/// Schemas that are followed from one place; beyond it less is known, which is safe.
const FOLLOWED: usize = 200;

/// A part of a schema, with the document that its references point into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) root: &'a Value,
    pub(super) at: &'a Value,
}

/// What is known of a value.
pub(super) struct Facts<'a> {
    /// Objects, of which each keyword but `$ref` and `allOf` is still to be read.
    pub(super) nodes: Vec<Node<'a>>,
    /// No value is valid under all of them.
    pub(super) never: bool,
    pub(super) types: Types,
    /// All values that there can be, where these are listed.
    pub(super) values: Option<Vec<&'a Value>>,
}

/// A set of JSON types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl<'a> Node<'a> {
    /// Another part of the same document.
    pub(super) fn to(self, at: &'a Value) -> Self {
        Self { at, ..self }
    }

    pub(super) fn map(self) -> Option<&'a Map<String, Value>> {
        self.at.as_object()
    }

    /// The value of a keyword.
    pub(super) fn get(self, keyword: &str) -> Option<&'a Value> {
        self.at.get(keyword)
    }

    /// The schema in a keyword.
    pub(super) fn schema(self, keyword: &str) -> Option<Self> {
        self.get(keyword).map(|at| self.to(at))
    }

    /// The schemas in a keyword that holds a list.
    pub(super) fn list(self, keyword: &str) -> impl Iterator<Item = Self> + use<'a> {
        self.get(keyword).and_then(Value::as_array).into_iter().flatten().map(move |at| self.to(at))
    }

    /// The schemas in a keyword that holds a map.
    pub(super) fn named(self, keyword: &str) -> impl Iterator<Item = (&'a String, Self)> + use<'a> {
        self.get(keyword)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(move |(name, at)| (name, self.to(at)))
    }

    /// The schema under a name in a keyword that holds a map.
    pub(super) fn entry(self, keyword: &str, name: &str) -> Option<Self> {
        self.get(keyword)?.get(name).map(|at| self.to(at))
    }

    /// The texts in a keyword that holds a list of them.
    pub(super) fn texts(self, keyword: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.get(keyword).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// What its `$ref` points to, and the pointer. Only pointers are followed, not anchors.
    pub(super) fn referred(self) -> Option<(&'a str, Self)> {
        let pointer = self.get("$ref")?.as_str()?.strip_prefix('#')?;
        // A pointer in a URI may be percent-encoded: rare enough to be unproven.
        if pointer.contains('%') {
            return None;
        }
        self.root.pointer(pointer).map(|at| (pointer, self.to(at)))
    }

    /// What holds of properties that nothing else in the schema names; `unevaluatedProperties` says the same where
    /// nothing else can evaluate a property.
    pub(super) fn additional(self) -> Option<Self> {
        self.schema("additionalProperties").or_else(|| {
            let applies = ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"];
            let plain = !applies.iter().any(|keyword| self.get(keyword).is_some());
            self.schema("unevaluatedProperties").filter(|_| plain)
        })
    }
}

impl<'a> Facts<'a> {
    pub(super) fn of(given: &[Node<'a>]) -> Self {
        let mut facts = Self { nodes: Vec::new(), never: false, types: Types::ALL, values: None };
        let mut next: Vec<Node<'a>> = given.iter().rev().copied().collect();
        let mut seen = HashSet::new();
        while let Some(node) = next.pop() {
            if seen.len() >= FOLLOWED || !seen.insert(address(node)) {
                continue;
            }
            if node.at == &Value::Bool(false) {
                facts.never = true;
            }
            if node.map().is_some() {
                next.extend(node.referred().map(|(_, target)| target));
                next.extend(node.list("allOf"));
                facts.know(node);
            }
        }
        if let Some(values) = &mut facts.values {
            let types = facts.types;
            values.retain(|value| types.has(Types::of_value(value)));
            facts.types = Types(values.iter().fold(0, |all, value| all | Types::of_value(value).0));
        }
        facts.never |= facts.types.is_empty();
        facts
    }

    fn know(&mut self, node: Node<'a>) {
        self.types = self.types.both(Types::of_schema(node));
        let values = match (node.get("const"), node.get("enum")) {
            (Some(value), _) => Some(vec![value]),
            (None, Some(Value::Array(values))) => Some(values.iter().collect()),
            _ => None,
        };
        if let Some(values) = values {
            self.values = Some(match self.values.take() {
                // Two lists: the shorter is true, and enough.
                Some(known) if known.len() <= values.len() => known,
                _ => values,
            });
        }
        self.nodes.push(node);
    }

    /// The properties that must be there.
    pub(super) fn required(&self) -> BTreeSet<&'a str> {
        self.nodes.iter().flat_map(|node| node.texts("required")).collect()
    }

    /// The greatest number in a keyword.
    pub(super) fn greatest(&self, keyword: &str) -> Option<&'a Number> {
        self.numbers(keyword).max_by(|a, b| order(a, b))
    }

    /// The least number in a keyword.
    pub(super) fn least(&self, keyword: &str) -> Option<&'a Number> {
        self.numbers(keyword).min_by(|a, b| order(a, b))
    }

    pub(super) fn numbers(&self, keyword: &str) -> impl Iterator<Item = &'a Number> {
        self.nodes.iter().filter_map(move |node| node.get(keyword)?.as_number())
    }

    /// Whether one of them has the keyword with this very value.
    pub(super) fn has(&self, keyword: &str, value: &Value) -> bool {
        self.nodes.iter().any(|node| node.get(keyword) == Some(value))
    }
}

impl Types {
    pub(super) const ALL: Self = Self(0b111_1111);
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const OBJECT: Self = Self(4);
    pub(super) const ARRAY: Self = Self(8);
    pub(super) const STRING: Self = Self(16);
    const INTEGER: Self = Self(32);
    /// Numbers that are no integers.
    pub(super) const FRACTION: Self = Self(64);
    /// Integers are numbers too.
    pub(super) const NUMBER: Self = Self(32 | 64);

    pub(super) fn of_schema(node: Node<'_>) -> Self {
        match node.get("type") {
            Some(Value::String(name)) => Self::named(name),
            Some(Value::Array(names)) => {
                Self(names.iter().filter_map(Value::as_str).fold(0, |all, name| all | Self::named(name).0))
            }
            _ => Self::ALL,
        }
    }

    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
            // 1.0 is an integer.
            Value::Number(number) if number.as_f64().is_none_or(|number| number.fract() == 0.0) => {
                Self::INTEGER
            }
            Value::Number(_) => Self::FRACTION,
        }
    }

    fn named(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "object" => Self::OBJECT,
            "array" => Self::ARRAY,
            "string" => Self::STRING,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            _ => Self(0),
        }
    }

    /// Whether any of `other` is in it.
    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are not in `other`.
    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their names, for people.
    pub(super) fn names(self) -> String {
        let all = [
            (Self::NULL, "null"),
            (Self::BOOLEAN, "boolean"),
            (Self::OBJECT, "object"),
            (Self::ARRAY, "array"),
            (Self::STRING, "string"),
        ];
        let mut names: Vec<_> = all.into_iter().filter(|(kind, _)| self.has(*kind)).map(|(_, n)| n).collect();
        names.extend(match self.both(Self::NUMBER) {
            Self::NUMBER => Some("number"),
            Self::INTEGER => Some("integer"),
            Self(0) => None,
            _ => Some("number that is no integer"),
        });
        names.join(", ")
    }
}

/// Which part of which document it is.
pub(super) fn address(node: Node<'_>) -> usize {
    std::ptr::from_ref(node.at) as usize
}

/// Numbers by value: 1 and 1.0 are one.
pub(super) fn order(a: &Number, b: &Number) -> Ordering {
    // 0 is added because -0.0 is 0.0.
    let float = |n: &Number| n.as_f64().unwrap_or_default() + 0.0;
    let whole = |n: &Number| n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from));
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => float(a).total_cmp(&float(b)),
    }
}

/// Whether two values are one to JSON Schema.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => order(a, b).is_eq(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}
