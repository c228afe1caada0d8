//! The configuration of a broker: one TOML file, overridden by the environment, every fault reported at once.
//!
//! Owns: what may be configured, its form, its defaults.
//! Never: what a setting does.
//! Flow: text → tree of placed values → environment over it → fields read and judged → [`Config`], or all [`Faults`].

mod balance;
mod capability;
mod fault;
mod network;
mod platform;
mod producer;
mod reader;
mod retries;
mod schema;
mod telemetry;
mod tree;
mod trust;
mod tuning;
mod unit;

pub(in crate::broker) use balance::rules;
pub use balance::{Balance, Breaker, Outliers};
pub use capability::Capability;
pub use fault::{Fault, Faults, Place};
pub use network::{Dns, Endpoints};
pub use platform::Platform;
pub use producer::{Endpoint, Producer};
pub use retries::Retries;
pub use schema::schema;
pub use telemetry::{AccessLog, Admin, Collector, Metrics, Tracing};
pub use trust::{Tls, TrustDomain};
pub use tuning::{Drain, Health, Leases, Limits, Log, LogFormat, Timeouts};

use crate::model::{BrokerId, Identity};
use reader::{Field, Reader, Table};
use schemars::JsonSchema;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// All that a broker can be told. Relative paths begin at the folder of the file.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Config {
    /// The broker's id, unique among the brokers that know each other: lower-case DNS labels joined by dots. It travels in `portolan-via`.
    #[schemars(with = "String")]
    pub id: BrokerId,
    /// Where it listens: `address:port`, or a list of them. Port 0 takes a free one.
    #[schemars(schema_with = "schema::one_or_more")]
    pub listen: Vec<SocketAddr>,
    /// The folder of its durable state; made when it is not there. One broker at a time uses it.
    #[schemars(with = "String", extend("default" = "data"), default)]
    pub data_dir: PathBuf,
    /// Where the broker stands, from the widest to the narrowest: `region/zone`. Producers near it are preferred.
    #[schemars(default)]
    pub locality: String,
    /// Threads that carry calls; 0 is one for each core.
    #[schemars(default, range(max = 1024))]
    pub workers: usize,
    /// The broker's own certificate.
    pub tls: Tls,
    /// The organisations: each is one owner of trust with a bundle of its own.
    #[schemars(length(min = 1))]
    pub trust_domains: Vec<TrustDomain>,
    /// The registries of capabilities that take part, and what each may offer.
    #[schemars(default)]
    pub platforms: Vec<Platform>,
    /// Who operates this broker: SPIFFE ids. They see all of the catalogue and its use, apply manifests of platforms and grants, and decide conflicts; they may call no more than others.
    #[schemars(with = "Vec<String>", default)]
    pub operators: Vec<Identity>,
    /// A directory of manifests: platforms, grants, capabilities, versions, producers and overrides as YAML files, watched. What they declare is in force, and cannot be changed by request.
    #[schemars(with = "Option<String>", default)]
    pub manifests: Option<PathBuf>,
    /// Producers that cannot register by themselves.
    #[schemars(default)]
    pub producers: Vec<Producer>,
    /// How long registrations hold.
    #[schemars(default)]
    pub leases: Leases,
    /// What one connection, stream or message may take.
    #[schemars(default)]
    pub limits: Limits,
    /// How long is waited for what.
    #[schemars(default)]
    pub timeouts: Timeouts,
    /// How calls that failed are sent again.
    #[schemars(default)]
    pub retries: Retries,
    /// How the broker stops.
    #[schemars(default)]
    pub drain: Drain,
    /// How producers are probed.
    #[schemars(default)]
    pub health: Health,
    /// How calls are shared among the endpoints that serve a version.
    #[schemars(default)]
    pub balance: Balance,
    /// When an endpoint is left out for a time.
    #[schemars(default)]
    pub outliers: Outliers,
    /// How much one endpoint carries, all workers together.
    #[schemars(default)]
    pub breaker: Breaker,
    /// Which addresses may be registered.
    #[schemars(default)]
    pub endpoints: Endpoints,
    /// How the host names of producers are looked up.
    #[schemars(default)]
    pub dns: Dns,
    /// What is logged.
    #[schemars(default)]
    pub log: Log,
    /// The listener for those who watch the process.
    #[schemars(default)]
    pub admin: Admin,
    /// What is counted.
    #[schemars(default)]
    pub metrics: Metrics,
    /// Which calls are followed, and where their spans go.
    #[schemars(default)]
    pub tracing: Tracing,
    /// Which calls are written down.
    #[schemars(default)]
    pub access_log: AccessLog,
}

/// Reads the file at `path` and lays the variables `PORTOLAN__SECTION__KEY` of the environment over it.
pub fn load(path: &Path) -> Result<Config, Faults> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let fault = Fault {
                place: Place::File { line: 1, column: 1 },
                field: String::new(),
                problem: format!("the file cannot be read: {error}"),
                fix: "give the path of a TOML file; docs/portolan.example.toml shows every field".into(),
            };
            return Err(Faults::new(path, [fault]));
        }
    };
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    parse(path, &text, environment)
}

/// Reads `text` as if it stood in the file at `path`, which says where relative paths begin.
pub fn parse(
    path: &Path,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Faults> {
    let (mut root, mut faults) = tree::parse(text);
    let broken: Vec<usize> = faults.iter().filter_map(|fault| line(&fault.place)).collect();
    faults.extend(tree::overlay(&mut root, environment));

    let reader = Reader::new(path.parent().unwrap_or(Path::new("")));
    let config = reader.root(&root, read).flatten();
    // What cannot be read as TOML makes its field look wrong, and fields behind it look missing.
    let follows = |fault: &Fault| {
        !broken.is_empty() && (fault.is_absence() || line(&fault.place).is_some_and(|l| broken.contains(&l)))
    };
    faults.extend(reader.into_faults().into_iter().filter(|fault| !follows(fault)));
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(Faults::new(path, faults)),
    }
}

fn line(place: &Place) -> Option<usize> {
    match place {
        Place::File { line, .. } => Some(*line),
        Place::Environment(_) => None,
    }
}

fn read(root: &Table<'_>) -> Option<Config> {
    let id = root
        .need("id", "name the broker: id = \"hub-1\"")
        .and_then(|id| id.parsed(BrokerId::parse, "write a name such as \"hub-1\""));
    let listen = root
        .need("listen", "say where to listen: listen = \"127.0.0.1:7443\"")
        .and_then(|field| field.one_or_more(address));
    let data_dir = match root.get("data_dir") {
        Some(folder) => folder.path().and_then(|path| {
            if path.is_file() {
                folder.fault("it is a file", "give a folder; it is made when it is not there")
            } else {
                Some(path)
            }
        }),
        None => root.default_path("data"),
    };
    let locality =
        root.get("locality").map_or(Some(String::new()), |locality| locality.text().map(str::to_owned));
    let workers = root.get("workers").map_or(Some(0), |workers| workers.whole(0..=1024));
    let tls = root.section("tls", trust::tls);
    let domains = trust::domains(root);
    let platforms = platform::platforms(root, &domains);
    let operators = root
        .get("operators")
        .map_or(Some(Vec::new()), |field| field.list(|item| platform::operator(item, &domains)));
    let manifests = root.get("manifests").map_or(Some(None), |folder| manifests(&folder).map(Some));
    let producers = producer::producers(root, &platforms);
    // All are read before one may fail, so that the faults of all are told.
    let leases = root.section("leases", tuning::leases);
    let limits = root.section("limits", tuning::limits);
    let timeouts = root.section("timeouts", tuning::timeouts);
    let retries = root.section("retries", retries::retries);
    let drain = root.section("drain", tuning::drain);
    let health = root.section("health", tuning::health);
    let endpoints = root.section("endpoints", network::endpoints);
    let dns = root.section("dns", network::dns);
    let balance = root.section("balance", balance::balance);
    let outliers = root.section("outliers", balance::outliers);
    let breaker = root.section("breaker", balance::breaker);
    let log = root.section("log", tuning::log);
    let admin = root.section("admin", telemetry::admin);
    let metrics = root.section("metrics", |table| telemetry::metrics(table, &domains));
    let tracing = root.section("tracing", |table| telemetry::tracing(table, &domains));
    let access_log = root.section("access_log", telemetry::access_log);
    Some(Config {
        id: id?,
        listen: listen?,
        data_dir: data_dir?,
        locality: locality?,
        workers: workers? as usize,
        tls: tls?,
        trust_domains: domains.read,
        platforms: platforms.read,
        operators: operators?,
        manifests: manifests?,
        producers,
        leases: leases?,
        limits: limits?,
        timeouts: timeouts?,
        retries: retries?,
        drain: drain?,
        health: health?,
        balance: balance?,
        outliers: outliers?,
        breaker: breaker?,
        endpoints: endpoints?,
        dns: dns?,
        log: log?,
        admin: admin?,
        metrics: metrics?,
        tracing: tracing?,
        access_log: access_log?,
    })
}

/// A folder, which may come later: one that is not there deletes nothing.
fn manifests(field: &Field<'_>) -> Option<PathBuf> {
    let path = field.path()?;
    if path.is_file() {
        return field.fault("it is a file", "give the folder in which the manifests stand");
    }
    Some(path)
}

fn address(field: &Field<'_>) -> Option<SocketAddr> {
    let parse = |text: &str| text.parse().map_err(|_| format!("{text:?} is not an IP address with a port"));
    field.parsed(parse, "write address:port, such as \"0.0.0.0:7443\" or \"[::]:7443\"")
}

#[cfg(test)]
mod tests;
