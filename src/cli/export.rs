//! `portolan export`: writes what runs as manifests.

use crate::cli::call::one_line;
use crate::cli::connection::Connection;
use crate::cli::output::{self, clean, count};
use crate::client::manifest as wire;
use crate::client::pb::portolan::manifest::v1 as pb;
use crate::manifest::{self, Resource};
use anyhow::{Context as _, bail};
use pb::manifest_service_client::ManifestServiceClient;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan export --profile operator -o manifests
  portolan export --platform payments.example > payments.yaml

A directory gets one file for each resource, and the descriptor sets beside them. Standard output gets one stream of
documents, which names the descriptor sets and does not hold them.

Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// Write what runs as manifests, whichever way it came
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Only of this platform; may be given several times [default: all that you speak for]
    #[arg(long, value_name = "NAME")]
    platform: Vec<String>,
    /// A directory that is new or empty, or - for standard output
    #[arg(long, short, value_name = "DIR", default_value = "-")]
    output: PathBuf,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut client = ManifestServiceClient::new(args.connection.open().await?);
    let request = pb::ExportManifestsRequest { platforms: args.platform };
    let answer =
        client.export_manifests(request).await.map_err(|status| anyhow::anyhow!(one_line(&status)))?;
    let resources = parse(answer.into_inner().resources)?;
    if args.output == Path::new("-") {
        let (text, named) = manifest::stream(&resources);
        output::write(text.as_bytes())?;
        if !named.is_empty() {
            let files = count(named.len(), "file");
            eprintln!("{files} that these manifests name are written only with -o DIR");
        }
    } else {
        let files = manifest::print(&resources);
        write(&args.output, &files)?;
        eprintln!("{} in {}", count(resources.len(), "resource"), args.output.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads what the broker said; it never says what cannot be read.
pub(super) fn parse(resources: Vec<pb::Resource>) -> anyhow::Result<Vec<Resource>> {
    let read = |resource: pb::Resource| {
        let (kind, name) = wire::called(&resource);
        wire::parse(resource).map_err(|found| {
            let found = found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            anyhow::anyhow!("the broker's {kind} {} cannot be read: {}", clean(&name), clean(&found))
        })
    };
    resources.into_iter().map(read).collect()
}

/// Writes files into a directory that is new or empty, so that nothing is mixed with what was there.
pub(super) fn write(root: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> anyhow::Result<()> {
    if fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; give a new directory", root.display());
    }
    for (path, bytes) in files {
        let path = root.join(path);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
