//! The services that the broker answers itself.

use super::Known;
use super::config::Config;
use crate::api::consumers::Consumers;
use crate::api::reflection::Reflection;
use crate::api::services::Services;
use crate::api::{catalog, health, manifest, registry, report, routing, status};
use crate::lifecycle::Shutdown;
use crate::relay::Relay;
use crate::status::Board;
use std::sync::Arc;

/// All of them, each over what it reads.
pub(super) fn all(
    config: &Config,
    known: &Known,
    relay: &Arc<Relay>,
    board: Board,
    shutdown: &Shutdown,
) -> Services {
    let seen = (board.clone(), relay.observations.clone());
    let policy = &known.policy;
    let (catalog_reader, described) = (known.catalog.clone(), known.described.clone());
    let reflection = Reflection::new(&known.own, catalog_reader, described, policy.clone(), shutdown.clone());
    let consumers = Consumers::new(known.usage.clone(), policy.clone());
    let largest = usize::try_from(config.limits.own_message_bytes).unwrap_or(usize::MAX);
    let reports = report::Sources {
        catalog: known.catalog.clone(),
        policy: policy.clone(),
        board: board.clone(),
        consumers: consumers.clone(),
        relay: relay.clone(),
        certificates: known.certificates.clone(),
    };
    let (registrar, index) = (known.registrar.clone(), known.described.clone());
    let manifests = manifest::service(registrar, index, policy.clone(), consumers.clone(), largest);
    Services::default()
        .with(manifests)
        .with(registry::service(known.registrar.clone(), consumers.clone(), largest))
        .with(catalog::service(
            known.catalog.clone(),
            policy.clone(),
            board.clone(),
            consumers,
            shutdown.clone(),
        ))
        .with(health::Service::server(board.clone(), policy.clone(), shutdown.clone()))
        .with(report::service(reports))
        .with(routing::service(relay.clone()))
        .with(status::Service::server(config.id.clone(), seen, policy.clone(), shutdown.clone()))
        .with(reflection.v1())
        .with(reflection.v1alpha())
}
