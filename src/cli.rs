//! The command line: one file for each subcommand.

pub mod certs;
pub mod demo;
