//! Judges how a version's methods are to be called: what its service config names must be there, and fit for it.

use super::judge::Case;
use super::offer::Described;
use crate::model::service_config::{Idempotent, Name};
use crate::model::{Facts, ServiceName};
use std::sync::Arc;

/// Methods of one version that are noted as idempotent; those beyond are not retried.
const IDEMPOTENT: usize = 10_000;

/// Names what is wrong, and adds to the facts which methods the descriptors declare idempotent.
pub(super) fn judge(
    case: &mut Case<'_>,
    path: &str,
    facts: Arc<Facts>,
    services: &[ServiceName],
    described: Option<&Described>,
) -> Arc<Facts> {
    let methods = methods(services, described);
    let path = format!("{path}.service_config");
    if let Some(config) = &facts.service_config {
        for name in config.names() {
            names(
                case,
                &format!("{path}.{}", name.field),
                name,
                services,
                described.map(|_| methods.as_slice()),
            );
        }
    }
    let idempotent: Vec<_> =
        methods.into_iter().filter(|(_, is)| *is).map(|(method, _)| method).take(IDEMPOTENT).collect();
    with_idempotent(facts, &idempotent)
}

/// The facts with these methods as the idempotent ones.
pub(super) fn with_idempotent(facts: Arc<Facts>, idempotent: &[Idempotent]) -> Arc<Facts> {
    if facts.idempotent == idempotent {
        return facts;
    }
    Facts { idempotent: idempotent.to_vec(), ..Facts::clone(&facts) }.shared()
}

/// Every method of the services, and whether it may run more than once.
fn methods(services: &[ServiceName], described: Option<&Described>) -> Vec<(Idempotent, bool)> {
    let Some(described) = described else { return Vec::new() };
    let of = |service: &ServiceName| {
        let methods = described.set.methods(service).unwrap_or_default().into_iter();
        let service = service.clone();
        methods.map(move |method| {
            let unary = !method.client_streaming && !method.server_streaming;
            (Idempotent { path: format!("{service}/{}", method.name), unary }, method.is_idempotent)
        })
    };
    services.iter().flat_map(of).collect()
}

fn names(
    case: &mut Case<'_>,
    path: &str,
    name: &Name,
    services: &[ServiceName],
    methods: Option<&[(Idempotent, bool)]>,
) {
    if !name.service.is_empty() && !services.iter().any(|service| service.as_str() == name.service) {
        let message = format!("{:?} is none of its services", cut(&name.service));
        return case.refuse(path, "NOT_OFFERED", message);
    }
    let Some(methods) = methods else {
        if name.hedges {
            let message =
                "hedging needs descriptors that say which methods are idempotent; add a descriptor_set";
            case.refuse(path, "NOT_DESCRIBED", message);
        }
        return;
    };
    if name.method.is_empty() {
        return;
    }
    let wanted = format!("{}/{}", name.service, name.method);
    match methods.iter().find(|(method, _)| method.path == wanted) {
        None => {
            let message = format!("{} has no method {:?}", name.service, cut(&name.method));
            case.refuse(path, "UNKNOWN_METHOD", message);
        }
        Some((method, is_idempotent)) if name.hedges && !(method.unary && *is_idempotent) => {
            let message = format!(
                "{wanted} is not a unary method with option idempotency_level = IDEMPOTENT or NO_SIDE_EFFECTS: \
                 only such are hedged"
            );
            case.refuse(path, "NOT_IDEMPOTENT", message);
        }
        Some(_) => {}
    }
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}
