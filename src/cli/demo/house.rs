//! The demo, running: one broker and its producers.

use super::cast::{self, ROLES};
use super::place::Place;
use super::producer::{self, Producer};
use super::{Way, code};
use crate::broker::{self, Broker};
use crate::client::pb::portolan::registry::v1::RegisterProducerRequest;
use crate::client::producer::Services;
use anyhow::{Context as _, bail};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long open calls may go on after Ctrl-C.
const DRAIN: Duration = Duration::from_secs(3);

/// One broker with five producers.
pub(super) struct House {
    place: Place,
    broker: Broker,
    port: u16,
    way: Way,
    crew: Mutex<Crew>,
}

/// What each role serves, and who of them works.
struct Crew {
    services: BTreeMap<&'static str, Services>,
    working: BTreeMap<&'static str, Producer>,
    /// Where each listened last: manifests do not change because a producer comes back.
    ports: BTreeMap<&'static str, u16>,
}

impl House {
    /// Lays out the directory, starts the broker, then the producers. Port 0 is a free one.
    pub(super) async fn open(place: Place, port: u16, way: Way) -> anyhow::Result<Self> {
        place.prepare()?;
        place.issue_certificates()?;
        place.write_contracts()?;
        let config = broker::config::load(&place.write_config(port, way)?)?;
        let broker = Broker::start(config).await.with_context(|| match port {
            0 => "the broker did not start".to_owned(),
            port => format!("the broker did not start; is port {port} taken? (--port 0 takes a free one)"),
        })?;
        let port = broker.addresses().first().context("the broker listens nowhere")?.port();
        place.write_profiles(port)?;
        let services = ROLES.iter().map(|role| (role.name, producer::services(role))).collect();
        let crew = Mutex::new(Crew { services, working: BTreeMap::new(), ports: BTreeMap::new() });
        let house = Self { place, broker, port, way, crew };
        for role in &ROLES {
            house.start(role.name).await?;
        }
        match way {
            Way::Register => code::export(&house.place).await?,
            Way::Manifests => code::apply(&house.place, &house.declared().await).await?,
        }
        Ok(house)
    }

    /// Starts a producer that does not work.
    pub(super) async fn start(&self, name: &str) -> anyhow::Result<()> {
        let role = cast::role(name)?;
        let mut crew = self.crew.lock().await;
        if crew.working.contains_key(role.name) {
            bail!("{name} runs already");
        }
        let services = crew.services.get(role.name).cloned().unwrap_or_default();
        let port = crew.ports.get(role.name).copied().unwrap_or_default();
        let producer = Producer::start(role, services, &self.place, self.port, (self.way, port)).await?;
        if self.way == Way::Manifests {
            crew.ports.insert(role.name, producer.port());
        }
        crew.working.insert(role.name, producer);
        Ok(())
    }

    /// What each producer registers, or would.
    async fn declared(&self) -> Vec<(&'static cast::Role, RegisterProducerRequest)> {
        let crew = self.crew.lock().await;
        let of = |role: &'static cast::Role| Some((role, crew.working.get(role.name)?.declared().clone()));
        ROLES.iter().filter_map(of).collect()
    }

    /// Stops a producer as if it had crashed: the broker is told nothing.
    pub(super) async fn kill(&self, name: &str) -> anyhow::Result<()> {
        let role = cast::role(name)?;
        let producer = self.crew.lock().await.working.remove(role.name);
        producer.with_context(|| format!("{name} does not run"))?.kill().await;
        Ok(())
    }

    /// Drains everything: first the producers, then the broker.
    pub(super) async fn close(self) {
        let working = std::mem::take(&mut self.crew.lock().await.working);
        futures::future::join_all(working.into_values().map(Producer::stop)).await;
        self.broker.drain(DRAIN).await;
    }

    /// The directory.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Where the broker listens on this machine.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}
