//! Resources as manifests: in a stable order, readable, and read back as the same.

use super::kind::API;
use super::unit;
use super::version::{AVAILABILITIES, STAGES};
use crate::model::{
    CapabilitySpec, Endpoint, Offer, OverrideSpec, ProducerSpec, Requirement, Resource, Slo, Spec,
    VersionSpec, Visibility,
};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use yaml_serde::{Mapping, Value};

/// Schemas that are longer stand in a file of their own.
const INLINE: usize = 4 << 10;

/// Resources as files of a directory, by their paths in it: manifests, and what they name. One file each, but grants
/// stand with their platform.
pub fn print(resources: &[Resource]) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
    for resource in sorted(resources) {
        let folder = match &resource.spec {
            Spec::Override(_) => PathBuf::from("overrides"),
            spec => PathBuf::from(spec.platform().as_str()),
        };
        let name = match &resource.spec {
            Spec::Platform(_) | Spec::Grant(_) => "platform.yaml".to_owned(),
            Spec::Capability(spec) => format!("{}.yaml", spec.name.capability),
            Spec::Version(spec) => format!("{}.yaml", stem(&spec.offer)),
            Spec::Producer(spec) => format!("producer-{}.yaml", spec.name.producer),
            Spec::Override(spec) => format!("{}.yaml", spec.service),
        };
        let (text, named) = document(resource, "");
        let whole = texts.entry(folder.join(name)).or_default();
        if !whole.is_empty() {
            whole.push_str("---\n");
        }
        whole.push_str(&text);
        files.extend(named.into_iter().map(|(path, bytes)| (folder.join(path), bytes)));
    }
    files.extend(texts.into_iter().map(|(path, text)| (path, text.into_bytes())));
    files
}

/// Resources as one stream of documents, and the files that it names, which stand beside it.
pub fn stream(resources: &[Resource]) -> (String, BTreeMap<PathBuf, Vec<u8>>) {
    let mut files = BTreeMap::new();
    let texts: Vec<_> = sorted(resources)
        .into_iter()
        .map(|resource| {
            let (text, named) = document(resource, &format!("{}/", resource.spec.platform()));
            files.extend(named);
            text
        })
        .collect();
    (texts.join("---\n"), files)
}

fn sorted(resources: &[Resource]) -> Vec<&Resource> {
    let mut sorted: Vec<_> = resources.iter().collect();
    let rank = |spec: &Spec| super::kind::KINDS.iter().position(|kind| *kind == spec.kind());
    sorted.sort_by_cached_key(|it| (it.spec.platform().clone(), rank(&it.spec), it.spec.name()));
    sorted
}

/// One document, with the files that it names by their paths beside it.
fn document(resource: &Resource, folder: &str) -> (String, Vec<(PathBuf, Vec<u8>)>) {
    let mut named = Vec::new();
    let (name, spec) = match &resource.spec {
        Spec::Platform(spec) => {
            let fields = Fields::default()
                .text("display_name", &spec.display_name)
                .put("trust_domain", spec.trust_domain.as_str());
            (spec.name.to_string(), fields)
        }
        Spec::Grant(spec) => {
            (spec.name.grant.to_string(), Fields::default().list("service_prefixes", &spec.service_prefixes))
        }
        Spec::Capability(spec) => (spec.name.capability.to_string(), capability(spec)),
        Spec::Version(spec) => {
            let name = format!("{}/{}", spec.offer.capability, spec.offer.version);
            (name, version(spec, folder, &mut named))
        }
        Spec::Producer(spec) => (spec.name.producer.to_string(), producer(spec)),
        Spec::Override(spec) => (spec.service.to_string(), decision(spec)),
    };
    let home = match &resource.spec {
        Spec::Platform(_) | Spec::Override(_) => None,
        spec => Some(spec.platform().to_string()),
    };
    let metadata = Fields::default().put("name", name).maybe("platform", home);
    let root = Fields::default()
        .put("apiVersion", API)
        .put("kind", resource.spec.kind())
        .put("metadata", metadata.0)
        .put("spec", spec.0);
    // A tree of text, numbers and lists can always be written.
    (yaml_serde::to_string(&root.0).unwrap_or_default(), named)
}

fn capability(spec: &CapabilitySpec) -> Fields {
    Fields::default()
        .text("description", &spec.description)
        .text("owner", &spec.owner)
        .text("contact", &spec.contact)
        .text("on_call", &spec.on_call)
        .text("support_tier", &spec.support_tier)
        .text("cost_unit", &spec.cost_unit)
        .words("labels", &spec.labels)
        .list("visibility", visibility(&spec.visibility))
}

fn version(spec: &VersionSpec, folder: &str, named: &mut Vec<(PathBuf, Vec<u8>)>) -> Fields {
    let (offer, facts) = (&spec.offer, &spec.offer.facts);
    let descriptors = (!offer.descriptor_set.is_empty()).then(|| {
        let path = format!("{folder}descriptors/{}.binpb", stem(offer));
        named.push((PathBuf::from(&path), offer.descriptor_set.clone()));
        path
    });
    let schema = offer.parameter_schema.as_ref().map(|text| {
        inline(text).unwrap_or_else(|| {
            let path = format!("{folder}schemas/{}.json", stem(offer));
            named.push((PathBuf::from(&path), text.clone().into_bytes()));
            path.into()
        })
    });
    let config = facts.service_config.as_ref().map(|config| {
        inline(config.as_str()).unwrap_or_else(|| {
            let path = format!("{folder}configs/{}.json", stem(offer));
            named.push((PathBuf::from(&path), config.as_str().to_owned().into_bytes()));
            path.into()
        })
    });
    let known =
        |words: &[(&'static str, _)], it| words.iter().find(|(_, known)| *known == it).map(|(word, _)| *word);
    let availability = AVAILABILITIES.iter().skip(1).find(|(_, known)| *known == facts.availability);
    Fields::default()
        .maybe("discover", offer.discover.then_some(true))
        .list("services", &offer.services)
        .maybe("descriptor_set", descriptors)
        .maybe("parameter_schema", schema)
        .text("description", &offer.description)
        .text("owner", &offer.owner)
        .text("contact", &offer.contact)
        .text("on_call", &facts.on_call)
        .text("support_tier", &facts.support_tier)
        .text("cost_unit", &facts.cost_unit)
        .text("sticky_key", &facts.sticky_key)
        .maybe("stage", known(&STAGES, offer.stage))
        .maybe("deprecation_time", offer.deprecation_time.map(|time| time.to_string()))
        .maybe("sunset_time", offer.sunset_time.map(|time| time.to_string()))
        .maybe("replacement", facts.replacement.as_ref().map(ToString::to_string))
        .maybe("availability", availability.map(|(word, _)| *word))
        .maybe("traffic_weight", offer.traffic_weight)
        .list("visibility", visibility(&offer.visibility))
        .maybe("slo", slo(&offer.slo))
        .words("labels", &facts.labels)
        .rows("depends_on", facts.depends_on.iter().map(requirement))
        .rows("prerequisites", facts.prerequisites.iter().map(requirement))
        .list("obligations", &facts.obligations)
        .maybe("service_config", config)
}

/// A schema as it may stand in the document: one that is read back as the same text.
fn inline(text: &str) -> Option<Value> {
    let schema: Json = serde_json::from_str(text).ok().filter(Json::is_object)?;
    if text.len() > INLINE || serde_json::to_string(&schema).ok()? != text {
        return None;
    }
    let value = yaml_serde::to_value(&schema).ok()?;
    let written = yaml_serde::to_string(&value).ok()?;
    let read: Json = yaml_serde::from_str(&written).ok()?;
    (serde_json::to_string(&read).ok()? == text).then_some(value)
}

fn producer(spec: &ProducerSpec) -> Fields {
    Fields::default()
        .put("identity", spec.identity.as_str())
        .rows("endpoints", spec.endpoints.iter().map(endpoint))
        .list("versions", spec.versions.iter().map(|(id, version)| format!("{id}/{version}")))
        .maybe("discovery_interval", spec.discovery_interval.map(unit::show))
}

fn endpoint(endpoint: &Endpoint) -> Fields {
    Fields::default()
        .put("address", endpoint.address.to_string())
        .text("locality", &endpoint.locality)
        .maybe("weight", Some(endpoint.weight).filter(|weight| *weight != 1))
}

fn requirement(need: &Requirement) -> Fields {
    let range = Some(&need.range).filter(|range| **range != semver::VersionReq::STAR);
    Fields::default()
        .put("capability", need.capability.to_string())
        .maybe("range", range.map(ToString::to_string))
}

fn decision(spec: &OverrideSpec) -> Fields {
    Fields::default()
        .put("platform", spec.platform.as_str())
        .put("expire_time", spec.expires.to_string())
        .put("reason", spec.reason.as_str())
}

fn slo(slo: &Slo) -> Option<Mapping> {
    let latency = slo.latency_p99.map(unit::show);
    let fields = Fields::default()
        .maybe("availability_percent", slo.availability_percent)
        .maybe("latency_p99", latency);
    Some(fields.0).filter(|fields| !fields.is_empty())
}

fn visibility(visibility: &Visibility) -> Vec<String> {
    let everyone = visibility.everyone.then(|| "*".to_owned());
    everyone.into_iter().chain(visibility.platforms.iter().map(ToString::to_string)).collect()
}

fn stem(offer: &Offer) -> String {
    format!("{}-{}", offer.capability, offer.version)
}

/// A map that keeps the order in which its fields are put; what says nothing is left out.
#[derive(Default)]
struct Fields(Mapping);

impl Fields {
    fn put(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    fn text(self, name: &str, text: &str) -> Self {
        self.maybe(name, Some(text).filter(|text| !text.is_empty()))
    }

    fn list(self, name: &str, items: impl IntoIterator<Item: ToString>) -> Self {
        let items: Vec<Value> = items.into_iter().map(|item| item.to_string().into()).collect();
        self.maybe(name, Some(items).filter(|items| !items.is_empty()))
    }

    fn rows(self, name: &str, rows: impl Iterator<Item = Fields>) -> Self {
        let rows: Vec<Value> = rows.map(|fields| fields.0.into()).collect();
        self.maybe(name, Some(rows).filter(|rows| !rows.is_empty()))
    }

    fn words(self, name: &str, words: &BTreeMap<String, String>) -> Self {
        let words: Mapping =
            words.iter().map(|(key, word)| (key.as_str().into(), word.as_str().into())).collect();
        self.maybe(name, Some(words).filter(|words| !words.is_empty()))
    }
}
