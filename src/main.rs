//! Portolan, the process: arguments, a runtime, the work, an exit code.

use clap::Parser;
use portolan::cli;
use std::process::ExitCode;

/// Calls make and drop many small things on the thread that carries them (docs/decisions/data-path.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    spare_memory();
    let arguments = cli::Arguments::parse();
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("portolan").build() {
            Ok(runtime) => runtime,
            Err(error) => return cli::exit_code(Err(error.into())),
        };
    let ended = runtime.block_on(cli::run(arguments));
    // Whoever still waits for a line of input must not hold up the end.
    runtime.shutdown_background();
    cli::exit_code(ended)
}

/// Takes memory in small pages: in huge ones a broker held 20 KiB more for each idle connection, and was no faster.
fn spare_memory() {
    // A system that does not let us is no worse than before.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
