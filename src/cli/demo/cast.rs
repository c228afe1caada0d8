//! Who plays in the demo: organisations, what each may offer, and who consumes.

use crate::client::pb::portolan::catalog::v1::Stage;

/// The organisation that runs the broker.
pub(super) const HUB: &str = "hub.example";
/// Who operates it: a workload of the hub, and the name of its profile.
pub(super) const OPERATOR: &str = "operator";

/// An organisation: one trust domain, one platform, one consumer.
#[derive(Debug)]
pub(super) struct Organisation {
    /// Its trust domain, and the name of its platform.
    pub(super) domain: &'static str,
    /// Its name for people.
    pub(super) title: &'static str,
    /// What the names of its services begin with; also the name of its profile.
    pub(super) short: &'static str,
    /// The workload of it that calls others.
    pub(super) consumer: &'static str,
}

/// A producer: one workload that serves one version.
#[derive(Debug)]
pub(super) struct Role {
    /// What `demo stop` calls it; also the last part of its SPIFFE id.
    pub(super) name: &'static str,
    /// Whose it is.
    pub(super) domain: &'static str,
    /// The capability that it serves.
    pub(super) capability: &'static str,
    /// The version of it.
    pub(super) version: &'static str,
    /// The service of the contract.
    pub(super) service: &'static str,
    /// How far the version is in its life.
    pub(super) stage: Stage,
    /// What it is for.
    pub(super) description: &'static str,
    /// Platforms that may see and call it, besides its owner's.
    pub(super) visible_to: &'static [&'static str],
}

/// The three organisations.
pub(super) const ORGANISATIONS: [Organisation; 3] = [
    Organisation { domain: "payments.example", title: "Payments", short: "payments", consumer: "checkout" },
    Organisation { domain: "data.example", title: "Data", short: "data", consumer: "reports" },
    Organisation { domain: "ml.example", title: "Machine learning", short: "ml", consumer: "trainer" },
];

/// The five producers.
pub(super) const ROLES: [Role; 5] = [
    Role {
        name: "ledger",
        domain: "payments.example",
        capability: "ledger",
        version: "2.1.0",
        service: "payments.ledger.v2.LedgerService",
        stage: Stage::Stable,
        description: "Double-entry bookkeeping",
        visible_to: &["*"],
    },
    Role {
        name: "ledger-v1",
        domain: "payments.example",
        capability: "ledger",
        version: "1.4.2",
        service: "payments.ledger.v1.LedgerService",
        stage: Stage::Deprecated,
        description: "Bookkeeping as it was",
        visible_to: &["*"],
    },
    Role {
        name: "kv",
        domain: "data.example",
        capability: "key-value",
        version: "1.3.0",
        service: "data.kv.v1.KeyValueService",
        stage: Stage::Stable,
        description: "Values by key, with changes to watch",
        visible_to: &["*"],
    },
    Role {
        name: "search",
        domain: "data.example",
        capability: "search",
        version: "1.0.3",
        service: "data.search.v1.SearchService",
        stage: Stage::Stable,
        description: "Full-text search over documents",
        visible_to: &["*"],
    },
    Role {
        name: "embedding",
        domain: "ml.example",
        capability: "embedding",
        version: "1.0.0",
        service: "ml.embedding.v1.EmbeddingService",
        stage: Stage::Stable,
        description: "Texts as vectors",
        visible_to: &["data.example"],
    },
];

impl Role {
    /// Who may call it, for people.
    pub(super) fn audience(&self) -> String {
        match self.visible_to {
            ["*"] => "everyone".to_owned(),
            platforms => platforms.join(", "),
        }
    }
}

/// The producer of that name.
pub(super) fn role(name: &str) -> anyhow::Result<&'static Role> {
    let names = || ROLES.iter().map(|role| role.name).collect::<Vec<_>>().join(", ");
    ROLES
        .iter()
        .find(|role| role.name == name)
        .ok_or_else(|| anyhow::anyhow!("no producer is called {name:?}; there are {}", names()))
}
