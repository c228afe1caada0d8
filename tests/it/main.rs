//! What a user relies on, at real boundaries: real TLS, real sockets, real clients. One binary, linked once.

#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod attacks;
mod fixture;
mod identity;
mod routing;
