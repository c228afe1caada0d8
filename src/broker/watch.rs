//! Who is told of the process and its calls: meters, spans and lines as configured, the admin listener, the collectors.

use super::Error;
use super::config::{self, Collector, Config};
use super::gather::Sources;
use crate::api::admin::Admin;
use crate::identity::{Credentials, Trust};
use crate::lifecycle::{self, Shutdown};
use crate::model::Identity;
use crate::telemetry::otlp::Origin;
use crate::telemetry::{AccessLog, Choice, Known, Meters, Sampling, Sink, Telemetry, Tracer, Writer};
use crate::uplink::collector::{Exporter, Place};
use crate::{catalog, descriptors, model};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How often series of versions that are gone are looked for.
const SWEEP: Duration = Duration::from_secs(600);
/// How long the last spans and lines may take when the broker stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// What is told of calls, and who writes it down.
pub(super) struct Opened {
    pub(super) telemetry: Telemetry,
    writer: Option<Writer>,
    sockets: Vec<TcpListener>,
}

/// Those who watch, until the broker has stopped.
pub(super) struct Watchers {
    pub(super) addresses: Vec<SocketAddr>,
    admin: Arc<Admin>,
    exporters: Vec<JoinHandle<()>>,
    writer: Option<Writer>,
    /// Given when the last call is over: what it has left is still to be told.
    over: Shutdown,
}

/// Opens what the configuration asks for: files and sockets first, so that what cannot be is told at the start.
pub(super) async fn open(config: &Config, described: &descriptors::Reader) -> Result<Opened, Error> {
    let meters = config.metrics.calls.then(|| Meters::new(config.metrics.series, methods(described.clone())));
    let tracer = config.tracing.collector.is_some().then(|| {
        let config::Tracing { ratio, follow_callers, queue, .. } = config.tracing;
        Tracer::new(Sampling { ratio, is_parent_believed: follow_callers }, queue)
    });
    let (mut access_log, mut writer) = (None, None);
    if let Some(path) = &config.access_log.to {
        let config::AccessLog { ratio, errors, fields, metadata, .. } = config.access_log.clone();
        let log = AccessLog::new(Choice { ratio, errors, fields, metadata });
        let sink = if path == Path::new("stdout") { Sink::Stdout } else { Sink::File(path.clone()) };
        let started = Writer::start(&log, &sink);
        writer = Some(started.map_err(|cause| Error::AccessLog { path: path.clone(), cause })?);
        access_log = Some(log);
    }
    let sockets = bind(&config.admin).await?;
    Ok(Opened { telemetry: Telemetry { meters, tracer, access_log }, writer, sockets })
}

impl Opened {
    /// Begins to tell: whoever scrapes, and the collectors.
    pub(super) fn start(
        self,
        config: &Config,
        sources: Sources,
        (trust, credentials): (&Trust, &Credentials),
        shutdown: &Shutdown,
    ) -> Watchers {
        let Opened { telemetry, writer, sockets } = self;
        let (over, began, catalog) = (Shutdown::new(), sources.process.began(), sources.catalog.clone());
        let gather = sources.gather();
        let admin = Admin::new(gather.clone(), shutdown.clone());
        let addresses: Vec<_> = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
        if !addresses.is_empty() {
            tracing::info!(listen = ?addresses, "tells metrics, life and readiness");
        }
        for socket in sockets {
            lifecycle::spawn("admin listener", admin.clone().run(socket));
        }
        if let Some(meters) = telemetry.meters {
            lifecycle::spawn("metrics sweep", sweep(meters, catalog, shutdown.clone()));
        }
        let exporter = |collector: &Collector, identity: &Option<Identity>| {
            let tls = identity.clone().map(|identity| (identity, trust.clone(), credentials.clone()));
            let origin = Origin { broker: config.id.to_string(), began };
            Exporter::new(Place { address: collector.address.clone(), tls }, origin)
        };
        let mut exporters = Vec::new();
        if let Some(collector) = &config.metrics.collector {
            let exporter = exporter(collector, &config.metrics.collector_id);
            exporters.push(exporter.metrics(gather, config.metrics.interval, over.clone()));
        }
        if let (Some(collector), Some(tracer)) = (&config.tracing.collector, telemetry.tracer) {
            exporters.push(exporter(collector, &config.tracing.collector_id).spans(tracer, over.clone()));
        }
        Watchers { addresses, admin, exporters, writer, over }
    }
}

impl Watchers {
    /// The broker answers calls from now on.
    pub(super) fn serving(&self) {
        self.admin.serving();
    }

    /// Tells what is left, once the last call is over, and ends.
    pub(super) async fn finish(self) {
        self.over.drain(Duration::ZERO).await;
        let rest = async {
            futures::future::join_all(self.exporters).await;
            if let Some(writer) = self.writer {
                // A writer that panicked has said so itself.
                let _ = tokio::task::spawn_blocking(move || writer.finish()).await;
            }
        };
        // A collector or a pipe that takes nothing must not keep the process.
        let _ = timeout(FAREWELL, rest).await;
    }
}

/// The methods of a service, as the descriptors of its version declare them.
fn methods(described: descriptors::Reader) -> Known {
    Arc::new(move |version, service| {
        let Ok(service) = model::ServiceName::parse(service) else { return Vec::new() };
        let methods = described.snapshot().set(version).and_then(|set| set.methods(&service));
        methods.into_iter().flatten().map(|method| method.name).collect()
    })
}

/// The sockets of the admin listener. Another broker on the machine may have the usual one: no reason not to start.
async fn bind(admin: &config::Admin) -> Result<Vec<TcpListener>, Error> {
    let mut sockets = Vec::new();
    for address in &admin.listen {
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "the admin listener asks nobody who they are, and is not on loopback");
        }
        match TcpListener::bind(address).await {
            Ok(socket) => sockets.push(socket),
            Err(error) if *admin == config::Admin::default() => {
                tracing::warn!(%address, %error, "no admin listener; choose another address in admin.listen");
            }
            Err(cause) => return Err(Error::Listen { address: *address, cause }),
        }
    }
    Ok(sockets)
}

async fn sweep(meters: Meters, catalog: catalog::Reader, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = sleep(SWEEP) => {}
            () = shutdown.requested() => return,
        }
        let snapshot = catalog.snapshot();
        meters.sweep(|version| snapshot.offering(version).is_some());
    }
}
