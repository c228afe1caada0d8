//! `portolan explain`: where a call would go, and why not elsewhere.

use crate::cli::call::one_line;
use crate::cli::connection::Connection;
use crate::cli::output::{self, Form, clean, last};
use crate::client::parse_duration;
use crate::client::pb::portolan::routing::v1::{self as pb, routing_service_client::RoutingServiceClient};
use std::process::ExitCode;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  portolan explain acme.ledger.v1.Ledger/Post
  portolan explain acme.ledger.v1.Ledger --version ^1 --max-staleness 30s
  portolan explain acme.ledger.v1.Ledger --platform data.example -o json | jq .candidates
  portolan explain acme.ledger.v1.Ledger --metadata session-id=4711

Of several versions that share the traffic, one is drawn anew each time.

Exit codes: 0 the call would go somewhere; 4 it would be refused; 1 the broker could not be asked, 2 wrong usage.";

/// Explain where a call would go now, and why each other place was left out
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// SERVICE/METHOD, or the service alone
    method: String,
    /// Go to this platform, also where another owns the service name
    #[arg(long, value_name = "PLATFORM", default_value = "", hide_default_value = true)]
    platform: String,
    /// Only versions of this range: ^1.2, =1.4.0, ">=1, <3"
    #[arg(long, value_name = "RANGE", default_value = "", hide_default_value = true)]
    version: String,
    /// Only producers whose knowledge is not older; 0 for those known to live now
    #[arg(long, value_name = "AGE", value_parser = age)]
    max_staleness: Option<Duration>,
    /// Metadata that the call would bring: a version may keep calls of one key with one endpoint. May be given many times
    #[arg(long, value_name = "KEY=VALUE", value_parser = metadata)]
    metadata: Vec<(String, String)>,
    /// The form of the answer
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut client = RoutingServiceClient::new(args.connection.open().await?);
    let request = pb::ExplainRouteRequest {
        method: args.method,
        platform: args.platform,
        version: args.version,
        max_staleness: args.max_staleness.map(TryInto::try_into).transpose()?,
        metadata: args.metadata.into_iter().map(|(key, value)| pb::Metadata { key, value }).collect(),
    };
    let answer = client.explain_route(request).await;
    let answer = answer.map_err(|status| anyhow::anyhow!(one_line(&status)))?.into_inner();
    let told = answer.explanation.unwrap_or_default();
    match args.output {
        Form::Json => {
            output::say(format!("{:#}", output::json("portolan.routing.v1.RouteExplanation", &told)?))?;
        }
        Form::Table => output::say(clean(&tree(&told)))?,
    }
    Ok(if told.refusal_reason.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(4) })
}

fn age(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { parse_duration(text) }
}

fn metadata(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.trim().to_ascii_lowercase(), value.to_owned()))
}

/// The winner, the rules, and every candidate with what became of it.
fn tree(told: &pb::RouteExplanation) -> String {
    let mut lines = vec![headline(told)];
    let rules = [
        ("owner", &told.owner_rule),
        ("version", &told.version_rule),
        ("split", &told.split.join(", ")),
        ("policy", &told.policy),
    ];
    let rules = rules.iter().filter(|(_, value)| !value.is_empty());
    lines.extend(rules.map(|(name, value)| format!("│ {name:<8} {value}")));
    let names: Vec<_> = told.candidates.iter().map(name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    for (candidate, name) in told.candidates.iter().zip(&names) {
        let outcome = output::word(candidate.outcome().as_str_name(), "OUTCOME_");
        let line = format!("├ {outcome:<14} {name:<width$}  {}", candidate.reason);
        lines.push(line.trim_end().to_owned());
    }
    if told.omitted_candidates > 0 {
        lines.push(format!("├ … and {} more", told.omitted_candidates));
    }
    if let Some(last) = lines.last_mut().filter(|line| line.starts_with('├')) {
        last.replace_range(..'├'.len_utf8(), "└");
    }
    lines.join("\n")
}

fn headline(told: &pb::RouteExplanation) -> String {
    let at = format!("(broker {}, catalogue revision {})", told.broker, told.revision);
    match told.candidates.first() {
        Some(first) if told.refusal_reason.is_empty() => format!("{} → {} {at}", told.service, name(first)),
        _ => format!("{} → nowhere: {}: {} {at}", told.service, told.refusal_reason, told.refusal),
    }
}

/// `payments.example ledger 2.1.0 ledger-a 10.0.0.1:50051 eu/a`, as far as it goes.
fn name(candidate: &pb::Candidate) -> String {
    let parts: Vec<_> = candidate.version.split('/').collect();
    let part = |n: usize| parts.get(n).copied().unwrap_or_default();
    let words = [
        last(&candidate.platform),
        part(3),
        part(5),
        last(&candidate.producer),
        &candidate.endpoint,
        &candidate.locality,
    ];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(version: &str, producer: &str, outcome: pb::Outcome, reason: &str) -> pb::Candidate {
        pb::Candidate {
            platform: "platforms/a.example".into(),
            version: format!("platforms/a.example/capabilities/ledger/versions/{version}"),
            producer: if producer.is_empty() {
                String::new()
            } else {
                format!("platforms/a.example/producers/{producer}")
            },
            endpoint: if producer.is_empty() { String::new() } else { "10.0.0.1:1".into() },
            outcome: outcome.into(),
            reason: reason.into(),
            ..Default::default()
        }
    }

    #[test]
    fn the_winner_stands_first_and_every_other_with_its_reason() {
        let told = pb::RouteExplanation {
            service: "acme.A".into(),
            broker: "hub-1".into(),
            revision: 7,
            candidates: vec![
                candidate("2.0.0", "x", pb::Outcome::Chosen, ""),
                candidate("1.0.0", "", pb::Outcome::Retired, "it is retired"),
            ],
            owner_rule: "ONLY_CLAIM".into(),
            version_rule: "NEWEST_STABLE".into(),
            ..Default::default()
        };
        let wanted = "\
acme.A → a.example ledger 2.0.0 x 10.0.0.1:1 (broker hub-1, catalogue revision 7)
│ owner    ONLY_CLAIM
│ version  NEWEST_STABLE
├ CHOSEN         a.example ledger 2.0.0 x 10.0.0.1:1
└ RETIRED        a.example ledger 1.0.0               it is retired";
        assert_eq!(tree(&told), wanted);
    }

    #[test]
    fn a_refusal_is_told_instead() {
        let told = pb::RouteExplanation {
            service: "acme.A".into(),
            broker: "hub-1".into(),
            refusal_reason: "NO_OWNER".into(),
            refusal: "no platform offers service acme.A".into(),
            ..Default::default()
        };
        let wanted = "acme.A → nowhere: NO_OWNER: no platform offers service acme.A (broker hub-1, catalogue revision 0)";
        assert_eq!(tree(&told), wanted);
    }

    #[test]
    fn metadata_are_a_key_and_all_after_its_first_equals_sign() {
        assert_eq!(metadata("Session-Id=a=b"), Ok(("session-id".into(), "a=b".into())));
        assert_eq!(metadata("a="), Ok(("a".into(), String::new())));
        assert!(metadata("session-id").is_err());
    }

    #[test]
    fn an_age_may_be_zero() {
        assert_eq!(age("0"), Ok(Duration::ZERO));
        assert_eq!(age("30s"), Ok(Duration::from_secs(30)));
        assert!(age("x").is_err());
    }
}
