//! The files of `google/protobuf/`, which everybody imports and nobody but ourselves declares.
//!
//! If each stranger's copy counted, one bad copy of `timestamp.proto` would spoil the clients of all others.
//! `well_known.binpb` is protoc 35.1's own (`python -m grpc_tools.protoc --include_imports --descriptor_set_out=…`, from
//! PyPI `grpcio-tools` 1.85.1); protox's copy is too old for `edition = "2023"`.

use super::fault::Limits;
use super::ground::Ground;
use super::screen::screen_on;
use super::set::File;
use std::sync::{Arc, LazyLock};

static GROUND: LazyLock<Ground> = LazyLock::new(|| {
    let bytes = include_bytes!("well_known.binpb");
    screen_on(None, bytes, &Limits::default()).map(|(ground, _)| ground).unwrap_or_default()
});

/// The ground that every other set is judged on.
pub(super) fn ground() -> &'static Ground {
    &GROUND
}

/// The well-known files themselves.
pub(super) fn files() -> &'static [Arc<File>] {
    GROUND.files()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_all_sound() {
        assert_eq!(files().len(), 15);
        assert!(files().iter().all(|file| file.name.starts_with("google/protobuf/") && file.well_known));
        assert!(files().iter().any(|file| file.declares("google.protobuf.FeatureSet")));
    }
}
