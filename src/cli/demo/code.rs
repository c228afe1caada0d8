//! The demo as platforms as code: manifests of its three organisations, and the broker that gets them.

use super::cast::{self, ORGANISATIONS, Role};
use super::place::Place;
use crate::cli::export;
use crate::cli::manifests::changes::{self, Tally};
use crate::cli::manifests::{Given, Source};
use crate::client::pb::portolan::manifest::v1 as pb;
use crate::client::pb::portolan::registry::v1::RegisterProducerRequest;
use crate::client::{self, Channel, Profile};
use crate::manifest;
use anyhow::{Context as _, ensure};
use pb::manifest_service_client::ManifestServiceClient;
use pb::resource::Kind;

/// A connection as the operator.
pub(super) async fn operator(place: &Place) -> anyhow::Result<Channel> {
    let profile = Profile::load(&place.profile(cast::OPERATOR).to_string_lossy())?;
    client::connect(&profile.target()?).await.context("the operator cannot connect")
}

/// Writes what the broker runs, as `portolan export` does.
pub(super) async fn export(place: &Place) -> anyhow::Result<()> {
    let mut broker = ManifestServiceClient::new(operator(place).await?);
    let answer = broker.export_manifests(pb::ExportManifestsRequest::default()).await?.into_inner();
    write(place, answer.resources)
}

/// Writes what producers would declare, and makes it so, as `portolan apply` does.
pub(super) async fn apply(
    place: &Place,
    declared: &[(&'static Role, RegisterProducerRequest)],
) -> anyhow::Result<()> {
    let platforms = ORGANISATIONS.iter().flat_map(|organisation| {
        let name = organisation.domain.to_owned();
        let platform = pb::Platform {
            name: name.clone(),
            display_name: organisation.title.into(),
            trust_domain: name.clone(),
        };
        let grant = pb::Grant {
            platform: name,
            id: organisation.short.into(),
            service_prefixes: vec![organisation.short.into()],
        };
        [Kind::Platform(platform), Kind::Grant(grant)]
    });
    let served = declared.iter().flat_map(|(role, declared)| {
        let platform = declared.platform.clone();
        let versions = declared.versions.iter().map(|version| {
            let version =
                pb::Version { platform: platform.clone(), version: Some(version.clone()), discover: false };
            Kind::Version(version)
        });
        let producer = pb::Producer {
            platform: platform.clone(),
            id: declared.producer.clone(),
            identity: format!("spiffe://{}/{}", role.domain, role.name),
            endpoints: declared.endpoints.clone(),
            versions: vec![format!("{}/{}", role.capability, role.version)],
            discovery_interval: None,
        };
        versions.chain([Kind::Producer(producer)]).collect::<Vec<_>>()
    });
    let resource = |kind| pb::Resource { origin: String::new(), kind: Some(kind) };
    write(place, platforms.chain(served).map(resource).collect())?;
    let given = given(place)?;
    let answer = given.apply(operator(place).await?, true, false).await?;
    let tally = Tally::of(&answer, &given.faults);
    ensure!(tally.refused == 0, "the demo's manifests are refused:\n{}", changes::lines(&answer).join("\n"));
    Ok(())
}

/// The manifests of the demo's directory.
pub(super) fn given(place: &Place) -> anyhow::Result<Given> {
    Source::at(place.manifests()).read()
}

fn write(place: &Place, resources: Vec<pb::Resource>) -> anyhow::Result<()> {
    export::write(&place.manifests(), &manifest::print(&export::parse(resources)?))
}
