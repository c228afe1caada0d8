//! The way to a broker: TCP, mutual TLS, HTTP/2, each with an error that says what to do.

use crate::client::target::{Target, Whom};
use crate::identity::{self, Credentials, Domain, Expected, Fault, Refusal, Roots, Trust};
use crate::lifecycle;
use crate::model::{Address, Place};
use crate::transport::{self, Channel, Settings};
use http::uri::Authority;
use rustls_pki_types::ServerName;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Why a broker was not reached.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Files that cannot be used.
    #[error("{}", list(.0))]
    Files(Vec<Fault>),
    /// Neither a host name nor an IP address.
    #[error("{0:?} is neither a host name nor an IP address; see --server-name")]
    BadName(String),
    /// Brokers listen on hosts and ports only.
    #[error("{0} is a Unix socket; a broker listens on host:port")]
    NoHost(Address),
    /// Nobody listens there, or no way leads there.
    #[error("cannot connect to {address}: {}; is the broker running there?", reason(source))]
    Unreachable {
        /// Where.
        address: Address,
        /// Why not.
        source: io::Error,
    },
    /// No answer in time.
    #[error(
        "no connection to {address} within {after:?}; is the address right, and may packets pass? (--timeout)"
    )]
    Timeout {
        /// Where.
        address: Address,
        /// The limit.
        after: Duration,
    },
    /// Whoever answered is not the one that we want, or TLS with it failed.
    #[error("the handshake with {address} failed; {}", hint(refusal))]
    Handshake {
        /// Where.
        address: Address,
        /// Why.
        #[source]
        refusal: Refusal,
    },
    /// It ended the connection at once: with TLS 1.3 a refused certificate shows only then.
    #[error(
        "{address} ended the connection right after the handshake: it does not accept the certificate in {}, as its log says; is it valid, and is its organisation one of the broker's trust domains?",
        certificate.display()
    )]
    Refused {
        /// Where.
        address: Address,
        /// Our certificate.
        certificate: PathBuf,
        /// How it ended.
        source: transport::Error,
    },
}

/// Connects to a broker and returns once it has taken us.
pub async fn connect(target: &Target) -> Result<Channel, Error> {
    let late = || Error::Timeout { address: target.address.clone(), after: target.timeout };
    timeout(target.timeout, dial(target)).await.map_err(|_| late())?
}

async fn dial(target: &Target) -> Result<Channel, Error> {
    let address = || target.address.clone();
    let Place::Host(host, port) = target.address.place() else { return Err(Error::NoHost(address())) };
    let credentials = Credentials::load(&target.files).map_err(Error::Files)?;
    let (trust, expected) = expected(target)?;
    let config = identity::client_config(&trust, &credentials, expected);
    let name = server_name(host)?;
    let authority =
        Authority::try_from(target.address.to_string()).map_err(|_| Error::BadName(host.to_owned()))?;

    let tcp = TcpStream::connect((host, port))
        .await
        .map_err(|source| Error::Unreachable { address: address(), source })?;
    // A call is many small frames: none of them shall wait for the next.
    tcp.set_nodelay(true).map_err(|source| Error::Unreachable { address: address(), source })?;
    let (tls, _) = identity::connect(config, name, tcp)
        .await
        .map_err(|refusal| Error::Handshake { address: address(), refusal })?;
    let settings = Settings { handshake_timeout: target.timeout, ..Settings::default() };
    let (connection, driver) = transport::client::connect(tls, &settings).await.map_err(|source| {
        Error::Refused { address: address(), certificate: target.files.certificate.clone(), source }
    })?;
    lifecycle::spawn("connection to the broker", async move {
        // Each call tells its own caller how the connection ended.
        driver.run().await;
    });
    Ok(Channel::new(connection, authority))
}

fn expected(target: &Target) -> Result<(Trust, Expected), Error> {
    let (domain, expected) = match &target.whom {
        Whom::Identity(identity) => (&identity.trust_domain, Expected::Identity(identity.clone())),
        Whom::Domain(domain) => (domain, Expected::Domain(domain.clone())),
        Whom::Host(host) => {
            let roots = Roots::load(&target.ca).map_err(|fault| Error::Files(vec![fault]))?;
            let trust = Trust::load(&[]).map_err(Error::Files)?;
            return Ok((trust, Expected::Host(server_name(host)?, roots)));
        }
    };
    let (bundle, crl, dns_suffixes) = (target.ca.clone(), None, Vec::new());
    let trust = Trust::load(&[Domain { name: domain.clone(), bundle, crl, dns_suffixes }]);
    Ok((trust.map_err(Error::Files)?, expected))
}

fn server_name(host: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(host.to_owned()).map_err(|_| Error::BadName(host.to_owned()))
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ")
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        _ => error.to_string(),
    }
}

fn hint(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::WrongHost(_) => "name who must answer: --identity, --trust-domain or --server-name",
        Refusal::WrongIdentity { .. } | Refusal::WrongDomain { .. } => {
            "is this the broker that you mean? (--identity, --trust-domain)"
        }
        Refusal::Untrusted(_) | Refusal::UnknownDomain(_) => {
            "--ca must hold the authorities of the broker's own organisation"
        }
        Refusal::Left | Refusal::Handshake(_) => {
            "does a broker listen there, and does it know your organisation?"
        }
        _ => "the broker's certificate is not good",
    }
}
