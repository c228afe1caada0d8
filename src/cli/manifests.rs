//! Manifests that a command is given: a file, a directory or standard input; and what the broker says of them.

pub(super) mod changes;
mod exchange;

pub(super) use exchange::{Exchange, Step};

use crate::cli::call::one_line;
use crate::cli::output::clean;
use crate::client::pb::portolan::manifest::v1 as pb;
use crate::client::{Channel, manifest as wire};
use crate::manifest::{self, Directory, Faults, Resource};
use anyhow::{Context as _, bail};
use pb::manifest_service_client::ManifestServiceClient;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What a command ends with when something was refused.
pub(super) const REFUSED: u8 = 3;
/// What `plan` ends with when something would change.
pub(super) const DIFFERS: u8 = 4;

/// Where manifests are.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// A manifest, a directory of them (*.yaml and *.yml, with the folders below), or - for standard input
    #[arg(long = "file", short = 'f', value_name = "PATH")]
    path: PathBuf,
}

/// What was read. Files at fault are left out, and told.
pub(super) struct Given {
    pub(super) resources: Vec<Resource>,
    pub(super) faults: Vec<Faults>,
    pub(super) is_directory: bool,
}

impl Source {
    /// Manifests at a path.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads all of it.
    pub(super) fn read(&self) -> anyhow::Result<Given> {
        if self.path.is_dir() {
            let loaded = Directory::new(&self.path).load()?;
            let faults = loaded.faults().map(|faults| faults.clone().below(&self.path)).collect();
            return Ok(Given {
                resources: loaded.resources().cloned().collect(),
                faults,
                is_directory: true,
            });
        }
        if self.path != Path::new("-") && !self.path.exists() {
            bail!(
                "{} does not exist: give a file or a directory of manifests, or - for standard input",
                self.path.display()
            );
        }
        let read = if self.path == Path::new("-") {
            let mut text = Vec::new();
            let input = std::io::stdin().lock();
            // One byte more tells that there is more.
            input.take(manifest::LARGEST as u64 + 1).read_to_end(&mut text).context("standard input")?;
            manifest::load_bytes(Path::new("standard input"), text)
        } else {
            manifest::load_file(&self.path)
        };
        let (resources, faults) = match read {
            Ok(resources) => (resources, Vec::new()),
            Err(faults) => (Vec::new(), vec![faults]),
        };
        Ok(Given { resources, faults, is_directory: false })
    }
}

impl Given {
    /// Tells the faults of files on standard error.
    pub(super) fn tell_faults(&self) {
        for faults in &self.faults {
            eprintln!("{}", clean(&faults.to_string()));
        }
    }

    /// Whether what is not in them shall go. Only a directory can say so, and only one that was read whole.
    pub(super) fn prunes(&self, asked: Option<bool>) -> anyhow::Result<bool> {
        if asked == Some(true) && !self.is_directory {
            anyhow::bail!("--prune needs a directory: what a single file does not say may stand in another");
        }
        let wanted = self.is_directory && asked.unwrap_or(true);
        if wanted && !self.faults.is_empty() {
            eprintln!("nothing is removed: what the files at fault declare is not known");
        }
        // Without a platform, "these platforms" would be all of them.
        Ok(wanted && self.faults.is_empty() && !self.platforms().is_empty())
    }

    /// Says it to the broker.
    pub(super) async fn apply(
        &self,
        channel: Channel,
        prune: bool,
        validate_only: bool,
    ) -> anyhow::Result<pb::ApplyManifestsResponse> {
        let request = pb::ApplyManifestsRequest {
            resources: self.resources.iter().map(wire::resource).collect(),
            validate_only,
            prune,
            prune_platforms: if prune { self.platforms().into_iter().collect() } else { Vec::new() },
        };
        let answer = ManifestServiceClient::new(channel).apply_manifests(request).await;
        Ok(answer.map_err(|status| anyhow::anyhow!(one_line(&status)))?.into_inner())
    }

    fn platforms(&self) -> BTreeSet<String> {
        self.resources.iter().map(|resource| resource.spec.platform().to_string()).collect()
    }
}
