//! An explanation on the wire.

use crate::model::BrokerId;
use crate::relay::director::{Candidate, Explanation, Outcome, OwnerRule, VersionRule};
use crate::wire::catalog::freshness;
use crate::wire::pb::portolan::routing::v1 as pb;

/// An explanation without its refusal.
pub(super) fn explanation(service: &str, broker: &BrokerId, told: &Explanation) -> pb::RouteExplanation {
    pb::RouteExplanation {
        service: service.to_owned(),
        broker: broker.to_string(),
        revision: told.revision,
        candidates: told.candidates.iter().map(candidate).collect(),
        owner_rule: told.owner_rule.map(OwnerRule::word).unwrap_or_default().to_owned(),
        version_rule: told.version_rule.map(VersionRule::word).unwrap_or_default().to_owned(),
        split: told.split.iter().map(|share| format!("{}={}", share.version, share.weight)).collect(),
        policy: told.policy.clone(),
        refusal_reason: String::new(),
        refusal: String::new(),
        omitted_candidates: i32::try_from(told.omitted).unwrap_or(i32::MAX),
    }
}

fn candidate(candidate: &Candidate) -> pb::Candidate {
    let (producer, endpoint) = (candidate.producer.as_ref(), candidate.endpoint());
    pb::Candidate {
        platform: format!("platforms/{}", candidate.version.name.platform),
        version: candidate.version.name.to_string(),
        producer: producer.map(|producer| producer.name.to_string()).unwrap_or_default(),
        endpoint: endpoint.map(|endpoint| endpoint.address.to_string()).unwrap_or_default(),
        outcome: outcome(candidate.outcome).into(),
        reason: candidate.reason.clone(),
        locality: endpoint.map(|endpoint| endpoint.locality.to_string()).unwrap_or_default(),
        freshness: producer.map(|producer| freshness(producer.freshness).into()).unwrap_or_default(),
    }
}

fn outcome(outcome: Outcome) -> pb::Outcome {
    match outcome {
        Outcome::Chosen => pb::Outcome::Chosen,
        Outcome::Fallback => pb::Outcome::Fallback,
        Outcome::NotVisible => pb::Outcome::NotVisible,
        Outcome::OtherPlatform => pb::Outcome::OtherPlatform,
        Outcome::WrongVersion => pb::Outcome::WrongVersion,
        Outcome::OtherVersion => pb::Outcome::OtherVersion,
        Outcome::Retired => pb::Outcome::Retired,
        Outcome::Unhealthy => pb::Outcome::Unhealthy,
        Outcome::Unreachable => pb::Outcome::Unreachable,
        Outcome::Ejected => pb::Outcome::Ejected,
        Outcome::Stale => pb::Outcome::Stale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_one_word_on_the_wire_and_in_trailers() {
        for on_the_wire in (1..=11).map(|n| pb::Outcome::try_from(n).unwrap()) {
            let all = [
                Outcome::Chosen,
                Outcome::Fallback,
                Outcome::NotVisible,
                Outcome::OtherPlatform,
                Outcome::WrongVersion,
                Outcome::OtherVersion,
                Outcome::Retired,
                Outcome::Unhealthy,
                Outcome::Unreachable,
                Outcome::Ejected,
                Outcome::Stale,
            ];
            let found = all.into_iter().find(|one| outcome(*one) == on_the_wire).unwrap();
            assert_eq!(on_the_wire.as_str_name(), format!("OUTCOME_{}", found.word()));
        }
    }
}
