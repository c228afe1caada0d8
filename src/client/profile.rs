//! How to reach a broker, as far as one source tells: flags, the environment, or a file.

use crate::client::target::{Missing, Target, Whom};
use crate::identity::Files;
use crate::model::{Address, Identity, TrustDomain};
use serde::{Deserialize, Deserializer};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a connection may take when nobody says.
const PATIENCE: Duration = Duration::from_secs(10);

/// How to reach a broker. Every field may be open; a lower source fills what a higher one leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// The broker's `host:port`.
    pub address: Option<Address>,
    /// PEM file with the authorities that vouch for the broker.
    pub ca: Option<PathBuf>,
    /// PEM file with our own certificate and its chain.
    pub cert: Option<PathBuf>,
    /// PEM file with the key of our certificate.
    pub key: Option<PathBuf>,
    /// The broker's exact SPIFFE id.
    pub identity: Option<String>,
    /// The broker's SPIFFE trust domain: any workload in it will do.
    pub trust_domain: Option<TrustDomain>,
    /// The host name in the broker's certificate, when it is not that of the address.
    pub server_name: Option<String>,
    /// How long a connection may take: `"10s"`.
    #[serde(deserialize_with = "written")]
    pub timeout: Option<Duration>,
}

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No file of that name.
    #[error("there is no profile {name}: {} cannot be read; write one there, or give --profile the path of a file", file.display())]
    Unreadable {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file that is not a profile.
    #[error("{}: {message}; a profile has address, ca, cert, key, identity, trust_domain, server_name, timeout", at(file, *line))]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The line, from 1, if one is at fault.
        line: Option<usize>,
        /// What is wrong.
        message: String,
    },
    /// Nobody knows where profiles are kept.
    #[error(
        "the profile {0} is looked for in ~/.config/portolan/profiles, but HOME is not set; give the path of a file"
    )]
    NoHome(String),
}

impl Profile {
    /// Reads a profile by its path (anything with a `/` or ending in `.toml`), or by its name: the file
    /// `~/.config/portolan/profiles/NAME.toml` (`$XDG_CONFIG_HOME` in place of `~/.config` where it is set).
    /// Relative paths in it begin at its folder.
    pub fn load(name: &str) -> Result<Self, ProfileError> {
        let file = if name.contains('/') || name.ends_with(".toml") {
            PathBuf::from(name)
        } else {
            folder().ok_or_else(|| ProfileError::NoHome(name.into()))?.join(format!("{name}.toml"))
        };
        match std::fs::read_to_string(&file) {
            Ok(text) => Self::parse(&text, &file),
            Err(source) => Err(ProfileError::Unreadable { name: name.into(), file, source }),
        }
    }

    /// What this one says, and for what it leaves open, what `lower` says.
    pub fn or(self, lower: Self) -> Self {
        Self {
            address: self.address.or(lower.address),
            ca: self.ca.or(lower.ca),
            cert: self.cert.or(lower.cert),
            key: self.key.or(lower.key),
            identity: self.identity.or(lower.identity),
            trust_domain: self.trust_domain.or(lower.trust_domain),
            server_name: self.server_name.or(lower.server_name),
            timeout: self.timeout.or(lower.timeout),
        }
    }

    /// The broker that all this describes, or what is still missing.
    pub fn target(self) -> Result<Target, Missing> {
        let (Some(address), Some(ca), Some(certificate), Some(key)) =
            (&self.address, &self.ca, &self.cert, &self.key)
        else {
            return Err(Missing::fields(&self));
        };
        let whom = match (&self.identity, &self.trust_domain, &self.server_name) {
            (Some(identity), ..) => {
                Whom::Identity(Identity::parse_spiffe(identity).map_err(Missing::Identity)?)
            }
            (None, Some(domain), _) => Whom::Domain(domain.clone()),
            (None, None, Some(name)) => Whom::Host(name.clone()),
            (None, None, None) => Whom::Host(address.host().to_owned()),
        };
        let timeout = self.timeout.unwrap_or(PATIENCE);
        let files = Files { certificate: certificate.clone(), key: key.clone() };
        Ok(Target { address: address.clone(), ca: ca.clone(), whom, files, timeout })
    }

    fn parse(text: &str, file: &Path) -> Result<Self, ProfileError> {
        let mut profile: Self = toml::from_str(text).map_err(|error| ProfileError::Malformed {
            file: file.to_owned(),
            line: error.span().map(|span| text[..span.start].matches('\n').count() + 1),
            message: error.message().replace('\n', " "),
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        for path in [&mut profile.ca, &mut profile.cert, &mut profile.key].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        Ok(profile)
    }
}

/// Reads a duration as people write it: `500ms`, `10s`, `1m30s`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: Option<jiff::SignedDuration> = text.parse().ok();
    let span = span.and_then(|span| Duration::try_from(span).ok()).filter(|span| !span.is_zero());
    span.ok_or_else(|| format!("{text:?} is not a duration; write \"500ms\", \"10s\" or \"1m30s\""))
}

fn written<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text).map(Some).map_err(serde::de::Error::custom)
}

/// Where profiles are kept.
fn folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("portolan/profiles"))
}

fn at(file: &Path, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("{}:{line}", file.display()),
        None => file.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_reads_with_paths_from_its_own_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.toml");
        std::fs::write(
            &file,
            "address = \"hub:7443\"\nca = \"hub.pem\"\nkey = \"/keys/me.pem\"\ntimeout = \"3s\"",
        )
        .unwrap();
        let profile = Profile::load(file.to_str().unwrap()).unwrap();
        assert_eq!(profile.ca, Some(folder.path().join("hub.pem")));
        assert_eq!(profile.key, Some("/keys/me.pem".into()));
        assert_eq!(profile.timeout, Some(Duration::from_secs(3)));
    }

    #[test]
    fn what_is_wrong_with_a_profile_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.toml");
        for (text, wanted) in [
            ("address = \"hub\"", "hub.toml:1: \"hub\" is not an address"),
            ("ca = \"x\"\nadress = \"hub:1\"", "hub.toml:2: unknown field `adress`"),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = Profile::load(file.to_str().unwrap()).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let error = Profile::load(folder.path().join("none.toml").to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("there is no profile"), "{error}");
    }

    #[test]
    fn a_higher_source_wins_and_a_lower_one_fills_the_rest() {
        let say = |address: &str, ca: Option<&str>| Profile {
            address: Some(Address::parse(address).unwrap()),
            ca: ca.map(PathBuf::from),
            ..Profile::default()
        };
        let merged = say("flag:1", None).or(say("environment:1", Some("b"))).or(say("file:1", Some("c")));
        assert_eq!(merged, say("flag:1", Some("b")));
    }

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let error =
            Profile { ca: Some("ca.pem".into()), ..Profile::default() }.target().unwrap_err().to_string();
        for wanted in ["--address", "PORTOLAN_ADDRESS", "--cert", "PORTOLAN_CERT", "--key", "--profile"] {
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
        assert!(!error.contains("--ca"), "{error}");
    }
}
