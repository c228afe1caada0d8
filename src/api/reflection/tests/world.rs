//! A federation with reflection over it, and a client that speaks both versions.

use crate::access::{Caller, Policy};
use crate::api::reflection::Reflection;
use crate::catalog::{self, Change};
use crate::descriptors::tests::compile::compile;
use crate::descriptors::{self, Limits, Set};
use crate::lifecycle::Shutdown;
use crate::model::*;
use crate::wire::pb::grpc::reflection::{v1, v1alpha};
use bytes::Bytes;
use jiff::Timestamp;
use prost::Message;
use prost_types::FileDescriptorProto;
use std::sync::Arc;
use v1::server_reflection_request::MessageRequest as Ask;
use v1::server_reflection_response::MessageResponse as Told;

/// Which version of the protocol a client speaks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Protocol {
    V1,
    V1Alpha,
}

/// Three platforms, and a caller of each.
pub(super) struct World {
    pub(super) catalog: catalog::Writer,
    pub(super) descriptors: descriptors::Writer,
    pub(super) reflection: Reflection,
    pub(super) shutdown: Shutdown,
    policy: Arc<Policy>,
}

/// What a test says about one version; the rest is usual.
pub(super) struct Offer<'a> {
    pub(super) name: &'a str,
    pub(super) service: &'a str,
    pub(super) files: &'a [(&'a str, &'a str)],
    pub(super) stage: Stage,
    /// Platforms besides its own; `*` is everyone.
    pub(super) visible_to: &'a [&'a str],
}

/// A stable version that everyone may see. The name is short: `a.example/ledger/1.0.0`.
pub(super) fn offer<'a>(name: &'a str, service: &'a str, files: &'a [(&'a str, &'a str)]) -> Offer<'a> {
    Offer { name, service, files, stage: Stage::Stable, visible_to: &["*"] }
}

pub(super) fn symbol(name: &str) -> Ask {
    Ask::FileContainingSymbol(name.to_owned())
}

pub(super) fn file(name: &str) -> Ask {
    Ask::FileByFilename(name.to_owned())
}

pub(super) fn list() -> Ask {
    Ask::ListServices(String::new())
}

/// The files of an answer; none if there was no such thing.
pub(super) fn files(told: &Told) -> Vec<FileDescriptorProto> {
    match told {
        Told::FileDescriptorResponse(found) => found
            .file_descriptor_proto
            .iter()
            .map(|bytes| FileDescriptorProto::decode(&bytes[..]).unwrap())
            .collect(),
        Told::ErrorResponse(error) => {
            assert_eq!(error.error_code, 5, "{error:?}");
            Vec::new()
        }
        other => panic!("{other:?}"),
    }
}

/// The names of the files of an answer, in their order.
pub(super) fn names(told: &Told) -> Vec<String> {
    files(told).iter().map(|file| file.name().to_owned()).collect()
}

impl World {
    pub(super) fn new() -> Self {
        let platforms =
            [("a.example", "a"), ("b.example", "b"), ("c.example", "c")].map(|(name, prefix)| Platform {
                name: name.parse().unwrap(),
                display_name: String::new(),
                trust_domain: TrustDomain::parse(name).unwrap(),
                service_prefixes: vec![prefix.parse().unwrap(), "shared".parse().unwrap()],
            });
        let (mut catalog, reader) = catalog::catalog();
        catalog.apply_all(platforms.clone().map(Change::PutPlatform)).unwrap();
        let own = Set::screen(crate::wire::DESCRIPTORS, &Limits::default()).unwrap();
        assert_eq!(own.warnings(), []);
        let (descriptors, index) = descriptors::index(&own);
        let (policy, shutdown) = (Arc::new(Policy::new(platforms)), Shutdown::new());
        let reflection = Reflection::new(&own, reader, index, policy.clone(), shutdown.clone());
        Self { catalog, descriptors, reflection, shutdown, policy }
    }

    /// Registers a version with a producer of its own; what comes back is its set as it was sent.
    pub(super) fn add(&mut self, offer: Offer<'_>) -> Vec<u8> {
        let bytes = compile(offer.files);
        self.add_set(offer, &bytes);
        bytes
    }

    /// Registers a version with this set.
    pub(super) fn add_set(&mut self, offer: Offer<'_>, bytes: &[u8]) {
        let name = version(offer.name);
        let set = Set::screen(bytes, &Limits::default()).unwrap();
        assert_eq!(set.warnings(), []);
        if !offer.files.is_empty() || !bytes.is_empty() {
            self.descriptors.put(name.clone(), &set);
        }
        let version = Version {
            name: name.clone(),
            services: vec![offer.service.parse().unwrap()],
            descriptors: Some(set.digest()).filter(|_| !bytes.is_empty()),
            parameter_schema: None,
            digest: set.digest(),
            description: String::new(),
            owner: "o".into(),
            contact: "c".into(),
            stage: offer.stage,
            deprecation_time: None,
            sunset_time: None,
            visibility: Visibility {
                everyone: offer.visible_to.contains(&"*"),
                platforms: offer.visible_to.iter().filter_map(|name| name.parse().ok()).collect(),
            },
            slo: Slo::default(),
            traffic_weight: None,
            facts: Default::default(),
        };
        let identity = Identity::parse_spiffe(&format!("spiffe://{}/p", name.platform)).unwrap();
        let producer = Producer {
            name: producer(offer.name),
            identity: identity.clone(),
            registrant: identity,
            endpoints: Vec::new(),
            versions: vec![name],
            source: Source::Registration,
            freshness: Freshness::Live,
            lease_expires: None,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            provenance: None,
        };
        self.catalog.apply(Change::PutProducer { producer, versions: vec![version] }).unwrap();
    }

    /// The version's producer no longer renews.
    pub(super) fn expire(&mut self, name: &str) {
        let (freshness, updated) = (Freshness::Expired, Timestamp::UNIX_EPOCH);
        let change =
            Change::SetFreshness { producer: producer(name), freshness, lease_expires: None, updated };
        self.catalog.apply(change).unwrap();
    }

    pub(super) fn caller(&self, platform: &str) -> Arc<Caller> {
        Arc::new(self.policy.caller(Identity::parse_spiffe(&format!("spiffe://{platform}/x")).unwrap()))
    }

    /// The answers to several questions on one stream.
    pub(super) async fn ask_as(&self, protocol: Protocol, platform: &str, asks: Vec<Ask>) -> Vec<Told> {
        let requests: Vec<_> = asks
            .into_iter()
            .map(|ask| v1::ServerReflectionRequest { host: "h".into(), message_request: Some(ask) })
            .collect();
        let caller = self.caller(platform);
        let answers = match protocol {
            Protocol::V1 => exchange_v1(&self.reflection, caller, &requests).await,
            Protocol::V1Alpha => exchange_v1alpha(&self.reflection, caller, &requests).await,
        };
        assert_eq!(answers.len(), requests.len());
        let check = |(request, answer): (_, v1::ServerReflectionResponse)| {
            assert_eq!((answer.valid_host.as_str(), answer.original_request), ("h", Some(request)));
            answer.message_response.unwrap()
        };
        requests.into_iter().zip(answers).map(check).collect()
    }

    /// The answer to one question of a caller of `platform`.
    pub(super) async fn ask(&self, platform: &str, ask: Ask) -> Told {
        self.ask_as(Protocol::V1, platform, vec![ask]).await.remove(0)
    }

    /// The services in the list of a caller, without the broker's own.
    pub(super) async fn list(&self, platform: &str) -> Vec<String> {
        let Told::ListServicesResponse(list) = self.ask(platform, list()).await else { panic!() };
        let own = |name: &String| name.starts_with("grpc.") || name.starts_with("portolan.");
        list.service.into_iter().map(|service| service.name).filter(|name| !own(name)).collect()
    }
}

pub(super) fn version(short: &str) -> VersionName {
    let [platform, capability, version] = short.split('/').collect::<Vec<_>>()[..] else { panic!("{short}") };
    VersionName::parse(&format!("platforms/{platform}/capabilities/{capability}/versions/{version}")).unwrap()
}

fn producer(short: &str) -> ProducerName {
    let (platform, rest) = short.split_once('/').unwrap();
    let id = rest.replace(['/', '.'], "-");
    ProducerName::parse(&format!("platforms/{platform}/producers/{id}")).unwrap()
}

/// Speaks one version; both have one wire format, so the tests are written in v1.
macro_rules! exchange {
    ($name:ident, $version:ident) => {
        async fn $name(
            reflection: &Reflection,
            caller: Arc<Caller>,
            requests: &[v1::ServerReflectionRequest],
        ) -> Vec<v1::ServerReflectionResponse> {
            let encoded: Vec<Bytes> = requests.iter().map(|request| request.encode_to_vec().into()).collect();
            let decoded: Vec<_> = encoded
                .into_iter()
                .map(|bytes| $version::ServerReflectionRequest::decode(bytes).unwrap())
                .collect();
            let mut client =
                $version::server_reflection_client::ServerReflectionClient::new(reflection.$version())
                    .max_decoding_message_size(usize::MAX);
            let mut request = tonic::Request::new(tokio_stream::iter(decoded));
            request.extensions_mut().insert(caller);
            let mut stream = client.server_reflection_info(request).await.unwrap().into_inner();
            let mut answers = Vec::new();
            while let Some(answer) = stream.message().await.unwrap() {
                answers.push(v1::ServerReflectionResponse::decode(&answer.encode_to_vec()[..]).unwrap());
            }
            answers
        }
    };
}

exchange!(exchange_v1, v1);
exchange!(exchange_v1alpha, v1alpha);
