//! `portolan publish`: registers producers from a pipeline, which does not stay to renew a lease.

use crate::cli::call::one_line;
use crate::cli::connection::Connection;
use crate::cli::manifests::{REFUSED, Source};
use crate::cli::output::{self, clean};
use crate::client::manifest as wire;
use crate::client::pb::portolan::manifest::v1::{Producer, resource::Kind};
use crate::client::pb::portolan::registry::v1 as pb;
use crate::manifest::{self, Resource};
use anyhow::{Context as _, bail};
use pb::registry_service_client::RegistryServiceClient;
use std::collections::BTreeMap;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan publish -f ledger.yaml --cert pipeline.pem --key pipeline.key --dry-run
  portolan publish -f manifests/

Every Producer is registered with the Versions that it lists, which stand in the same manifests, until it is deregistered:
there is no lease. Manifests of platforms and grants are left to `portolan apply`.

Exit codes: 0 done, 3 a producer was refused, 1 failed, 2 wrong usage.";

/// Register the producers of manifests, to stay until they are deregistered
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Only ask whether they would be taken
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut given = args.source.read()?;
    if !given.faults.is_empty() {
        given.tell_faults();
        return Ok(ExitCode::from(REFUSED));
    }
    manifest::resolve(&mut given.resources);
    let requests = requests(&given.resources, args.dry_run)?;
    let mut registry = RegistryServiceClient::new(args.connection.open().await?);
    let mut refused = false;
    for request in requests {
        let name = format!("platforms/{}/producers/{}", request.platform, request.producer);
        match registry.register_producer(request).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                let done = if args.dry_run { "would be taken" } else { "is registered" };
                output::say(format!("{} {done}", clean(&name)))?;
                answer.warnings.iter().for_each(|warning| eprintln!("    warning: {}", clean(warning)));
                for consumer in &answer.affected_consumers {
                    output::say(format!(
                        "    affects {} ({} calls in 30 days)",
                        clean(&consumer.identity),
                        consumer.calls
                    ))?;
                }
            }
            Err(status) => {
                refused = true;
                eprintln!("{} is refused: {}", clean(&name), one_line(&status));
            }
        }
    }
    Ok(if refused { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS })
}

/// What each producer registers.
fn requests(resources: &[Resource], validate_only: bool) -> anyhow::Result<Vec<pb::RegisterProducerRequest>> {
    let mut versions = BTreeMap::new();
    let mut producers = Vec::new();
    for resource in resources {
        match wire::resource(resource).kind {
            Some(Kind::Version(version)) => {
                let offer = version.version.unwrap_or_default();
                let name = (version.platform, format!("{}/{}", offer.capability, offer.version));
                versions.insert(name, (offer, version.discover));
            }
            Some(Kind::Producer(producer)) => producers.push((resource.origin.clone(), producer)),
            _ => {}
        }
    }
    if producers.is_empty() {
        bail!("there is no Producer in these manifests");
    }
    let request = |(origin, producer): (String, Producer)| {
        let versions = producer.versions.iter().map(|served| {
            let found = versions.get(&(producer.platform.clone(), served.clone()));
            let (offer, discover) = found.with_context(|| {
                format!("{origin}: the version {served} of {} is not among these manifests", producer.platform)
            })?;
            if *discover {
                bail!("{origin}: {served} is discovered, which `portolan apply` declares; a registration says its contract");
            }
            Ok(offer.clone())
        });
        Ok(pb::RegisterProducerRequest {
            versions: versions.collect::<anyhow::Result<_>>()?,
            platform: producer.platform,
            producer: producer.id,
            endpoints: producer.endpoints,
            identity: producer.identity,
            lease_duration: None,
            validate_only,
            permanent: true,
        })
    };
    producers.into_iter().map(request).collect()
}
