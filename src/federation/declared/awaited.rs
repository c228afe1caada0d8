//! Producers whose contracts are to be read from themselves, handed to discovery.

use super::judge::merged;
use super::serve::version_name;
use super::set::{Declared, Key};
use crate::descriptors;
use crate::federation::apply::Apply;
use crate::federation::discovery::{INTERVAL, Target, Targets};
use crate::model::{Identity, Offer, ProducerName, ProducerSpec, Registration, Spec};
use std::sync::Arc;

impl Apply {
    /// Tells discovery whom to read: those of the configuration, and those that manifests declare.
    pub(in crate::federation) fn tell_targets(&self) {
        let described = self.descriptors.reader().snapshot();
        let mut targets = self.configured_targets.as_ref().clone();
        for (key, entry) in self.state.declared.iter().filter(|(_, entry)| entry.stands) {
            let (Key::Producer(name), Spec::Producer(spec)) = (key, &entry.resource.spec) else { continue };
            if let Some(target) = target(&self.state.declared, &described, spec, &entry.resource.origin) {
                targets.insert(name.clone(), Arc::new(target));
            }
        }
        self.targets.send_if_modified(|known| {
            let differs = **known != targets;
            *known = Targets::new(targets);
            differs
        });
    }
}

/// Whether some of what a producer serves is to be discovered: then all of it is put by whoever discovers it.
pub(super) fn is_awaited(declared: &Declared, producer: &ProducerSpec) -> bool {
    producer.versions.iter().any(|(id, version)| {
        let entry = declared.get(&Key::Version(version_name(&producer.name, id, version)));
        entry.is_some_and(|entry| entry.stands && entry.sealed.is_none())
    })
}

impl Declared {
    /// Whether a manifest that is in force declares the producer.
    pub(in crate::federation) fn has_producer(&self, name: &ProducerName) -> bool {
        self.get(&Key::Producer(name.clone())).is_some_and(|entry| entry.stands)
    }

    /// Whether a producer of this name is declared, and something stands in its way.
    pub(in crate::federation) fn holds_back(&self, name: &ProducerName) -> bool {
        self.get(&Key::Producer(name.clone())).is_some_and(|entry| !entry.stands)
    }
}

fn target(
    declared: &Declared,
    described: &descriptors::Snapshot,
    spec: &ProducerSpec,
    origin: &str,
) -> Option<Target> {
    if !is_awaited(declared, spec) {
        return None;
    }
    let platform = declared.platforms().get(&spec.name.platform)?;
    let identity = Identity::parse(&spec.identity, &platform.trust_domain).ok()?;
    let offer = |(id, version): &(_, _)| {
        let name = version_name(&spec.name, id, version);
        let entry = declared.get(&Key::Version(name.clone()))?;
        let Spec::Version(said) = &entry.resource.spec else { return None };
        let offer = merged(&said.offer, declared.defaults(&name.capability_name()));
        let bytes = if offer.discover { None } else { described.bytes(&name) };
        Some(Offer { descriptor_set: bytes.unwrap_or_default(), ..offer })
    };
    let registration = Registration {
        producer: spec.name.clone(),
        identity: Some(spec.identity.clone()),
        endpoints: spec.endpoints.clone(),
        offers: spec.versions.iter().filter_map(offer).collect(),
        lease: None,
        permanent: false,
    };
    let interval = spec.discovery_interval.unwrap_or(INTERVAL);
    Some(Target { registration, identity, interval, origin: origin.to_owned() })
}
