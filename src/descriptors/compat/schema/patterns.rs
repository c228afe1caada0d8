//! Which property names a pattern matches, in time in proportion to both: look-around is not understood.

use jsonschema::{PatternOptions, Validator};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Patterns that are compiled for one comparison.
const COMPILED: usize = 100;
/// Bytes that one compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

/// Compiled patterns.
#[derive(Default)]
pub(super) struct Patterns<'a> {
    compiled: HashMap<&'a str, Option<Validator>>,
}

impl<'a> Patterns<'a> {
    /// Whether the pattern matches the name; `None` if that cannot be said.
    pub(super) fn matches(&mut self, pattern: &'a str, name: &str) -> Option<bool> {
        if self.compiled.len() >= COMPILED && !self.compiled.contains_key(pattern) {
            return None;
        }
        let validator = self.compiled.entry(pattern).or_insert_with(|| compile(pattern));
        validator.as_ref().map(|validator| validator.is_valid(&Value::from(name)))
    }
}

fn compile(pattern: &str) -> Option<Validator> {
    let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES);
    let options = jsonschema::draft202012::options().with_pattern_options(patterns);
    options.build(&json!({ "pattern": pattern })).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_anywhere_and_may_fail() {
        let mut patterns = Patterns::default();
        assert_eq!(patterns.matches("b", "abc"), Some(true));
        assert_eq!(patterns.matches("^b", "abc"), Some(false));
        assert_eq!(patterns.matches("(", "abc"), None);
    }
}
