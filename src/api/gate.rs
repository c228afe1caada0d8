//! Who may call which method of ours: one row per method, and a method without a row is refused.

use super::fault::Fault;
use crate::access::Caller;

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// Every verified identity; the answer holds what it may see.
    Everyone,
    /// Identities of a trust domain that owns a platform; the service then looks at which.
    Platforms,
    /// The same, and operators.
    Declarers,
}

use Audience::{Declarers, Everyone, Platforms};

const ROWS: [(&str, &str, Audience); 31] = [
    ("grpc.health.v1.Health", "Check", Everyone),
    ("grpc.health.v1.Health", "List", Everyone),
    ("grpc.health.v1.Health", "Watch", Everyone),
    ("grpc.reflection.v1.ServerReflection", "ServerReflectionInfo", Everyone),
    ("grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo", Everyone),
    ("portolan.catalog.v1.CatalogService", "GetCapability", Everyone),
    ("portolan.catalog.v1.CatalogService", "GetDependencyGraph", Everyone),
    ("portolan.catalog.v1.CatalogService", "GetPlatform", Everyone),
    ("portolan.catalog.v1.CatalogService", "GetVersion", Everyone),
    ("portolan.catalog.v1.CatalogService", "ListCapabilities", Everyone),
    ("portolan.catalog.v1.CatalogService", "ListConflicts", Everyone),
    ("portolan.catalog.v1.CatalogService", "ListConsumers", Everyone),
    ("portolan.catalog.v1.CatalogService", "ListPlatforms", Everyone),
    ("portolan.catalog.v1.CatalogService", "ListProducers", Everyone),
    ("portolan.catalog.v1.CatalogService", "ListVersions", Everyone),
    ("portolan.catalog.v1.CatalogService", "WatchCatalog", Everyone),
    ("portolan.manifest.v1.ManifestService", "ApplyManifests", Declarers),
    ("portolan.manifest.v1.ManifestService", "ExportManifests", Declarers),
    ("portolan.registry.v1.RegistryService", "DeregisterProducer", Declarers),
    ("portolan.registry.v1.RegistryService", "RegisterProducer", Platforms),
    ("portolan.registry.v1.RegistryService", "RenewLease", Platforms),
    ("portolan.report.v1.ReportService", "GetConsumerReport", Everyone),
    ("portolan.report.v1.ReportService", "GetFinanceReport", Declarers),
    ("portolan.report.v1.ReportService", "GetOperatorReport", Declarers),
    ("portolan.report.v1.ReportService", "GetProducerReport", Declarers),
    ("portolan.report.v1.ReportService", "GetSecurityReport", Declarers),
    ("portolan.routing.v1.RoutingService", "ExplainRoute", Everyone),
    ("portolan.status.v1.StatusService", "ExplainStatus", Everyone),
    ("portolan.status.v1.StatusService", "GetFederationStatus", Everyone),
    ("portolan.status.v1.StatusService", "ListCapabilityStatuses", Everyone),
    ("portolan.status.v1.StatusService", "WatchStatus", Everyone),
];

/// Lets a caller at a method of ours, or says why not.
pub(super) fn judge(service: &str, method: &str, caller: &Caller) -> Result<(), Fault> {
    let row = ROWS.iter().find(|(s, m, _)| *s == service && *m == method);
    match row {
        None => Err(Fault::unimplemented("UNKNOWN_METHOD", format!("{service} has no such method"))),
        Some((_, _, Platforms)) if caller.platforms.is_empty() => {
            let message =
                format!("trust domain {} owns no platform at this broker", caller.identity.trust_domain);
            Err(Fault::denied("NO_PLATFORM", message))
        }
        Some((_, _, Declarers)) if caller.platforms.is_empty() && !caller.is_operator => {
            let message = format!(
                "{} is no operator, and its trust domain owns no platform at this broker",
                caller.identity
            );
            Err(Fault::denied("NO_PLATFORM", message))
        }
        Some(_) => Ok(()),
    }
}

/// The row of a method of ours; both names are of this build.
pub(super) fn row(service: &str, method: &str) -> Option<(&'static str, &'static str)> {
    ROWS.iter()
        .find(|(s, m, _)| *s == service && *m == method)
        .map(|(service, method, _)| (*service, *method))
}

/// The names of our own services.
pub(super) fn own() -> impl Iterator<Item = &'static str> {
    let names: std::collections::BTreeSet<_> = ROWS.iter().map(|(service, _, _)| *service).collect();
    names.into_iter()
}

/// Whether a part of a path may name a service or a method.
pub(super) fn is_word(part: &str) -> bool {
    (1..=255).contains(&part.len())
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Whether the service is one of our own.
pub(super) fn is_own(service: &str) -> bool {
    ROWS.iter().any(|(own, _, _)| *own == service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use std::collections::BTreeSet;

    #[test]
    fn every_method_of_ours_has_one_row() {
        let set = prost_types::FileDescriptorSet::decode(crate::wire::DESCRIPTORS).unwrap();
        let mut methods = BTreeSet::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let name = format!("{}.{}", file.package(), service.name());
                    methods.insert((name, method.name().to_owned()));
                }
            }
        }
        let rows: BTreeSet<_> = ROWS.iter().map(|(s, m, _)| (s.to_string(), m.to_string())).collect();
        assert_eq!(rows.len(), ROWS.len());
        assert_eq!(methods, rows);
    }
}
