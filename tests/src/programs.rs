//! Where the project's own programs and the servers under test lie.

use std::path::{Path, PathBuf};

use anyhow::Context;

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
