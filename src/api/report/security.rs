//! Is it in posture?

use super::ground::Ground;
use super::{Certificate, pb};
use crate::api::fault::Fault;
use crate::api::list::List;
use crate::api::scope::Scope;
use crate::catalog::{Claim, Offering, PlatformEntry};
use crate::model::{Freshness, ServiceName, Stage, Validity};
use crate::wire::time::timestamp;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Where a finding stands: platform (empty before all platforms), name, rule, and what of it.
type Place = (String, String, String, String);

/// Something out of posture.
struct Finding {
    place: Place,
    message: String,
    time: Option<Timestamp>,
}

/// What is out of posture at the caller's own platforms, or anywhere for an operator.
pub(super) fn report(
    ground: &Ground,
    asked: &pb::GetSecurityReportRequest,
) -> Result<pb::GetSecurityReportResponse, Fault> {
    let scope = Scope::parse_or_all(&asked.parent)?;
    if scope.capability.is_some() || scope.version.is_some() {
        let message = "parent is written platforms/{platform}; platforms/- or nothing is all";
        return Err(Fault::invalid("INVALID_NAME", message));
    }
    scope.inspected(&asked.parent, &ground.policy, &ground.caller)?;
    if !scope.is_in(&ground.snapshot) {
        return Err(Fault::not_found(&asked.parent));
    }
    let page = (asked.page_size, asked.page_token.as_str());
    let list = List::open("GetSecurityReport", &asked.parent, page, &ground.caller)?;
    let after = list.after(parse_place)?;
    let platforms = ground.snapshot.platforms().filter(|entry| {
        let name = &entry.platform.name;
        let is_behind = after.as_ref().is_none_or(|after| name.as_str() >= after.0.as_str());
        is_behind && scope.admits_platform(name) && ground.inspects(name)
    });
    let first = scope.platform.is_none().then(|| sorted(of_certificates(ground)));
    let others = platforms.flat_map(|entry| sorted(of_platform(ground, entry)));
    let found = first.into_iter().flatten().chain(others);
    let found = found.filter(|finding| after.as_ref().is_none_or(|after| finding.place > *after));
    let (found, next_page_token) = list.page(found, |finding| write_place(&finding.place));
    Ok(pb::GetSecurityReportResponse {
        findings: found.into_iter().map(Finding::show).collect(),
        next_page_token,
    })
}

/// Of the broker and the trust domains: operators are told of all, others of their own domain.
fn of_certificates(ground: &Ground) -> Vec<Finding> {
    let caller = &ground.caller;
    let told = ground.certificates.iter().filter_map(|certificate| match certificate {
        Certificate::Own(broker, validity) if caller.is_operator => {
            Some((format!("brokers/{broker}"), "the broker's own certificate", validity))
        }
        Certificate::Authority(domain, validity)
            if caller.is_operator || *domain == caller.identity.trust_domain =>
        {
            Some((format!("trustDomains/{domain}"), "an authority in the bundle", validity))
        }
        _ => None,
    });
    let ending = told.filter(|(_, _, validity)| validity.is_ending(ground.now));
    let finding = |(name, what, validity): (String, &str, &Validity)| {
        let subject = validity.not_after.to_string();
        expires(String::new(), name, subject, what, *validity)
    };
    ending.map(finding).collect()
}

fn of_platform(ground: &Ground, entry: &PlatformEntry) -> Vec<Finding> {
    let offerings = || entry.capabilities.values().flat_map(|capability| &capability.offerings);
    let mut found: Vec<Finding> = offerings().flat_map(|offering| of_version(ground, offering)).collect();
    let services: BTreeSet<&ServiceName> =
        offerings().flat_map(|offering| &offering.version.services).collect();
    found.extend(services.iter().filter_map(|service| conflict(ground, entry, service)));
    found.extend(unused_grants(entry, &services));
    found.extend(of_producers(ground, entry));
    let name = &entry.platform.name;
    for clash in ground.snapshot.clashes().filter(|clash| clash.platform == *name) {
        let subject = format!("{:?} {:?} {}", clash.kind, clash.source, clash.origin);
        let place = (name.to_string(), clash.subject.clone(), "CONFLICT".to_owned(), subject);
        found.push(Finding { place, message: clash.message.clone(), time: Some(clash.since) });
    }
    found
}

fn of_version(ground: &Ground, offering: &Offering) -> Vec<Finding> {
    let version = &offering.version;
    let mut found = Vec::new();
    let mut find = |rule: &str, message: &str, time| {
        let place =
            (version.name.platform.to_string(), version.name.to_string(), rule.to_owned(), String::new());
        found.push(Finding { place, message: message.to_owned(), time });
    };
    if version.stage == Stage::Retired {
        return found;
    }
    let is_served = offering.producers.iter().any(|producer| producer.freshness != Freshness::Expired);
    if let Some(sunset) = version.sunset_time.filter(|sunset| *sunset < ground.now && is_served) {
        find("PAST_SUNSET", "it is still served after its sunset; retire it, or move the date", Some(sunset));
    }
    if version.stage == Stage::Deprecated && version.sunset_time.is_none() {
        let message = "it is deprecated and nobody knows until when it is served; set a sunset_time";
        find("NO_SUNSET", message, version.deprecation_time);
    }
    if version.facts.on_call.is_empty() {
        find("NO_ON_CALL", "nobody is named to be woken when it fails; set on_call", None);
    }
    if version.descriptors.is_none() {
        let message = "its contract cannot be described nor compared; register it with descriptors";
        find("UNDESCRIBED", message, None);
    }
    if version.visibility.everyone {
        find(VISIBLE_TO_ALL, "every platform of the federation may see and call it", None);
    }
    found
}

/// Good to know, and nothing that has to be done.
const VISIBLE_TO_ALL: &str = "VISIBLE_TO_ALL";

fn conflict(ground: &Ground, entry: &PlatformEntry, service: &ServiceName) -> Option<Finding> {
    let claims = ground.snapshot.service(service.as_str())?;
    let mut since: Vec<_> = claims.iter().map(|claim| claim.since).collect();
    since.sort();
    let second = *since.get(1)?;
    let name = &entry.platform.name;
    let outcome = if claims.owner().is_some_and(|owner| owner.platform == *name) {
        "calls by its bare name come here"
    } else {
        "calls by its bare name go to another; callers must say portolan-platform"
    };
    // Whom the caller does not see it does not count either.
    let is_seen = |claim: &&Claim| {
        ground.inspects(&claim.platform) || claim.offerings.iter().any(|offering| ground.sees(offering))
    };
    let rivals = match claims.iter().filter(|claim| claim.platform != *name).filter(is_seen).count() {
        0 => "another platform".to_owned(),
        seen => format!("{seen} other platform(s)"),
    };
    let message = format!("{service} is claimed by {rivals} too: {outcome}; see `catalog conflicts`");
    let place = (name.to_string(), format!("platforms/{name}"), "CONFLICT".to_owned(), service.to_string());
    Some(Finding { place, message, time: Some(second) })
}

fn unused_grants(entry: &PlatformEntry, services: &BTreeSet<&ServiceName>) -> Vec<Finding> {
    let name = &entry.platform.name;
    let prefixes = entry.platform.service_prefixes.iter();
    let unused = prefixes.filter(|prefix| !services.iter().any(|service| prefix.covers(service)));
    let finding = |prefix: &crate::model::ServicePrefix| Finding {
        place: (name.to_string(), format!("platforms/{name}"), "UNUSED_GRANT".to_owned(), prefix.to_string()),
        message: format!("the prefix {prefix} is granted and nothing is offered under it; take it back"),
        time: None,
    };
    unused.map(finding).collect()
}

fn of_producers(ground: &Ground, entry: &PlatformEntry) -> Vec<Finding> {
    let seen = ground.relay.observations.load();
    let mut found = Vec::new();
    for producer in entry.producers.values() {
        for endpoint in &producer.endpoints {
            let look = seen.get(&producer.name, &endpoint.address);
            let shown = look.and_then(|look| look.certificate);
            if let Some(validity) = shown.filter(|validity| validity.is_ending(ground.now)) {
                let what = format!("the certificate at {}", endpoint.address);
                let (platform, name) = (entry.platform.name.to_string(), producer.name.to_string());
                found.push(expires(platform, name, endpoint.address.to_string(), &what, validity));
            }
        }
    }
    found
}

fn expires(platform: String, name: String, subject: String, what: &str, validity: Validity) -> Finding {
    let end = validity.not_after;
    Finding {
        place: (platform, name, "CERTIFICATE_EXPIRES".to_owned(), subject),
        message: format!("{what} holds until {end:.0}; it should have been renewed by now"),
        time: Some(end),
    }
}

fn sorted(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by(|a, b| a.place.cmp(&b.place));
    found
}

impl Finding {
    fn show(self) -> pb::SecurityFinding {
        let (_, name, rule, _) = self.place;
        let informational = rule == VISIBLE_TO_ALL;
        pb::SecurityFinding {
            name,
            rule,
            message: self.message,
            time: self.time.map(timestamp),
            informational,
        }
    }
}

fn write_place((platform, name, rule, subject): &Place) -> String {
    format!("{platform}\n{name}\n{rule}\n{subject}")
}

fn parse_place(text: &str) -> Option<Place> {
    let mut parts = text.splitn(4, '\n').map(str::to_owned);
    Some((parts.next()?, parts.next()?, parts.next()?, parts.next()?))
}
