//! Rules of export and import: what of a catalogue passes a border.

use super::{RecordName, Scope, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What may pass: whatever one of the rules names. Without rules, nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BorderRules(Vec<BorderRule>);

/// What one rule names. An empty part of it leaves that open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BorderRule {
    /// Platforms, by name.
    pub platforms: Vec<Pattern>,
    /// Capabilities, by their ids in their platforms.
    pub capabilities: Vec<Pattern>,
    /// Labels that a version must carry, all of them.
    pub labels: BTreeMap<String, String>,
    /// Stages that a version may be in.
    pub stages: BTreeSet<Stage>,
}

/// A name, `*` for any, or `*.example` for all that ends like that.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern(Form);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Form {
    Any,
    Exact(String),
    /// With its leading dot.
    Suffix(String),
}

/// The text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a pattern: write a name, * for any, or *.example for all names that end like that")]
pub struct ParsePatternError(String);

impl BorderRules {
    /// These rules.
    pub fn new(rules: impl IntoIterator<Item = BorderRule>) -> Self {
        Self(rules.into_iter().collect())
    }

    /// The one rule that names everything.
    pub fn everything() -> Self {
        Self(vec![BorderRule::default()])
    }

    /// Whether nothing may pass.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules.
    pub fn rules(&self) -> &[BorderRule] {
        &self.0
    }

    /// Whether some rule names what is called so.
    pub fn allow(&self, name: &RecordName, scope: &Scope) -> bool {
        self.0.iter().any(|rule| rule.names(name, scope))
    }
}

impl BorderRule {
    /// Whether the rule names it. What belongs to no platform is named only by a rule that leaves platforms open; what
    /// belongs to a platform and to no capability, by every rule that names the platform: a version without its
    /// platform would be of no use.
    pub fn names(&self, name: &RecordName, scope: &Scope) -> bool {
        let fits = |patterns: &[Pattern], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.fits(text))
        };
        match name.platform() {
            Some(platform) if !fits(&self.platforms, platform) => return false,
            None if !self.platforms.is_empty() => return false,
            _ => {}
        }
        let Some(capability) = name.capability() else { return true };
        let carries = |(key, value): (&String, &String)| scope.labels.get(key) == Some(value);
        let is_in_stage = || scope.stage.is_some_and(|stage| self.stages.contains(&stage));
        fits(&self.capabilities, capability)
            && self.labels.iter().all(carries)
            && (self.stages.is_empty() || is_in_stage())
    }
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, ParsePatternError> {
        let wrong = || ParsePatternError(text.chars().take(80).collect());
        let is_name = |name: &str| {
            !name.is_empty()
                && name.len() <= 253
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        };
        match text.strip_prefix('*') {
            Some("") => Ok(Self(Form::Any)),
            Some(rest) if rest.strip_prefix('.').is_some_and(is_name) => {
                Ok(Self(Form::Suffix(rest.to_owned())))
            }
            None if is_name(text) => Ok(Self(Form::Exact(text.to_owned()))),
            _ => Err(wrong()),
        }
    }

    /// Whether a name is meant.
    pub fn fits(&self, name: &str) -> bool {
        match &self.0 {
            Form::Any => true,
            Form::Exact(exact) => exact == name,
            Form::Suffix(suffix) => name.len() > suffix.len() && name.ends_with(suffix.as_str()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Any => f.write_str("*"),
            Form::Exact(exact) => f.write_str(exact),
            Form::Suffix(suffix) => write!(f, "*{suffix}"),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RecordName {
        RecordName::parse(text).unwrap()
    }

    fn pattern(text: &str) -> Vec<Pattern> {
        vec![Pattern::parse(text).unwrap()]
    }

    #[test]
    fn without_rules_nothing_passes() {
        let ledger = name("platforms/p.example/capabilities/ledger");
        assert!(!BorderRules::default().allow(&ledger, &Scope::default()));
        assert!(BorderRules::everything().allow(&ledger, &Scope::default()));
    }

    #[test]
    fn a_rule_names_by_platform_capability_label_and_stage() {
        let rule = BorderRule {
            platforms: pattern("*.example"),
            capabilities: pattern("ledger"),
            labels: [("tier".to_owned(), "gold".to_owned())].into(),
            stages: [Stage::Stable].into(),
        };
        let scope = |stage, tier: &str| Scope {
            stage: Some(stage),
            labels: [("tier".to_owned(), tier.to_owned()), ("x".to_owned(), "y".to_owned())].into(),
        };
        let stable = scope(Stage::Stable, "gold");
        let version = "platforms/p.example/capabilities/ledger/versions/1.0.0";
        assert!(rule.names(&name(version), &stable));
        assert!(rule.names(&name(&format!("{version}/status")), &stable));
        assert!(rule.names(&name("platforms/p.example"), &Scope::default()));
        assert!(!rule.names(&name(version), &scope(Stage::Alpha, "gold")));
        assert!(!rule.names(&name(version), &scope(Stage::Stable, "tin")));
        assert!(!rule.names(&name(version), &Scope::default()));
        assert!(!rule.names(&name("platforms/p.example/capabilities/kv"), &stable));
        assert!(!rule.names(&name("platforms/p.other/capabilities/ledger"), &stable));
        assert!(!rule.names(&name("platforms/p.other"), &stable));
        assert!(!rule.names(&name("weather/today"), &stable));
    }

    #[test]
    fn a_suffix_takes_whole_labels() {
        let suffix = Pattern::parse("*.example").unwrap();
        assert!(suffix.fits("a.example") && suffix.fits("a.b.example"));
        assert!(!suffix.fits(".example") && !suffix.fits("example") && !suffix.fits("badexample"));
        for bad in ["", "**", "*example", "a*", "A", "*.", "a b"] {
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
    }
}
