//! Where the project's own programs and the servers under test lie.

use std::{
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// The workspace's root folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

/// A program of this workspace (`callseal`, `callseal-signer`, …), built beside the running test.
///
/// # Errors
/// It has not been built: `make test` builds all programs first.
pub fn own(name: &str) -> anyhow::Result<PathBuf> {
    // A test lies in `deps` below the folder of the programs, a program beside the others.
    let running = std::env::current_exe()?;
    let beside = running.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let mut built = beside.filter(|program| program.is_file());
    built.next().with_context(|| format!("{name} is not built: run `cargo build --workspace --bins` first"))
}

/// The first of `candidates` that exists.
///
/// # Errors
/// None does: `package` has to be installed.
pub fn installed(candidates: &[&str], package: &str) -> anyhow::Result<PathBuf> {
    candidates
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .with_context(|| format!("{} is missing: install Debian's {package} (make test does)", candidates[0]))
}

/// A TCP port of loopback that nobody listens on.
///
/// # Errors
/// The machine has no port left.
pub fn free_tcp_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A port of loopback that is free for both UDP and TCP.
///
/// # Errors
/// The machine has no port left.
pub fn free_sip_port() -> anyhow::Result<u16> {
    for _ in 0..64 {
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let port = tcp.local_addr()?.port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free for both UDP and TCP")
}
