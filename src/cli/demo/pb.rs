//! The contracts of the demo's producers, compiled from `proto/demo/`, and their descriptors cut to what one needs.

#![allow(missing_docs, unreachable_pub, clippy::all)]

include!(concat!(env!("OUT_DIR"), "/demo.rs"));
