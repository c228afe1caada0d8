//! Compiles `proto/` with protox: no `protoc` on the machine is needed.

use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let own = tonic_prost_build::configure()
        // Signed bytes must come out the same each time.
        .btree_map(".portolan.federation.v1")
        .btree_map(".portolan.registry.v1.CapabilityVersion")
        .bytes(".portolan.federation.v1")
        .bytes(".portolan.registry.v1.CapabilityVersion.descriptor_set")
        .bytes(".grpc.reflection");
    compile("proto", "pb", own)?;
    // The demo's contracts belong to imagined organisations: they are no part of the broker's own descriptors.
    compile("proto/demo", "demo", tonic_prost_build::configure())
}

/// Compiles every file below `root` into `$OUT_DIR/{name}.rs` and `$OUT_DIR/{name}.binpb`.
fn compile(root: &str, name: &str, builder: tonic_prost_build::Builder) -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(protos(Path::new(root), Path::new(root))?)?;
    // `encode_file_descriptor_set` keeps extension options; `file_descriptor_set()` is what prost wants.
    fs::write(out.join(format!("{name}.binpb")), compiler.encode_file_descriptor_set())?;
    builder
        .build_transport(false)
        .include_file(format!("{name}.rs"))
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// Every `.proto` file below `folder`, relative to `root`, in a stable order.
fn protos(root: &Path, folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if path != Path::new("proto/demo") {
                found.extend(protos(root, &path)?);
            }
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path.strip_prefix(root)?.to_path_buf());
        }
    }
    found.sort();
    Ok(found)
}
