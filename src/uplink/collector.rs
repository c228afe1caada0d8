//! Sends metrics and spans to a collector: OTLP over gRPC, in plain text or with the broker's own certificate.
//!
//! What a collector does not take in time is dropped and counted; nothing waits for it but this.

mod export;

pub use export::{Exporter, Gather};

use crate::identity::{self, Credentials, Expected, Refusal, Trust};
use crate::lifecycle;
use crate::model::{self, Address, Identity};
use crate::transport::{self, client};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request};
use rustls::pki_types::ServerName;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For one request, connection included (OTLP exporters' default).
const LONGEST: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes: it says only what was refused.
const LARGEST: usize = 64 << 10;

/// Where a collector is, and who it must be.
#[derive(Debug, Clone)]
pub struct Place {
    /// Host and port.
    pub address: Address,
    /// Who must answer there, over TLS, and who we are; `None` is plain text.
    pub tls: Option<(Identity, Trust, Credentials)>,
}

/// A connection to a collector, made when it is needed.
#[derive(Debug)]
pub struct Collector {
    place: Place,
    connection: Option<client::Connection>,
}

/// Why a collector did not take a request.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// Nobody listens there.
    #[error("{address}: cannot connect: {cause}")]
    Unconnected {
        /// Where.
        address: Address,
        /// Why.
        cause: io::Error,
    },
    /// It is not who it should be, or does not believe us.
    #[error("{address}: the handshake failed: {refusal}")]
    Untrusted {
        /// Where.
        address: Address,
        /// Why.
        refusal: Refusal,
    },
    /// The connection, or the request on it, ended early.
    #[error("{0}")]
    Lost(#[from] transport::Error),
    /// It took too long.
    #[error("no answer within {LONGEST:?}")]
    TimedOut,
    /// It answered with another status than OK.
    #[error("the collector answers with status {code}: {message:?}")]
    Refused {
        /// The number of the gRPC status.
        code: u8,
        /// What it says, at most 200 characters of it.
        message: String,
    },
    /// It did not answer as gRPC does.
    #[error("the collector's answer is not gRPC")]
    NotGrpc,
}

impl Unsent {
    /// Whether the same request may be taken later (OTLP, "Failures").
    pub fn may_pass(&self) -> bool {
        match self {
            Unsent::Refused { code, .. } => matches!(code, 1 | 4 | 8 | 10 | 11 | 14 | 15),
            Unsent::NotGrpc => false,
            _ => true,
        }
    }
}

impl Collector {
    /// A collector that was not dialled yet.
    pub fn new(place: Place) -> Self {
        Self { place, connection: None }
    }

    /// Sends one message to a method of the collector; its answer.
    pub async fn export(&mut self, method: &'static str, message: &[u8]) -> Result<Bytes, Unsent> {
        let sent = timeout(LONGEST, self.try_export(method, message)).await.unwrap_or(Err(Unsent::TimedOut));
        if !matches!(sent, Ok(_) | Err(Unsent::Refused { .. })) {
            self.connection = None;
        }
        sent
    }

    async fn try_export(&mut self, method: &'static str, message: &[u8]) -> Result<Bytes, Unsent> {
        let connection = match self.connection.take().filter(client::Connection::has_room) {
            Some(connection) => connection,
            None => self.place.dial().await?,
        };
        let connection = self.connection.insert(connection);
        let (response, mut send) = connection.send(self.place.head(method), false)?;
        // A collector may answer before it has read all, and its answer tells more than that it stopped reading.
        let sent = send.frame(frame(message), true).await;
        let (head, mut body) = match (response.await, sent) {
            (Ok(answer), _) => answer.into_parts(),
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error.into()),
        };
        let mut answer = BytesMut::new();
        while let Some(data) = body.frame().await {
            let data = data?;
            if answer.len() + data.len() > LARGEST {
                return Err(Unsent::NotGrpc);
            }
            body.release(data.len());
            answer.extend_from_slice(&data);
        }
        let trailers = body.trailers().await?;
        judge(trailers.as_ref().unwrap_or(&head.headers))?;
        // The prefix of the one message; nothing is compressed, for it was not offered.
        let prefix = answer.len().min(5);
        Ok(answer.freeze().slice(prefix..))
    }
}

impl Place {
    async fn dial(&self) -> Result<client::Connection, Unsent> {
        let address = &self.address;
        let unconnected = |cause| Unsent::Unconnected { address: address.clone(), cause };
        let model::Place::Host(host, port) = address.place() else {
            return Err(unconnected(io::ErrorKind::Unsupported.into()));
        };
        let tcp = TcpStream::connect((host, port)).await.map_err(unconnected)?;
        // A socket that cannot be told so works all the same.
        let _ = tcp.set_nodelay(true);
        let settings = transport::Settings::default();
        let Some((identity, trust, credentials)) = &self.tls else {
            let (connection, driver) = client::connect(tcp, &settings).await?;
            lifecycle::spawn("collector connection", async { drop(driver.run().await) });
            return Ok(connection);
        };
        let config = identity::client_config(trust, credentials, Expected::Identity(identity.clone()));
        let untrusted = |refusal| Unsent::Untrusted { address: address.clone(), refusal };
        let name = ServerName::try_from(address.host().to_owned()).unwrap_or_else(|_| {
            ServerName::from(address.ip().unwrap_or(std::net::Ipv4Addr::UNSPECIFIED.into()))
        });
        let (tls, _) = identity::connect(config, name, tcp).await.map_err(untrusted)?;
        let (connection, driver) = client::connect(tls, &settings).await?;
        lifecycle::spawn("collector connection", async { drop(driver.run().await) });
        Ok(connection)
    }

    fn head(&self, method: &'static str) -> Request<()> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut request = Request::new(());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = format!("{scheme}://{}{method}", self.address).parse().unwrap_or_default();
        let headers = [
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("user-agent", concat!("portolan/", env!("CARGO_PKG_VERSION"))),
        ];
        let headers = headers.map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        request.headers_mut().extend(headers);
        request
    }
}

fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}

fn judge(trailers: &HeaderMap) -> Result<(), Unsent> {
    let code = trailers.get("grpc-status").and_then(|code| code.to_str().ok()?.parse::<u8>().ok());
    match code {
        Some(0) => Ok(()),
        Some(code) => {
            let message = trailers.get("grpc-message").map(|text| String::from_utf8_lossy(text.as_bytes()));
            let message = message.unwrap_or_default().chars().take(200).collect();
            Err(Unsent::Refused { code, message })
        }
        None => Err(Unsent::NotGrpc),
    }
}
