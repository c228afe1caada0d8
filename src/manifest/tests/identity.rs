//! What is printed is read back as the same.

use crate::manifest::{Faults, parse, print, stream};
use crate::model::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Words as people write them, and those that YAML could take for something else.
fn words() -> impl Strategy<Value = String> {
    const ODD: &[&str] = &[
        "1.2",
        "0x1F",
        "1e3",
        "null",
        "~",
        "true",
        "no",
        "- a",
        "a: b",
        "# a",
        "a #b",
        "'",
        "\"",
        "|",
        "> x",
        "@a",
        "*a",
        "&a",
        "!a",
        "%a",
        "---",
        "...",
        "--- a\n---\nb",
        "\u{feff}x",
        "\t",
        " a",
        "a ",
        "\n",
        "a\n",
        "\na",
        "a\r\nb",
        "[",
        "{a",
        ".inf",
        ".nan",
        "+1",
        "2026-01-01",
        "\u{85}",
        "\u{2028}",
        "\u{1f600}",
        "\u{7f}",
        "\0",
        "0o7",
        "0b1",
        "-0",
        "1_000",
        "?",
        "? a",
        ":",
        "",
        "<<",
        "=",
    ];
    prop_oneof![any::<String>(), proptest::sample::select(ODD).prop_map(str::to_owned), "[a-z ]{0,12}"]
}

fn platform() -> impl Strategy<Value = PlatformName> {
    "[a-z]{1,8}(\\.[a-z]{1,8}){0,2}".prop_map(|name| PlatformName::parse(&name).unwrap())
}

fn id() -> impl Strategy<Value = String> {
    "[a-z]([a-z0-9-]{0,10}[a-z0-9])?"
}

fn number() -> impl Strategy<Value = semver::Version> {
    "(0|[1-9][0-9]{0,3})\\.(0|[1-9][0-9]{0,3})\\.(0|[1-9][0-9]{0,3})(-[a-z]{1,4}(\\.[1-9]{1,2})?)?(\\+[a-z0-9]{1,4})?"
        .prop_map(|version| version.parse().unwrap())
}

fn service() -> impl Strategy<Value = ServiceName> {
    "acme(\\.[a-z_]{1,6}){1,3}\\.[A-Z][a-z]{1,6}".prop_map(|name| ServiceName::parse(&name).unwrap())
}

fn time() -> impl Strategy<Value = jiff::Timestamp> {
    (-60_000_000_000_i64..250_000_000_000, 0..1_000_000_000_i64).prop_map(|(seconds, nanos)| {
        jiff::Timestamp::new(seconds, 0).unwrap() + jiff::SignedDuration::from_nanos(nanos)
    })
}

fn span() -> impl Strategy<Value = Duration> {
    (0..3600_u64, 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn visibility() -> impl Strategy<Value = Visibility> {
    (any::<bool>(), proptest::collection::btree_set(platform(), 0..3))
        .prop_map(|(everyone, platforms)| Visibility { everyone, platforms })
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map(words(), words(), 0..4)
}

fn needs() -> impl Strategy<Value = Vec<Requirement>> {
    let range = prop_oneof![Just("*"), Just("^1.2"), Just(">=1.2, <3"), Just("=1.0.0-rc.1")];
    let need = (platform(), id(), range).prop_map(|(platform, id, range)| Requirement {
        capability: CapabilityName { platform, capability: CapabilityId::parse(&id).unwrap() },
        range: range.parse().unwrap(),
    });
    proptest::collection::vec(need, 0..3)
}

fn schema() -> impl Strategy<Value = Option<String>> {
    const TEXTS: &[&str] = &[
        r#"{"properties":{"a b":{"pattern":"^[0-9]+$"},"no":{"default":null,"type":["string","null"]}},"type":"object"}"#,
        r#"{ "type": "object" }"#,
        r#"{"maximum":1.0,"minimum":-0.0,"multipleOf":1e-9,"x":18446744073709551615,"y":1e300}"#,
        r#"{"b":1,"a":2}"#,
        "{}",
    ];
    proptest::option::of(proptest::sample::select(TEXTS).prop_map(str::to_owned))
}

fn facts() -> impl Strategy<Value = Arc<Facts>> {
    let availability = proptest::sample::select(vec![
        Availability::Open,
        Availability::NoNew,
        Availability::NoUpdate,
        Availability::DeleteOnly,
    ]);
    let replacement =
        proptest::option::of((platform(), id(), number()).prop_map(|(platform, id, version)| VersionName {
            platform,
            capability: CapabilityId::parse(&id).unwrap(),
            version,
        }));
    let said = (words(), words(), words(), words(), proptest::collection::vec(words(), 0..3));
    (labels(), replacement, availability, needs(), needs(), said).prop_map(
        |(labels, replacement, availability, depends_on, prerequisites, said)| {
            let (on_call, support_tier, cost_unit, sticky_key, obligations) = said;
            let facts = Facts {
                labels,
                replacement,
                availability,
                depends_on,
                prerequisites,
                on_call,
                support_tier,
                cost_unit,
                sticky_key,
                obligations,
                service_config: None,
                idempotent: Vec::new(),
            };
            facts.shared()
        },
    )
}

fn offer() -> impl Strategy<Value = Offer> {
    let stage = proptest::sample::select(vec![
        Stage::Alpha,
        Stage::Beta,
        Stage::Stable,
        Stage::Deprecated,
        Stage::Retired,
    ]);
    let contract = (proptest::collection::vec(service(), 1..3), any::<Vec<u8>>(), schema(), any::<bool>());
    let times = (proptest::option::of(time()), proptest::option::of(time()));
    let slo = (proptest::option::of(0.001..100.0_f64), proptest::option::of(span()));
    let said = (words(), words(), words(), proptest::option::of(1..=1000_u16));
    (id(), number(), contract, stage, times, visibility(), slo, said, facts()).prop_map(
        |(id, version, contract, stage, times, visibility, slo, said, facts)| Offer {
            capability: CapabilityId::parse(&id).unwrap(),
            version,
            services: contract.0,
            // A discovered contract has no descriptors of its own.
            descriptor_set: if contract.3 { Vec::new() } else { contract.1 },
            parameter_schema: contract.2,
            discover: contract.3,
            description: said.0,
            owner: said.1,
            contact: said.2,
            stage,
            deprecation_time: times.0,
            sunset_time: times.1,
            visibility,
            slo: Slo { availability_percent: slo.0, latency_p99: slo.1 },
            traffic_weight: said.3,
            facts,
        },
    )
}

fn producer() -> impl Strategy<Value = ProducerSpec> {
    let endpoint =
        ("[a-z]{1,8}:[1-9][0-9]{0,3}", words(), 1..=1000_u16).prop_map(|(address, locality, weight)| {
            Endpoint { address: Address::parse(&address).unwrap(), locality: locality.into(), weight }
        });
    let served = (id(), number()).prop_map(|(id, version)| (CapabilityId::parse(&id).unwrap(), version));
    let lists = (proptest::collection::vec(endpoint, 1..3), proptest::collection::vec(served, 1..3));
    (platform(), id(), lists, proptest::option::of(span())).prop_map(|(platform, id, lists, interval)| {
        ProducerSpec {
            name: ProducerName { platform, producer: ProducerId::parse(&id).unwrap() },
            identity: format!("spiffe://a.example/{id}"),
            endpoints: lists.0,
            versions: lists.1,
            discovery_interval: interval,
        }
    })
}

fn spec() -> impl Strategy<Value = Spec> {
    let platform_spec = (platform(), words()).prop_map(|(name, display_name)| {
        let trust_domain = TrustDomain::parse(name.as_str()).unwrap();
        Spec::Platform(PlatformSpec { name, display_name, trust_domain })
    });
    let grant = (platform(), id()).prop_map(|(platform, id)| {
        let prefix = ServicePrefix::parse("acme.ledger").unwrap();
        let name = GrantName { platform, grant: GrantId::parse(&id).unwrap() };
        Spec::Grant(GrantSpec { name, service_prefixes: vec![prefix] })
    });
    let capability = (platform(), offer(), labels()).prop_map(|(platform, offer, labels)| {
        Spec::Capability(CapabilitySpec {
            name: CapabilityName { platform, capability: offer.capability },
            description: offer.description,
            owner: offer.owner,
            contact: offer.contact,
            on_call: offer.facts.on_call.clone(),
            support_tier: offer.facts.support_tier.clone(),
            cost_unit: offer.facts.cost_unit.clone(),
            labels,
            visibility: offer.visibility,
        })
    });
    let version =
        (platform(), offer()).prop_map(|(platform, offer)| Spec::Version(VersionSpec { platform, offer }));
    let reason = words().prop_filter("a reason says something", |reason| !reason.trim().is_empty());
    let decision =
        (service(), platform(), time(), reason).prop_map(|(service, platform, expires, reason)| {
            Spec::Override(OverrideSpec { service, platform, expires, reason })
        });
    prop_oneof![platform_spec, grant, capability, version, producer().prop_map(Spec::Producer), decision]
}

fn read(path: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) -> Result<Vec<Resource>, Faults> {
    let folder = path.parent().unwrap();
    let named =
        |named: &Path| files.get(&folder.join(named)).cloned().ok_or(std::io::ErrorKind::NotFound.into());
    parse(path, std::str::from_utf8(&files[path]).unwrap(), &named)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_printed_is_read_back(spec in spec()) {
        let resources = [Resource { origin: String::new(), spec }];
        let files = print(&resources);
        let manifest = files.keys().find(|path| path.extension().is_some_and(|e| e == "yaml")).unwrap();
        let back = read(manifest, &files);
        let text = String::from_utf8_lossy(&files[manifest]);
        let back = back.map_err(|faults| TestCaseError::fail(format!("{faults}\n{text}")))?;
        prop_assert_eq!(back.len(), 1, "{}", text);
        prop_assert_eq!(&back[0].spec, &resources[0].spec, "{}", text);
    }

    #[test]
    fn a_stream_is_read_back(specs in proptest::collection::vec(spec(), 0..6)) {
        let mut resources: BTreeMap<_, _> = BTreeMap::new();
        for spec in specs {
            resources.insert((spec.kind(), spec.name()), Resource { origin: String::new(), spec });
        }
        let resources: Vec<_> = resources.into_values().collect();
        let (text, mut files) = stream(&resources);
        files.insert("all.yaml".into(), text.clone().into_bytes());
        let back = read(Path::new("all.yaml"), &files);
        let back = back.map_err(|faults| TestCaseError::fail(format!("{faults}\n{text}")))?;
        prop_assert_eq!(back.len(), resources.len());
        for resource in &back {
            prop_assert!(resources.iter().any(|it| it.spec == resource.spec), "{:?}\n{}", resource, text);
        }
        prop_assert_eq!(stream(&back).0, text);
    }

    #[test]
    fn nothing_panics(text in words(), more in any::<String>()) {
        let _ = parse(Path::new("x.yaml"), &format!("{text}\n{more}"), &|_| Err(std::io::ErrorKind::NotFound.into()));
    }
}
