//! The generated types and, beside them, the only conversions to and from `model`.
//!
//! Owns: what a frame looks like. Never: what it means.

pub mod catalog;
pub mod federation;
mod found;
pub mod manifest;
pub mod registry;
pub mod status;
pub mod time;

/// What `build.rs` made of `proto/`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod pb {
    include!(concat!(env!("OUT_DIR"), "/pb.rs"));
}

/// The serialized `FileDescriptorSet` of everything in `proto/`, with its imports.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pb.binpb"));
