//! What can be linted: descriptor sets, JSON Schemas, and manifests, told apart by the names of their files.

use super::Finding;
use crate::descriptors::{Break, Contract, Limits, SchemaError, ServiceName, Set, Warning, check_schema};
use crate::manifest::{self, Directory, Faults, Resource, Spec};
use anyhow::{Context as _, bail};
use std::ffi::OsStr;
use std::path::Path;

/// What was read.
pub(super) enum Source {
    Descriptors(Subject),
    Schema(Subject),
    Manifests(Vec<Declared>),
}

/// A contract, as far as it is written down in one place.
pub(super) struct Subject {
    pub(super) services: Vec<ServiceName>,
    set: Option<Set>,
    parameter_schema: Option<String>,
}

/// A version that a manifest declares.
pub(super) struct Declared {
    /// File and line.
    pub(super) origin: String,
    /// Its platform and capability.
    pub(super) capability: String,
    pub(super) version: semver::Version,
    pub(super) subject: Subject,
}

impl Subject {
    pub(super) fn contract(&self) -> Contract<'_> {
        Contract {
            services: &self.services,
            set: self.set.as_ref(),
            parameter_schema: self.parameter_schema.as_deref(),
        }
    }
}

/// Reads what stands in `file`, with what is wrong in itself; `only` names the services of a descriptor set that count,
/// if not all do.
pub(super) fn read(file: &Path, only: &[ServiceName]) -> anyhow::Result<(Source, Vec<Finding>)> {
    let failed = || format!("{} cannot be judged", file.display());
    let extension = file.extension().and_then(OsStr::to_str);
    if file.is_dir() || matches!(extension, Some("yaml" | "yml")) {
        if !only.is_empty() {
            bail!("--service is for descriptor sets: a manifest names its services");
        }
        return manifests(file).with_context(failed);
    }
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    match extension {
        Some("json") => schema(bytes),
        Some("proto") => bail!(
            "{} is source: build a descriptor set first, with `buf build -o {}`",
            file.display(),
            file.with_extension("binpb").display()
        ),
        _ => descriptors(&bytes, only),
    }
    .with_context(failed)
}

fn schema(bytes: Vec<u8>) -> anyhow::Result<(Source, Vec<Finding>)> {
    let text = String::from_utf8(bytes).context("it is not UTF-8")?;
    let is_image = serde_json::from_str(&text).is_ok_and(|value: serde_json::Value| value["file"].is_array());
    if is_image {
        bail!("it is a descriptor set in JSON; build it in binary, with `buf build -o x.binpb`");
    }
    let faults = check_schema(&text).err().map(unsound_schema).into_iter().collect();
    let subject = Subject { services: Vec::new(), set: None, parameter_schema: Some(text) };
    Ok((Source::Schema(subject), faults))
}

fn descriptors(bytes: &[u8], only: &[ServiceName]) -> anyhow::Result<(Source, Vec<Finding>)> {
    let set = Set::screen(bytes, &Limits::default())?;
    let mut faults: Vec<Finding> = set.warnings().iter().map(unsound_file).collect();
    let is_wanted = |name: &&ServiceName| only.is_empty() || only.contains(name);
    let services: Vec<ServiceName> = set.services().filter(is_wanted).cloned().collect();
    if services.is_empty() {
        let message = match only {
            [] => "it declares no service, so there is nothing to call",
            _ => "it declares none of the services asked for",
        };
        faults.push(finding("contract", "SERVICE_MISSING", message));
    }
    Ok((Source::Descriptors(Subject { services, set: Some(set), parameter_schema: None }), faults))
}

fn manifests(path: &Path) -> anyhow::Result<(Source, Vec<Finding>)> {
    let mut faults = Vec::new();
    let resources: Vec<Resource> = if path.is_dir() {
        let loaded = Directory::new(path).load()?;
        loaded.faults().for_each(|found| faults.extend(unsound_manifest(found)));
        loaded.resources().cloned().collect()
    } else {
        match manifest::load_file(path) {
            Ok(resources) => resources,
            Err(found) => {
                faults.extend(unsound_manifest(&found));
                Vec::new()
            }
        }
    };
    let mut declared = Vec::new();
    for Resource { origin, spec } in resources {
        let Spec::Version(spec) = spec else { continue };
        let name = spec.name();
        let offer = spec.offer;
        let (subject, found) = subject(offer.services, &offer.descriptor_set, offer.parameter_schema);
        faults.extend(found.into_iter().map(|fault| Finding { origin: Some(origin.clone()), ..fault }));
        let capability = name.capability_name().to_string();
        declared.push(Declared { origin, capability, version: name.version, subject });
    }
    Ok((Source::Manifests(declared), faults))
}

fn subject(
    services: Vec<ServiceName>,
    descriptor_set: &[u8],
    parameter_schema: Option<String>,
) -> (Subject, Vec<Finding>) {
    let mut faults = Vec::new();
    let set = match descriptor_set {
        [] => None,
        bytes => {
            let screened = Set::screen(bytes, &Limits::default());
            let unsound = |error| finding("descriptor_set", "FILE_UNSOUND", format!("{error}"));
            screened.map_err(|error| faults.push(unsound(error))).ok()
        }
    };
    if let Some(set) = &set {
        faults.extend(set.warnings().iter().map(unsound_file));
        let missing = services.iter().filter(|name| !set.has_service(name));
        let message = "the descriptor set does not declare it";
        faults.extend(missing.map(|name| finding(name.as_str(), "SERVICE_MISSING", message)));
    }
    let unsound = parameter_schema.as_deref().and_then(|schema| check_schema(schema).err());
    faults.extend(unsound.map(unsound_schema));
    (Subject { services, set, parameter_schema }, faults)
}

fn unsound_file(warning: &Warning) -> Finding {
    finding(&warning.file, "FILE_UNSOUND", warning.fault.to_string())
}

fn unsound_schema(error: SchemaError) -> Finding {
    finding("parameter_schema:", "SCHEMA_UNSOUND", error.to_string())
}

fn unsound_manifest(found: &Faults) -> impl Iterator<Item = Finding> {
    found.iter().map(|fault| {
        let origin = format!("{}:{}:{}", found.file().display(), fault.line, fault.column);
        let path = if fault.field.is_empty() { "manifest" } else { &fault.field };
        let message = format!("{} (fix: {})", fault.problem, fault.fix);
        Finding { origin: Some(origin), ..finding(path, "MANIFEST_UNSOUND", message) }
    })
}

fn finding(path: &str, rule: &'static str, message: impl Into<String>) -> Finding {
    Break { path: path.to_owned(), rule, message: message.into() }.into()
}
