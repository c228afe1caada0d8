//! Where producers may be, and who tells where their names lead.

use super::reader::{Field, Table};
use crate::model::Network;
use schemars::JsonSchema;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// Which addresses may be registered.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct Endpoints {
    /// Loopback, link-local and the broker's own addresses are refused in registrations, and where a registered host name leads to them, unless one of these networks (`127.0.0.0/8`) holds them.
    #[schemars(with = "Vec<String>", default)]
    pub allow: Vec<Network>,
    /// Unix sockets (`unix:/path`) are refused in registrations unless they lie below one of these folders.
    #[schemars(with = "Vec<String>", default)]
    pub unix: Vec<PathBuf>,
}

/// How the host names of producers are looked up.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema)]
#[schemars(default, deny_unknown_fields)]
pub struct Dns {
    /// DNS servers (`address` or `address:port`) that are asked instead of those of `/etc/resolv.conf`. `/etc/hosts` is read first in any case.
    #[schemars(with = "Vec<String>", default)]
    pub servers: Vec<SocketAddr>,
}

pub(super) fn endpoints(table: &Table<'_>) -> Option<Endpoints> {
    let network = "write networks such as [\"127.0.0.0/8\", \"::1/128\"]";
    let allow = table
        .get("allow")
        .map_or(Some(Vec::new()), |list| list.list(|item| item.parsed(Network::parse, network)));
    let unix = table.get("unix").map_or(Some(Vec::new()), |list| list.list(folder));
    Some(Endpoints { allow: allow?, unix: unix? })
}

pub(super) fn dns(table: &Table<'_>) -> Option<Dns> {
    let servers = table.get("servers").map_or(Some(Vec::new()), |list| list.list(server));
    Some(Dns { servers: servers? })
}

/// A folder that says where it is: the path of a socket is held against it step by step.
fn folder(field: &Field<'_>) -> Option<PathBuf> {
    let path = field.path()?;
    if path.components().any(|step| step == std::path::Component::ParentDir) {
        return field.fault("it holds `..`", "write the folder without `..`");
    }
    Some(path)
}

fn server(field: &Field<'_>) -> Option<SocketAddr> {
    let parse = |text: &str| {
        let bare = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
        bare.or_else(|_| text.parse()).map_err(|_| format!("{text:?} is no IP address"))
    };
    field.parsed(parse, "write addresses such as [\"10.0.0.53\", \"127.0.0.1:5353\"]")
}
