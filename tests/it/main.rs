//! What a user relies on, at real boundaries: real TLS, real sockets, real clients. One binary, linked once.

mod fixture;
mod routing;
