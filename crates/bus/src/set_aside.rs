//! Call messages that JetStream will never take (larger than its limits): kept as files for a
//! person, beside the spool.

use std::{
    fs::{DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use tracing::error;

use crate::{Bus, BusError, spool::Record};

const FOLDER: &str = "set-aside";

/// Keeps `record` under `spool_dir` and reports it. Repeating it is harmless.
pub(crate) async fn set_aside(bus: &Bus, spool_dir: &Path, record: Record, reason: &BusError) {
    bus.metrics().set_aside.inc();
    let (dir, id) = (spool_dir.join(FOLDER), record.id.clone());
    let written = tokio::task::spawn_blocking(move || write(&dir, &record)).await;
    match written.map_err(io::Error::other).and_then(|result| result) {
        Ok(path) => {
            error!(id, %reason, file = %path.display(), "JetStream never takes this call message; kept as a file")
        }
        Err(problem) => {
            bus.metrics().lost.inc();
            error!(id, %reason, error = %problem, "a call message is lost: JetStream never takes it, nor does the disk");
        }
    }
}

fn write(dir: &Path, record: &Record) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let path = dir.join(format!("{}.message", record.id.replace('/', "_")));
    let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&path)?;
    file.write_all(&record.payload)?;
    file.sync_all()?;
    File::open(dir)?.sync_all()?;
    Ok(path)
}
