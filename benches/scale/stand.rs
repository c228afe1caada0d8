//! A broker in a process of its own, its producers in another, and what the broker's threads have used.

use super::backend::{self, Backend};
use super::load::{Fleet, Plan};
use super::{Consumer, Hub, World};
use portolan::transport;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// Services of a capability, capabilities of a producer, producers of a platform.
const OF_CAPABILITY: usize = 4;
const OF_PRODUCER: usize = 25;
const OF_PLATFORM: usize = 10;
/// All open connections of consumers.
const CONNECTIONS: usize = 10_500;
/// For so long calls are made before anything is measured, at most: until everybody has been dialled.
const PRIME: Duration = Duration::from_secs(60);

/// What the broker is given.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// In the catalogue.
    pub services: usize,
    /// Each at an address of its own, of the only service.
    pub producers: usize,
    /// Open connections of a consumer.
    pub connections: usize,
    /// Each with a core of its own, the second of which it shares with the load.
    pub workers: usize,
}

pub struct Stand {
    pub fleet: Arc<Fleet>,
    process: Child,
    _backend: Backend,
}

/// CPU time, in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// Of the threads that carry calls.
    pub workers: u64,
    /// Of all others: probes, folds, registrations.
    pub others: u64,
}

/// The name of one of the services.
pub fn service(nth: usize) -> String {
    let (platform, capability) = place(nth / OF_CAPABILITY);
    format!("org{platform}.cap{capability}.v1.S{}", nth % OF_CAPABILITY)
}

/// The platform of a capability, and its number there.
fn place(capability: usize) -> (usize, usize) {
    let each = OF_PRODUCER * OF_PLATFORM;
    (capability / each, capability % each)
}

impl Stand {
    pub async fn start(world: &World, size: Size) -> Self {
        let backend = Backend::start(world).await;
        let mut text = String::new();
        declare(&mut text, world, size, backend.port);
        write!(text, "[limits]\nconnections = {CONNECTIONS}\n").unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let dir = world.dir.path().join(port.port().to_string());
        std::fs::create_dir(&dir).unwrap();
        let file = dir.join("portolan.toml");
        std::fs::copy(world.broker().with(&text).write(), &file).unwrap();
        let process = Command::new("taskset")
            .args(["-c", if size.workers == 1 { "0" } else { "0,1" }])
            .arg(program())
            .args(["serve", "--config"])
            .arg(file)
            .env("PORTOLAN__LISTEN", port.to_string())
            .env("PORTOLAN__WORKERS", size.workers.to_string())
            .env("PORTOLAN__LOG__FILTER", "error")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let hub = Hub { address: port, domain: world.hub.domain(), broker: None };
        let settings = transport::Settings::default();
        // Another process starts: nothing here can be awaited for it.
        while Consumer::try_connect(&world.data, "/app", &hub, &settings).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
        answers(world, &hub).await;
        let fleet = Fleet::connect(world, &hub, size.connections).await;
        let stand = Self { fleet, process, _backend: backend };
        stand.prime(size).await;
        stand
    }

    /// Makes calls until each service has been called, and until the broker has all connections that it will have: one for
    /// calls and one for probes of each producer.
    async fn prime(&self, size: Size) {
        let active = size.connections.min(8);
        let plan = Plan { active, stride: 0, services: size.services, is_in_order: true };
        let files = size.connections + 2 * size.producers;
        let begin = tokio::time::Instant::now();
        let is_ready = || self.fleet.counts().0 >= size.services as u64 && self.files() >= files;
        while !is_ready() && begin.elapsed() < PRIME {
            self.fleet.run(plan, Duration::from_millis(500)).await;
        }
        if !is_ready() {
            eprintln!(
                "after {PRIME:?} {size:?} is at {:?} calls, {} files",
                self.fleet.counts(),
                self.files()
            );
        }
    }

    /// Open files.
    fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap().count()
    }

    pub fn used(&self) -> Used {
        let mut used = Used::default();
        for task in std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap() {
            let read = |name: &str| std::fs::read_to_string(task.as_ref().unwrap().path().join(name));
            // A thread may end meanwhile.
            let (Ok(name), Ok(times)) = (read("comm"), read("schedstat")) else { continue };
            let spent = times.split_whitespace().next().unwrap().parse::<u64>().unwrap();
            if name.starts_with("worker-") { used.workers += spent } else { used.others += spent }
        }
        used
    }

    /// MiB that are its own: its proportional set size.
    pub fn memory(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    fn id(&self) -> u32 {
        self.process.id().expect("the broker runs")
    }
}

/// `$PORTOLAN`, or the one that was built with this.
fn program() -> PathBuf {
    std::env::var_os("PORTOLAN").map_or_else(|| env!("CARGO_BIN_EXE_portolan").into(), PathBuf::from)
}

/// One call that is looked at closely: the load only looks whether all end alike.
async fn answers(world: &World, hub: &Hub) {
    let consumer = Consumer::connect(&world.data, "/app", hub).await;
    let path = format!("/{}/Call", service(0));
    let reply = consumer.unary(&path, &[], &super::message()[5..]).await.unwrap();
    assert_eq!((reply.status(), reply.body.to_vec()), (0, super::message()), "{reply:?}");
}

/// The platforms, and who serves what. All of one catalogue are at one address; many producers of one service are not.
fn declare(text: &mut String, world: &World, size: Size, port: u16) {
    let capabilities = size.services.div_ceil(OF_CAPABILITY);
    let identity = world.payments.id(backend::PATH);
    for platform in 0..capabilities.div_ceil(OF_PRODUCER * OF_PLATFORM) {
        write!(
            text,
            "[[platforms]]\nname = \"org{platform}.example\"\ntrust_domain = {:?}\nservice_prefixes = [\"org{platform}\"]\n",
            world.payments.name
        )
        .unwrap();
    }
    for first in (0..capabilities).step_by(OF_PRODUCER) {
        for nth in 0..size.producers {
            let (platform, capability) = place(first);
            let address = format!("127.{}.{}.{}", 1 + nth / 50_000, nth / 250 % 200, 1 + nth % 250);
            write!(
                text,
                "[[producers]]\nplatform = \"org{platform}.example\"\nid = \"p{capability}-{nth}\"\nidentity = {identity:?}\n\
                 endpoints = [{{ address = \"{address}:{port}\" }}]\n"
            )
            .unwrap();
            (first..capabilities.min(first + OF_PRODUCER))
                .for_each(|it| capability_of(text, it, size.services));
        }
    }
}

fn capability_of(text: &mut String, nth: usize, services: usize) {
    let begin = nth * OF_CAPABILITY;
    let names: Vec<_> = (begin..services.min(begin + OF_CAPABILITY)).map(service).collect();
    write!(
        text,
        "[[producers.capabilities]]\nname = \"cap{}\"\nversion = \"1.0.0\"\nservices = {names:?}\nowner = \"team\"\n\
         contact = \"team@example\"\nstage = \"stable\"\nvisibility = [\"*\"]\n",
        place(nth).1
    )
    .unwrap();
}
