//! Compiles `proto/` with protox: no `protoc` on the machine is needed.

use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(protos(Path::new("proto"))?)?;
    // `encode_file_descriptor_set` keeps extension options; `file_descriptor_set()` is what prost wants.
    fs::write(out.join("descriptors.binpb"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".portolan.registry.v1.CapabilityVersion.descriptor_set")
        .bytes(".grpc.reflection")
        .include_file("pb.rs")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// Every `.proto` file below `folder`, relative to `proto/`, in a stable order.
fn protos(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(protos(&path)?);
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path.strip_prefix("proto").map(Path::to_path_buf).unwrap_or(path));
        }
    }
    found.sort();
    Ok(found)
}
