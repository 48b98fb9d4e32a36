//! Verification of a small and a large archive: how long each recording takes, and how much memory.

use std::{fmt, path::Path, process::Command, time::Duration};

use anyhow::{Context, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;
use tokio::time::Instant;

use crate::archive::LargeArchive;

/// A recording of the large archive may take so much longer than one of the small (in hundredths):
/// merging what does not fit into memory, a page cache that holds less of it, and whatever else the
/// machine does meanwhile. Where time grew with the square, it would be ten times as long.
const LONGER: u128 = 200;
/// And all of them so much more memory.
const MORE: u64 = 125;

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Recordings that were verified.
    pub recordings: u64,
    /// How long it took.
    pub took: Duration,
    /// Most memory that any run until then had, bytes.
    pub peak: u64,
}

/// A small and a large one.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// A tenth.
    pub small: Run,
    /// All.
    pub large: Run,
}

/// Makes an archive of `recordings` in `folder` and verifies it, at a tenth of its size and at its end.
///
/// # Errors
/// It cannot be made, or verification finds fault with it.
pub fn run(folder: &Path, recordings: u64) -> anyhow::Result<Outcome> {
    let top = folder.join("archive");
    let mut archive = LargeArchive::new(&top)?;
    archive.grow_to(recordings / 10)?;
    let small = verify(&top, archive.here)?;
    archive.grow_to(recordings)?;
    let large = verify(&top, archive.here)?;
    Ok(Outcome { small, large })
}

fn verify(top: &Path, recordings: u64) -> anyhow::Result<Run> {
    let began = Instant::now();
    let output =
        Command::new(harness::programs::own("callseal")?).args(["verify", "--json"]).arg(top).output()?;
    let took = began.elapsed();
    let report: Value = serde_json::from_slice(&output.stdout).context("no JSON")?;
    ensure!(output.status.success(), "it is not good: {}, {}", report["lanes"], report["archives"]);
    ensure!(report["summary"]["recordings"] == recordings, "{}", report["summary"]);
    // Kibibytes. It is the most of all children so far: the small archive comes first.
    let peak = u64::try_from(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss())? << 10;
    Ok(Run { recordings, took, peak })
}

impl Run {
    fn each(&self) -> Duration {
        self.took / u32::try_from(self.recordings.max(1)).unwrap_or(u32::MAX)
    }
}

impl Outcome {
    /// True if time is linear and memory is flat.
    pub fn is_flat(&self) -> bool {
        self.large.each().as_nanos() * 100 <= self.small.each().as_nanos() * LONGER
            && self.large.peak * 100 <= self.small.peak * MORE
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in [self.small, self.large] {
            let Run { recordings, took, peak } = run;
            let (each, peak) = (run.each().as_micros(), peak >> 20);
            writeln!(
                f,
                "{recordings} recordings verified in {took:.1?}: {each} µs each, {peak} MiB at most"
            )?;
        }
        f.write_str(if self.is_flat() { "time is linear, memory is flat" } else { "NOT LINEAR or NOT FLAT" })
    }
}
