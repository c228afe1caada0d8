//! Judges a registration whole: whatever is at fault is named, and nothing is taken before all of it is right.

use super::Rules;
use super::compare::{Known, New, Pair};
use super::offer::{self, Described, Screened};
use super::refusal::{Origin, Refusal, taken};
use crate::model::{
    Endpoint, Identity, Platform, ProducerName, Registration, Source, Version, Violation, is_invisible,
};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of descriptors that are compared for one registration.
pub(super) const COMPARED: usize = 512 << 20;
/// Bytes of a text that stands in one line.
pub(super) const LINE: usize = 256;

/// A registration that is right in itself.
#[derive(Debug, Clone)]
pub(super) struct Declaration {
    pub(super) producer: ProducerName,
    pub(super) identity: Identity,
    pub(super) registrant: Identity,
    pub(super) endpoints: Vec<Endpoint>,
    /// As declared, so that a violation names the item that its author wrote.
    pub(super) versions: Vec<Version>,
    /// The descriptors of each version.
    pub(super) described: Vec<Option<Arc<Described>>>,
    /// Versions that were found to fit together.
    pub(super) compared: HashSet<Pair>,
    /// `None` holds until it is deregistered.
    pub(super) term: Option<Duration>,
    /// The lease's id if it gets a new one.
    pub(super) fresh_lease: String,
    pub(super) source: Source,
    pub(super) warnings: Vec<String>,
}

/// What is known while one registration is judged.
pub(super) struct Case<'a> {
    pub(super) rules: &'a Rules,
    pub(super) platform: Arc<Platform>,
    pub(super) known: &'a Known<'a>,
    pub(super) screened: Screened,
    pub(super) found: Vec<Violation>,
    pub(super) warnings: Vec<String>,
}

/// Judges what a producer declares of itself. Screens descriptors: not for async threads.
pub(super) fn registration(
    rules: &Rules,
    registrant: &Identity,
    registration: Registration,
    known: &Known<'_>,
) -> Result<Declaration, Refusal> {
    judge(rules, By::registrant(registrant), registration, known)
}

/// Judges what the configuration declares of a producer that cannot speak for itself; its addresses are the operator's.
pub(super) fn configured(
    rules: &Rules,
    registration: Registration,
    known: &Known<'_>,
) -> Result<Declaration, Refusal> {
    judge(rules, By::operator(Source::Configuration), registration, known)
}

/// Judges what was read from a server, as the operator wished.
pub(super) fn discovered(
    rules: &Rules,
    registration: Registration,
    known: &Known<'_>,
) -> Result<Declaration, Refusal> {
    judge(rules, By::operator(Source::Discovery), registration, known)
}

/// Who declares something, and how far it is believed of addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct By<'a> {
    /// Through which source.
    pub(super) source: Source,
    /// Who registers; `None` where the operator speaks for a producer.
    pub(super) registrant: Option<&'a Identity>,
    /// Whether its addresses are taken as they are.
    pub(super) is_operator: bool,
}

impl<'a> By<'a> {
    pub(super) fn registrant(identity: &'a Identity) -> Self {
        Self { source: Source::Registration, registrant: Some(identity), is_operator: false }
    }

    pub(super) fn operator(source: Source) -> Self {
        Self { source, registrant: None, is_operator: true }
    }
}

pub(super) fn judge(
    rules: &Rules,
    by: By<'_>,
    registration: Registration,
    known: &Known<'_>,
) -> Result<Declaration, Refusal> {
    let Registration { producer, identity, endpoints, offers, lease, permanent } = registration;
    let origin = by.registrant.map(ToString::to_string).or_else(|| identity.clone()).unwrap_or_default();
    let origin = Origin { producer: producer.clone(), source: by.source, origin };
    let Some(platform) = rules.policy.platform(&producer.platform) else {
        let message = format!("platform {} is not in the broker's configuration", producer.platform);
        let violations = vec![Violation::new("platform", "UNKNOWN_PLATFORM", message)];
        return Err(Refusal { violations, rivals: Vec::new(), by: origin });
    };
    let mut case = Case::new(rules, platform, known);
    case.found.extend(taken(rules, known.catalog, &producer, by.source));
    let identity = case.serving_identity(identity.as_deref(), by.registrant);
    case.endpoints(&endpoints, !by.is_operator);
    let term = case.term(lease, permanent);
    let (mut versions, mut described) = (Vec::new(), Vec::new());
    // What is over the quota is not worth the work of judging each item.
    if case.amounts(&offers) {
        let mut seen = HashSet::new();
        for (i, offer) in offers.into_iter().enumerate() {
            let path = format!("versions[{i}]");
            if !seen.insert((offer.capability.clone(), offer.version.clone())) {
                let message = format!("{} {} is declared above already", offer.capability, offer.version);
                case.found.push(Violation::new(path.clone(), "DUPLICATE", message));
            }
            let (version, set) = offer::judge(&mut case, &path, offer);
            versions.push(version);
            described.push(set);
        }
    }
    let compared = case.compare(&versions, &described);
    match identity {
        Some(identity) if case.found.is_empty() => Ok(Declaration {
            registrant: by.registrant.unwrap_or(&identity).clone(),
            source: by.source,
            warnings: case.warnings,
            fresh_lease: uuid::Uuid::new_v4().to_string(),
            producer,
            identity,
            endpoints,
            versions,
            described,
            compared,
            term,
        }),
        _ => Err(Refusal::new(case.found, &versions, origin)),
    }
}

impl<'a> Case<'a> {
    /// Nothing was found yet.
    pub(super) fn new(rules: &'a Rules, platform: Arc<Platform>, known: &'a Known<'a>) -> Self {
        let (screened, found, warnings) = Default::default();
        Self { rules, platform, known, screened, found, warnings }
    }
}

impl Case<'_> {
    /// Compares what is right in itself with what stands beside it, and with each other.
    fn compare(&mut self, versions: &[Version], described: &[Option<Arc<Described>>]) -> HashSet<Pair> {
        let is_right = |at: usize| {
            let path = format!("versions[{at}]");
            let mut below = self.found.iter().filter_map(|v| v.field.strip_prefix(&path));
            !below.any(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let (mut places, mut new, mut compared) = (Vec::new(), Vec::new(), HashSet::new());
        for (at, (version, described)) in versions.iter().zip(described).enumerate() {
            if is_right(at) {
                places.push(at);
                new.push(New { version, described: described.as_ref() });
            }
        }
        let path = |at: usize| format!("versions[{}]", places[at]);
        match self.known.breaks(&new, path, &mut compared, COMPARED) {
            Ok(broken) => self.found.extend(broken),
            Err(_) => self.refuse(
                "versions",
                "QUOTA",
                "these are too many large descriptor sets to compare with what stands; register fewer at once",
            ),
        }
        compared
    }

    /// Notes what is wrong.
    pub(super) fn refuse(&mut self, path: &str, reason: &'static str, message: impl Into<String>) {
        self.found.push(Violation::new(path, reason, message));
    }

    /// Notes more than the operator allows. True if it is not more.
    pub(super) fn limit(&mut self, path: &str, count: usize, limit: usize, what: &str) -> bool {
        if count > limit {
            self.refuse(path, "QUOTA", format!("{count} {what} are more than the {limit} allowed"));
        }
        count <= limit
    }

    /// Judges a text for people: not too long, no control characters that could forge a line of a log.
    pub(super) fn text(&mut self, path: &str, text: &str, longest: usize) {
        if text.len() > longest {
            self.refuse(
                path,
                "TOO_LONG",
                format!("{} bytes are more than the {longest} allowed", text.len()),
            );
        }
        let is_line = longest <= LINE;
        let is_bad = |c: char| is_invisible(c) || (c.is_control() && (is_line || !matches!(c, '\n' | '\t')));
        if text.chars().any(is_bad) {
            self.refuse(path, "CONTROL_CHARACTER", "control and invisible characters are not allowed here");
        }
    }

    /// Whose certificate the broker must find when it dials.
    pub(super) fn serving_identity(
        &mut self,
        written: Option<&str>,
        registrant: Option<&Identity>,
    ) -> Option<Identity> {
        let domain = &self.platform.trust_domain.clone();
        let identity = match (written, registrant) {
            (None, Some(registrant)) => return Some(registrant.clone()),
            (None, None) => {
                self.refuse("identity", "REQUIRED", "say which identity the producer's certificate carries");
                return None;
            }
            (Some(written), _) => Identity::parse(written, domain),
        };
        match identity {
            Ok(identity) if identity.trust_domain == *domain => Some(identity),
            Ok(identity) => {
                let message = format!("{identity} is not of trust domain {domain}, the platform's own");
                self.refuse("identity", "FOREIGN_IDENTITY", message);
                None
            }
            Err(e) => {
                self.refuse("identity", "INVALID_IDENTITY", e.to_string());
                None
            }
        }
    }

    /// Where the broker is to dial.
    pub(super) fn endpoints(&mut self, endpoints: &[Endpoint], is_judged: bool) {
        if endpoints.is_empty() {
            self.refuse("endpoints", "REQUIRED", "say where the producer listens");
        }
        if !self.limit("endpoints", endpoints.len(), self.rules.settings.quota.endpoints, "endpoints") {
            return;
        }
        let mut seen = HashSet::new();
        for (i, endpoint) in endpoints.iter().enumerate() {
            let path = format!("endpoints[{i}].address");
            if !seen.insert(&endpoint.address) {
                self.refuse(&path, "DUPLICATE", format!("{} is declared above already", endpoint.address));
            }
            if is_judged && let Err(why) = self.rules.settings.endpoints.judge(&endpoint.address) {
                self.refuse(&path, why.reason(), format!("{} {why}", endpoint.address));
            }
            self.text(&format!("endpoints[{i}].locality"), &endpoint.locality, LINE);
        }
    }

    fn term(&mut self, asked: Option<Duration>, permanent: bool) -> Option<Duration> {
        let terms = &self.rules.settings.terms;
        if permanent {
            if asked.is_some() {
                let message = "a permanent registration has no lease; leave lease_duration out";
                self.refuse("lease_duration", "INCONSISTENT", message);
            }
            return None;
        }
        let term = asked.unwrap_or(terms.default);
        if asked.is_some_and(|asked| asked < terms.shortest || asked > terms.longest) {
            let message = format!("a lease lasts {:?} to {:?}", terms.shortest, terms.longest);
            self.refuse("lease_duration", "OUT_OF_RANGE", message);
        }
        Some(term)
    }

    /// Judges how much is declared. True if each item shall be judged.
    fn amounts(&mut self, offers: &[crate::model::Offer]) -> bool {
        let quota = &self.rules.settings.quota;
        if offers.is_empty() {
            self.refuse("versions", "REQUIRED", "declare at least one version");
        }
        let services = offers.iter().map(|offer| offer.services.len()).sum();
        self.limit("versions", offers.len(), quota.versions, "versions of one producer")
            && self.limit("versions", services, quota.services_in_all, "services of one producer")
    }
}
