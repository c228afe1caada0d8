//! The composition root: configuration in, bound broker out.

pub mod config;
