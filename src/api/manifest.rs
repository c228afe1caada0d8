//! `portolan.manifest.v1.ManifestService`: platforms as code.

use super::caller::caller;
use super::consumers::Consumers;
use super::fault::Fault;
use super::turns::Turns;
use crate::access::{Caller, Policy};
use crate::descriptors;
use crate::federation::{Action, Authority, Changed, Options, Registrar};
use crate::model::{PlatformName, Resource, Violation};
use crate::wire;
use crate::wire::pb::portolan::manifest::v1 as pb;
use pb::manifest_service_server::{ManifestService, ManifestServiceServer};
use prost::Message;
use std::collections::BTreeSet;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Exports made at the same time: each may hold as much as a message.
const EXPORTS: usize = 2;

/// The service.
#[derive(Debug, Clone)]
pub struct Manifests {
    registrar: Registrar,
    described: descriptors::Reader,
    policy: Arc<Policy>,
    consumers: Consumers,
    largest_message: usize,
    exports: Turns,
}

/// The service over a registrar; `largest_message` bounds a request, and what is exported at once, in bytes.
pub fn service(
    registrar: Registrar,
    described: descriptors::Reader,
    policy: Arc<Policy>,
    consumers: Consumers,
    largest_message: usize,
) -> ManifestServiceServer<Manifests> {
    let exports = Turns::new(EXPORTS);
    let service = Manifests { registrar, described, policy, consumers, largest_message, exports };
    ManifestServiceServer::new(service).max_decoding_message_size(largest_message)
}

#[tonic::async_trait]
impl ManifestService for Manifests {
    async fn apply_manifests(
        &self,
        request: Request<pb::ApplyManifestsRequest>,
    ) -> Result<Response<pb::ApplyManifestsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let prune_platforms = platforms("prune_platforms", &request.prune_platforms)?;
        let (resources, mut changes) = read(request.resources);
        let options = Options {
            validate_only: request.validate_only,
            // What cannot be read may be what stands: nothing is taken out beside it.
            prune: request.prune && changes.is_empty(),
            prune_platforms,
        };
        let outcome = self.registrar.apply(Authority::of(&caller), resources, options).await;
        let outcome = outcome.map_err(Fault::from)?;
        let changed = outcome.is_changed();
        changes.extend(outcome.changes.into_iter().map(|change| self.change(&caller, change)));
        Ok(Response::new(pb::ApplyManifestsResponse { changes, revision: outcome.revision, changed }))
    }

    async fn export_manifests(
        &self,
        request: Request<pb::ExportManifestsRequest>,
    ) -> Result<Response<pb::ExportManifestsResponse>, Status> {
        let caller = caller(&request)?;
        let asked = platforms("platforms", &request.into_inner().platforms)?;
        let (service, whose) = (self.clone(), caller.identity.clone());
        let response = self.exports.run(&whose, move || service.export(&caller, &asked)).await?;
        Ok(Response::new(response))
    }
}

impl Manifests {
    /// What the caller may inspect of what it asked for; no more of it is made than one answer holds.
    fn export(
        &self,
        caller: &Caller,
        asked: &BTreeSet<PlatformName>,
    ) -> Result<pb::ExportManifestsResponse, Fault> {
        let is_meant = |platform: &PlatformName| {
            (asked.is_empty() || asked.contains(platform)) && self.policy.may_inspect(caller, platform)
        };
        let too_large = || {
            let most = self.largest_message;
            let message = format!(
                "the manifests are more than the {most} bytes of one answer; export platform by platform, with `platforms`"
            );
            Fault::too_much("EXPORT_TOO_LARGE", message)
        };
        let mut bytes = 0;
        let has_room = |resource: &Resource| {
            bytes += wire::manifest::resource(resource).encoded_len();
            bytes <= self.largest_message
        };
        let described = self.described.snapshot();
        let exported = self.registrar.reader().export(&described, is_meant, has_room);
        let (resources, revision) = exported.ok_or_else(too_large)?;
        let resources = resources.iter().map(wire::manifest::resource).collect();
        let response = pb::ExportManifestsResponse { resources, revision };
        if response.encoded_len() > self.largest_message {
            return Err(too_large());
        }
        Ok(response)
    }

    fn change(&self, caller: &Caller, changed: Changed) -> pb::Change {
        let affected = self.consumers.affected(caller, &changed.loses);
        let field = |field: crate::federation::FieldChange| pb::FieldChange {
            path: field.path,
            before: field.before,
            after: field.after,
        };
        pb::Change {
            kind: changed.kind.to_owned(),
            name: changed.name,
            origin: changed.origin,
            action: action(changed.action).into(),
            fields: changed.fields.into_iter().map(field).collect(),
            faults: changed.faults.into_iter().map(fault).collect(),
            affected_consumers: affected.consumers,
            source: changed.source.map_or(0, |source| wire::catalog::source(source).into()),
            omitted_consumers: affected.omitted,
        }
    }
}

/// The resources that can be read, and what is wrong with the others.
fn read(resources: Vec<pb::Resource>) -> (Vec<Resource>, Vec<pb::Change>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for resource in resources {
        let ((kind, name), origin) = (wire::manifest::called(&resource), resource.origin.clone());
        match wire::manifest::parse(resource) {
            Ok(resource) => good.push(resource),
            Err(faults) => bad.push(pb::Change {
                kind: kind.to_owned(),
                name,
                origin,
                action: pb::Action::Refused.into(),
                faults: faults.into_iter().map(fault).collect(),
                ..Default::default()
            }),
        }
    }
    (good, bad)
}

fn platforms(field: &str, names: &[String]) -> Result<BTreeSet<PlatformName>, Fault> {
    let read = |name: &String| {
        PlatformName::parse(name).map_err(|e| {
            Fault::invalid("INVALID_NAME", format!("{field}: {e}")).violations([Violation::new(
                field,
                "INVALID_NAME",
                e.to_string(),
            )])
        })
    };
    names.iter().map(read).collect()
}

fn fault(violation: Violation) -> pb::Fault {
    pb::Fault { path: violation.field, reason: violation.reason.to_owned(), message: violation.message }
}

fn action(action: Action) -> pb::Action {
    match action {
        Action::Unchanged => pb::Action::Unchanged,
        Action::Create => pb::Action::Create,
        Action::Update => pb::Action::Update,
        Action::Delete => pb::Action::Delete,
        Action::Refused => pb::Action::Refused,
        Action::Unmanaged => pb::Action::Unmanaged,
    }
}
