//! Verification of a small and a large archive: how long each recording takes, and how much memory.

use std::{
    fmt,
    io::{BufReader, Seek},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::time::Instant;

use crate::{archive::LargeArchive, cpu};

/// A recording of the large archive may take so much longer than one of the small (in hundredths):
/// merging what does not fit into memory, a page cache that holds less of it, and whatever else the
/// machine does meanwhile. Where time grew with the square, it would be ten times as long.
const LONGER: u128 = 200;
/// And all of them so much more memory: buffers for sorting that ten thousand do not fill. Where memory
/// grew with the recordings, it would be ten times as much.
const MORE: u64 = 150;
/// How often it is looked how much memory there is in use.
const LOOK: Duration = Duration::from_millis(20);

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Recordings that were verified.
    pub recordings: u64,
    /// How long it took.
    pub took: Duration,
    /// Most memory of its own that it was seen with, bytes: without the pages of the program itself,
    /// which would hide what grows. (Not `ru_maxrss`: that begins with what the parent had.)
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
    let mut printed = tempfile::tempfile()?;
    let began = Instant::now();
    let mut callseal = Command::new(harness::programs::own("callseal")?)
        .args(["verify", "--json"])
        .arg(top)
        .stdout(printed.try_clone()?)
        .spawn()?;
    let mut peak = 0;
    let ended = loop {
        // Between its last moment and its end there is nothing to read.
        peak = peak.max(cpu::anonymous(callseal.id()).unwrap_or(0));
        match callseal.try_wait()? {
            Some(ended) => break ended,
            None => thread::sleep(LOOK),
        }
    };
    let took = began.elapsed();
    printed.rewind()?;
    let report: Value = serde_json::from_reader(BufReader::new(printed)).context("no JSON")?;
    ensure!(ended.success(), "it is not good: {}, {}", report["lanes"], report["archives"]);
    ensure!(report["summary"]["recordings"] == recordings, "{}", report["summary"]);
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
