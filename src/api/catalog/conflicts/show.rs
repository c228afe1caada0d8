//! A conflict as it is shown: who claims what, since when, which rule decided, and what to do.

use super::{Found, What};
use crate::api::catalog::view::View;
use crate::catalog::{Claim, Claims, Offering, Rule};
use crate::model::{Clash, ClashKind, ProducerName, Source, Version, VersionName};
use crate::wire::catalog as wire;
use crate::wire::pb::portolan::catalog::v1 as pb;
use crate::wire::time::timestamp;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Characters of a value that is shown beside another.
const SHOWN: usize = 200;

impl View<'_> {
    /// The conflict on the wire.
    pub(super) fn show_conflict(self, found: &Found<'_>) -> pb::Conflict {
        let conflict = match &found.what {
            What::Service(claims, seen) => self.show_service(claims, seen),
            What::Clashes(clashes) => self.show_clashes(clashes),
            What::Statement(offering) => show_statement(offering),
        };
        pb::Conflict { subject: found.subject.clone(), kind: found.kind.into(), ..conflict }
    }

    fn show_service(self, claims: &Claims, seen: &[&Claim]) -> pb::Conflict {
        let owner = claims.owner().map(|owner| &owner.platform);
        let claimant = |claim: &&Claim| {
            let offerings =
                || claim.offerings.iter().filter(|o| self.policy.may_see(self.caller, &o.version));
            pb::Claimant {
                platform: format!("platforms/{}", claim.platform),
                source: offerings().next().map_or(0, |offering| wire::source(offering.source).into()),
                origin: String::new(),
                // What the configuration lists was there before all else.
                since: Some(timestamp(claim.since)).filter(|_| !claim.is_configured()),
                winner: Some(&claim.platform) == owner,
                claims: offerings().map(|offering| offering.version.name.to_string()).collect(),
            }
        };
        let (rule, why) = match claims.rule() {
            Rule::LongestPrefix => ("LONGEST_PREFIX", "the longest granted prefix wins".to_owned()),
            Rule::OnlyClaim | Rule::FirstClaim => {
                ("FIRST_CLAIM", "the granted prefixes are as long, and who claimed first keeps it".to_owned())
            }
            Rule::Override => (
                "OVERRIDE",
                claims.overridden().map_or_else(String::new, |spec| {
                    format!("the operator decided so until {}: {}", spec.expires, cut(&spec.reason))
                }),
            ),
        };
        let message = format!(
            "{why}; calls by the bare name go to the winner, the others are reached with the metadata portolan-platform"
        );
        let ends = claims.overridden().filter(|_| claims.rule() == Rule::Override).map(|spec| spec.expires);
        pb::Conflict {
            claimants: seen.iter().map(claimant).collect(),
            rule: rule.to_owned(),
            message,
            override_expire_time: ends.map(timestamp),
            ..Default::default()
        }
    }

    fn show_clashes(self, clashes: &[&Arc<Clash>]) -> pb::Conflict {
        let standing = clashes.first().and_then(|clash| self.standing(clash));
        let strongest = standing.as_ref().map(|(source, _)| *source);
        let is_ranked = strongest.is_some_and(|held| clashes.iter().all(|clash| held < clash.source));
        let rule = match clashes.first().map(|clash| clash.kind) {
            Some(ClashKind::Contract) => "FIRST_CONTRACT",
            _ if is_ranked => "SOURCE_ORDER",
            _ => "FIRST_CLAIM",
        };
        let loser = |clash: &&Arc<Clash>| pb::Claimant {
            platform: format!("platforms/{}", clash.platform),
            source: wire::source(clash.source).into(),
            origin: match &clash.producer {
                Some(producer) => format!("{} ({})", clash.origin, producer.producer),
                None => clash.origin.clone(),
            },
            since: Some(timestamp(clash.since)),
            winner: false,
            claims: vec![clash.claim.clone()],
        };
        let winner = standing.map(|(_, claimant)| claimant);
        pb::Conflict {
            claimants: winner.into_iter().chain(clashes.iter().map(loser)).collect(),
            rule: rule.to_owned(),
            message: clashes.last().map(|clash| clash.message.clone()).unwrap_or_default(),
            ..Default::default()
        }
    }

    /// What a clash lost against.
    fn standing(self, clash: &Clash) -> Option<(Source, pb::Claimant)> {
        let (source, origin, since, claim) = match clash.kind {
            ClashKind::Contract => {
                let first = self.snapshot.contract(&VersionName::parse(&clash.subject).ok()?)?;
                (first.source, first.origin.clone(), first.created, first.digest.to_string())
            }
            ClashKind::Producer => {
                let producer = self.snapshot.producer(&ProducerName::parse(&clash.subject).ok()?)?;
                (producer.source, String::new(), producer.created, producer.identity.to_string())
            }
        };
        let claimant = pb::Claimant {
            platform: format!("platforms/{}", clash.platform),
            source: wire::source(source).into(),
            origin,
            since: Some(timestamp(since)).filter(|_| source != Source::Configuration),
            winner: true,
            claims: vec![claim],
        };
        Some((source, claimant))
    }
}

fn show_statement(offering: &Offering) -> pb::Conflict {
    let said = [(offering.source, &offering.version)].into_iter();
    let said = said.chain(offering.beneath.iter().map(|statement| (statement.source, &statement.version)));
    let all: Vec<_> = said.map(|(source, version)| (source, words(version))).collect();
    let in_force = all.first().map(|(_, words)| words.clone()).unwrap_or_default();
    let differs = |field: &String| all.iter().any(|(_, words)| words.get(field) != in_force.get(field));
    let fields: Vec<&String> =
        all.iter().flat_map(|(_, words)| words.keys()).filter(|f| differs(f)).collect();
    let claimant = |(at, (source, words)): (usize, &(Source, BTreeMap<String, Value>))| pb::Claimant {
        platform: format!("platforms/{}", offering.version.name.platform),
        source: wire::source(*source).into(),
        origin: String::new(),
        since: began(offering, *source).map(timestamp),
        winner: at == 0,
        claims: words
            .iter()
            .filter(|(field, _)| fields.contains(field))
            .map(|(field, value)| cut(&format!("{field}: {value}")))
            .collect(),
    };
    pb::Conflict {
        claimants: all.iter().enumerate().map(claimant).collect(),
        rule: "SOURCE_ORDER".to_owned(),
        message: "the configuration is in force before manifests, these before registrations, these before what was \
                  discovered; let the others say the same, or nothing"
            .to_owned(),
        ..Default::default()
    }
}

/// Since when a source speaks of a version.
fn began(offering: &Offering, source: Source) -> Option<Timestamp> {
    let producers = offering.producers.iter().filter(|producer| producer.source == source);
    let declared = offering.declared.filter(|_| source == Source::Manifest);
    producers
        .map(|producer| producer.created)
        .chain(declared)
        .min()
        .filter(|_| source != Source::Configuration)
}

/// All that is said of a version, by field.
fn words(version: &Version) -> BTreeMap<String, Value> {
    let Ok(Value::Object(mut all)) = serde_json::to_value(version) else { return BTreeMap::new() };
    let facts = match all.remove("facts") {
        Some(Value::Object(facts)) => facts,
        _ => Default::default(),
    };
    all.into_iter().chain(facts).collect()
}

/// A text of strangers, as short as a line.
fn cut(text: &str) -> String {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if shown.len() < text.len() { format!("{shown}…") } else { shown }
}
