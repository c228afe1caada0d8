//! The demo's directory: certificates, configuration, state, profiles. Nothing is written elsewhere.

use super::Way;
use super::cast::{self, HUB, OPERATOR, ORGANISATIONS, ROLES};
use super::descriptors;
use crate::cli::certs::{Authority, Request};
use crate::client::{Address, Files, TrustDomain};
use anyhow::{Context as _, bail};
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The first line of the configuration: it tells our directory from anybody else's.
const MARK: &str = "# Written by `portolan demo`, and again at each start.";

/// The demo's directory.
#[derive(Debug, Clone)]
pub(super) struct Place {
    root: PathBuf,
}

impl Place {
    /// The directory at `root`, whatever is in it.
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Makes the directory fresh. Refuses one that holds anything but an earlier demo.
    pub(super) fn prepare(&self) -> anyhow::Result<()> {
        let root = &self.root;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)
            .with_context(|| format!("cannot make {}", root.display()))?;
        let is_empty = fs::read_dir(root)?.next().is_none();
        let is_ours = || fs::read_to_string(self.config()).is_ok_and(|text| text.starts_with(MARK));
        if !is_empty && !is_ours() {
            bail!("{} holds something else; give --dir an empty or a new directory", root.display());
        }
        for part in ["certs", "contracts", "data", "manifests"] {
            match fs::remove_dir_all(root.join(part)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot clear {}", root.join(part).display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes an authority for each organisation, and issues every certificate.
    pub(super) fn issue_certificates(&self) -> anyhow::Result<()> {
        self.issue(HUB, &["broker", OPERATOR])?;
        for organisation in &ORGANISATIONS {
            let producers =
                ROLES.iter().filter(|role| role.domain == organisation.domain).map(|role| role.name);
            let names: Vec<_> = producers.chain([organisation.consumer]).collect();
            self.issue(organisation.domain, &names)?;
        }
        Ok(())
    }

    fn issue(&self, domain: &str, names: &[&str]) -> anyhow::Result<()> {
        let folder = self.certs(domain);
        let authority = Authority::create(&folder, &TrustDomain::parse(domain)?)?;
        for name in names {
            let request = Request::workload(format!("spiffe://{domain}/{name}")).on_this_machine();
            authority.issue_to(&folder, name, &request, false)?;
        }
        Ok(())
    }

    /// Writes the broker's configuration; without platforms where these are to come from manifests.
    pub(super) fn write_config(&self, port: u16, way: Way) -> anyhow::Result<PathBuf> {
        let mut text = format!(
            "{MARK}\n# A broker of one's own looks the same: `portolan config schema` explains every field.\n\n\
             id = \"{HUB}\"\nlisten = \"127.0.0.1:{port}\"\ndata_dir = \"data\"\noperators = [\"spiffe://{HUB}/{OPERATOR}\"]\n\n\
             [tls]\ncertificate = \"certs/{HUB}/broker.pem\"\nkey = \"certs/{HUB}/broker.key\"\n\n\
             [[trust_domains]]\nname = \"{HUB}\"\nbundle = \"certs/{HUB}/ca.pem\"\n"
        );
        for cast::Organisation { domain, title, short, .. } in &ORGANISATIONS {
            write!(text, "\n[[trust_domains]]\nname = \"{domain}\"\nbundle = \"certs/{domain}/ca.pem\"\n")?;
            if way == Way::Register {
                write!(
                    text,
                    "\n[[platforms]]\nname = \"{domain}\"\ntrust_domain = \"{domain}\"\ndisplay_name = \"{title}\"\n\
                     service_prefixes = [\"{short}\"]\n"
                )?;
            }
        }
        text.push_str(
            "\n# The producers of the demo stand on this machine.\n[endpoints]\nallow = [\"127.0.0.0/8\"]\n\n\
             # Impatient, so that a stopped producer is seen soon.\n[health]\ninterval = \"1s\"\ntimeout = \"1s\"\n\n\
             [leases]\ngrace = \"30s\"\n",
        );
        fs::write(self.config(), text)
            .with_context(|| format!("cannot write {}", self.config().display()))?;
        Ok(self.config())
    }

    /// Writes a profile for each consumer, and for the operator.
    pub(super) fn write_profiles(&self, port: u16) -> anyhow::Result<()> {
        let consumers = ORGANISATIONS.iter().map(|it| (it.domain, it.short, it.consumer));
        for (domain, short, consumer) in consumers.chain([(HUB, OPERATOR, OPERATOR)]) {
            let text = format!(
                "# How {consumer} of {domain} reaches the broker.\naddress = \"localhost:{port}\"\n\
                 ca = \"certs/{HUB}/ca.pem\"\ncert = \"certs/{domain}/{consumer}.pem\"\n\
                 key = \"certs/{domain}/{consumer}.key\"\ntrust_domain = \"{HUB}\"\n"
            );
            let file = self.profile(short);
            fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }

    /// Writes the descriptors of every contract, for tools that are not to ask the broker.
    pub(super) fn write_contracts(&self) -> anyhow::Result<()> {
        fs::create_dir_all(self.root.join("contracts"))?;
        for role in &ROLES {
            let file = self.contract(role.name);
            let set = descriptors::of_service(role.service)?;
            fs::write(&file, set).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }

    /// The directory itself.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The broker's configuration.
    pub(super) fn config(&self) -> PathBuf {
        self.root.join("broker.toml")
    }

    /// The profile of an organisation's consumer, or of the operator.
    pub(super) fn profile(&self, short: &str) -> PathBuf {
        self.root.join(format!("{short}.toml"))
    }

    /// The descriptors of what a producer serves.
    pub(super) fn contract(&self, name: &str) -> PathBuf {
        self.root.join("contracts").join(format!("{name}.binpb"))
    }

    /// The manifests of the three organisations.
    pub(super) fn manifests(&self) -> PathBuf {
        self.root.join("manifests")
    }

    /// Where `demo stop` and `demo start` are heard.
    pub(super) fn socket(&self) -> PathBuf {
        self.root.join("control.sock")
    }

    /// The bundle of an organisation.
    pub(super) fn bundle(&self, domain: &str) -> PathBuf {
        self.certs(domain).join("ca.pem")
    }

    /// The certificate and key of a workload.
    pub(super) fn files(&self, domain: &str, name: &str) -> Files {
        let part = |ending: &str| self.certs(domain).join(format!("{name}.{ending}"));
        Files { certificate: part("pem"), key: part("key") }
    }

    fn certs(&self, domain: &str) -> PathBuf {
        self.root.join("certs").join(domain)
    }
}

/// `localhost:{port}`.
pub(super) fn on_this_machine(port: u16) -> anyhow::Result<Address> {
    Ok(Address::parse(&format!("localhost:{port}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_a_configuration_and_profiles() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::at(folder.path());
        for _ in 0..2 {
            place.prepare().unwrap();
            place.issue_certificates().unwrap();
            let config = place.write_config(0, Way::Register).unwrap();
            let config = crate::broker::config::load(&config).unwrap();
            assert_eq!(
                (config.platforms.len(), config.trust_domains.len(), config.operators.len()),
                (3, 4, 1)
            );
            place.write_profiles(7443).unwrap();
            for organisation in &ORGANISATIONS {
                let profile = place.profile(organisation.short);
                crate::client::Profile::load(profile.to_str().unwrap()).unwrap().target().unwrap();
            }
        }
    }

    #[test]
    fn somebody_else_s_directory_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        assert!(Place::at(folder.path()).prepare().unwrap_err().to_string().contains("something else"));
        assert!(folder.path().join("data").exists());
    }
}
