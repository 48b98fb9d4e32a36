//! Files that are brought to a server, and who was how fast with them.

use std::{
    fmt, fs, io,
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use async_trait::async_trait;
use harness::cable::Cable;
use targets::{Content, Reader, Source};
use tokio::{
    io::AsyncSeekExt as _,
    runtime::{Builder, Runtime},
};

/// Bytes read at once, as the shipper reads staging.
const BLOCK: usize = 256 * 1024;

/// What is brought.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How many files.
    pub files: usize,
    /// Their length, bytes.
    pub bytes: usize,
    /// What the way adds to a round trip.
    pub delay: Duration,
}

impl Load {
    /// 200 MB in one file and in a thousand, here and `delay` milliseconds away; those with a number (from
    /// 1) in `which`, or all if there is none.
    pub fn usual(delay: u64, which: &[u8]) -> Vec<Self> {
        let ways = [Duration::ZERO, Duration::from_millis(delay)];
        let sizes = [(1, 200_000_000), (1000, 200_000)];
        let all = ways.into_iter().flat_map(|delay| sizes.map(|(files, bytes)| Self { files, bytes, delay }));
        let wanted = |number| which.is_empty() || which.contains(&number);
        (1..).zip(all).filter_map(|(number, load)| wanted(number).then_some(load)).collect()
    }

    /// How often each program brings it, in turns; the middle one counts. Many files over a long way, for
    /// which some take minutes and chance counts for little, once.
    pub(crate) fn passes(&self) -> usize {
        match (self.delay.is_zero(), self.files) {
            (true, _) => 5,
            (false, 1) => 3,
            (false, _) => 1,
        }
    }

    /// Writes the files into `folder`: bytes that do not compress. Each with what a target wants to know.
    pub(crate) fn lay_out(&self, folder: &Path) -> anyhow::Result<Vec<(String, Content)>> {
        fs::create_dir_all(folder)?;
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut bytes = vec![0; self.bytes];
        let mut contents = Vec::new();
        for number in 0..self.files {
            for word in bytes.chunks_mut(8) {
                // xorshift
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
            }
            let (name, sha256) = (format!("{number}.wav"), *Content::from_bytes(bytes.clone()).sha256());
            let path = folder.join(&name);
            fs::write(&path, &bytes)?;
            contents.push((name, Content::new(self.bytes as u64, sha256, Arc::new(File(path)))));
        }
        Ok(contents)
    }
}

struct File(PathBuf);

#[async_trait]
impl Source for File {
    async fn open(&self, offset: u64) -> io::Result<Reader> {
        let mut file = tokio::fs::File::open(&self.0).await?;
        file.set_max_buf_size(BLOCK);
        file.seek(io::SeekFrom::Start(offset)).await?;
        Ok(Box::pin(file))
    }
}

/// A cable to a server. A thread of its own carries, so that it takes as much from whoever runs in this
/// process as from the others.
pub(crate) struct Way {
    cable: Cable,
    carrying: Option<Runtime>,
}

impl Way {
    /// To this port of 127.0.0.1.
    pub(crate) async fn to(port: u16) -> anyhow::Result<Self> {
        let carrying = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let cable = carrying.spawn(Cable::to(port)).await??;
        Ok(Self { cable, carrying: Some(carrying) })
    }
}

impl Deref for Way {
    type Target = Cable;

    fn deref(&self) -> &Cable {
        &self.cable
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        // Waiting for it is not allowed in a task.
        if let Some(carrying) = self.carrying.take() {
            carrying.shutdown_background();
        }
    }
}

/// How long it took somebody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    /// Until it returned.
    returned: Duration,
    /// Until the server's file system was synced.
    pub(crate) durable: Duration,
}

impl Pass {
    /// One that began then and has just returned; waits until all that was written to the file system of
    /// `folder` is on its disk.
    pub(crate) fn over(begun: Instant, folder: &Path) -> anyhow::Result<Self> {
        let returned = begun.elapsed();
        let synced = Command::new("sync").arg("-f").arg(folder).status()?;
        ensure!(synced.success(), "sync -f fails");
        Ok(Self { returned, durable: begun.elapsed() })
    }

    /// The middle one of them.
    pub(crate) fn middle(mut passes: Vec<Self>) -> Option<Self> {
        passes.sort_by_key(|pass| pass.durable);
        passes.get(passes.len() / 2).copied()
    }
}

/// How long each of them took with a load.
#[derive(Debug)]
pub struct Row<W> {
    load: Load,
    took: Vec<(W, Pass)>,
}

impl<W: Copy + PartialEq> Row<W> {
    pub(crate) fn new(load: Load, took: Vec<(W, Vec<Pass>)>) -> Self {
        let middle = |(who, passes)| Some((who, Pass::middle(passes)?));
        Self { load, took: took.into_iter().filter_map(middle).collect() }
    }

    /// Whether everything that `who` brought was on the disk at least as soon as what each of `others` brought.
    pub(crate) fn is_as_fast(&self, who: W, others: &[W]) -> bool {
        let of = |who| self.took.iter().find(|took| took.0 == who).map(|took| took.1.durable);
        others.iter().all(|other| match (of(who), of(*other)) {
            (Some(own), Some(other)) => own <= other,
            // That one has not brought this load.
            (own, _) => own.is_some(),
        })
    }
}

impl<W: fmt::Display> fmt::Display for Row<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Load { files, bytes, delay } = self.load;
        writeln!(f, "{files} × {} kB, {delay:?} added to each round trip", bytes / 1000)?;
        for (who, Pass { returned, durable }) in &self.took {
            let rate = (files * bytes) as f64 / 1e6 / durable.as_secs_f64();
            let (returned, durable) = (returned.as_secs_f64(), durable.as_secs_f64());
            writeln!(f, "  {who:<22} {returned:>8.2} s, durable {durable:>8.2} s {rate:>8.1} MB/s")?;
        }
        Ok(())
    }
}
