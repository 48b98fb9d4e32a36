//! The transparency log of the demo's tenant, as it lies in the archive.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use evidence::log::{LogProof, SignedCheckpoint};

use super::{archive::Files, resources::TENANT};

/// The log follows the recording into the archive within seconds.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// Where a recording stands in the log.
#[derive(Debug, Clone, Copy)]
pub struct Logged {
    /// The number of its entry, from 0.
    pub entry: u64,
    /// Entries that the signed checkpoint in the archive covers.
    pub size: u64,
}

/// Waits until the log in the archive covers the recording's entry.
///
/// # Errors
/// It does not in time.
pub async fn covers(data: &Path, recording: &str) -> anyhow::Result<Logged> {
    let archive = data.join("archive");
    let begun = Instant::now();
    loop {
        if let Ok(logged) = look(&archive, recording)
            && logged.entry < logged.size
        {
            return Ok(logged);
        }
        if begun.elapsed() > PATIENCE {
            bail!("after {PATIENCE:?} the log in the archive does not cover the recording");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn look(archive: &Path, recording: &str) -> anyhow::Result<Logged> {
    let proof = Files::find(archive, recording)?.read("_log-proof.txt")?;
    let checkpoint = std::fs::read(archive.join("log").join(TENANT).join("checkpoint"))
        .context("there is no log in the archive")?;
    let size = SignedCheckpoint::parse(&checkpoint)?.checkpoint.size;
    Ok(Logged { entry: LogProof::parse(&proof)?.index, size })
}
