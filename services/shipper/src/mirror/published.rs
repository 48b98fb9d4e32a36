//! The published log of a tenant, as it lies in staging.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use domain::TenantId;
use evidence::{
    Sha256Hash,
    log::{
        LogFiles, SignedCheckpoint,
        tiles::{TreeError, root_at},
    },
};

use super::edge;
use crate::staging::Staging;

/// Files of a smaller time may have come within the tick of the file system's clock.
const CLOCK_TICK: Duration = Duration::from_secs(1);
/// How often the signer may publish a further checkpoint while this one is read.
const MOST_OVERTAKEN: u32 = 20;

/// Where it lies.
pub struct Published {
    log: PathBuf,
    certificates: PathBuf,
    own_certificates: PathBuf,
}

/// When the log last changed, as its folders say: the cheapest thing to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp([Option<SystemTime>; 5]);

impl Stamp {
    /// True if everything that this stamp speaks of had been written when it was taken.
    pub fn is_settled(&self, now: SystemTime) -> bool {
        let past = |at: &SystemTime| now.duration_since(*at).is_ok_and(|age| age > CLOCK_TICK);
        self.0.iter().flatten().all(past)
    }
}

/// A checkpoint with everything that the signer will remove when the next one is there.
pub struct Snapshot {
    /// The file `checkpoint`.
    pub checkpoint: Vec<u8>,
    /// What it says.
    pub head: evidence::log::Checkpoint,
    /// Paths and contents of the partial tiles and the partial bundle.
    pub partial: Vec<(String, Vec<u8>)>,
    log: PathBuf,
}

impl Snapshot {
    /// The root that this tree had when it held `size` entries, proven by its tiles.
    ///
    /// # Errors
    /// It was never that small, or its tiles cannot be read or are not its own.
    pub async fn root_at(&self, size: u64) -> Result<Sha256Hash, TreeError> {
        let files = Tiles { partial: self.partial.iter().cloned().collect(), log: self.log.clone() };
        let head = self.head.clone();
        let root = tokio::task::spawn_blocking(move || root_at(&files, &head, size));
        root.await.unwrap_or_else(|panic| Err(TreeError::Read("tile".to_owned(), io::Error::other(panic))))
    }
}

/// The tiles of a snapshot: full ones stay in staging, partial ones were read.
struct Tiles {
    partial: BTreeMap<String, Vec<u8>>,
    log: PathBuf,
}

impl LogFiles for Tiles {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.partial.get(path) {
            return Ok(Some(bytes.clone()));
        }
        match fs::read(self.log.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// Tiles are asked for by their names.
    fn list(&self, _folder: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

impl Published {
    /// The log of a tenant. `None` if the tenant has no name that a folder could have.
    pub fn new(staging: &Staging, tenant: &TenantId) -> Option<Self> {
        let log = staging.folder(&format!("log/{tenant}"))?;
        let certificates = staging.folder("certificates")?;
        Some(Self { log, own_certificates: certificates.join(tenant.as_str()), certificates })
    }

    /// When it last changed; `None` if nothing is published.
    pub async fn stamp(&self) -> Option<Stamp> {
        let modified = async |path: &Path| tokio::fs::metadata(path).await.ok()?.modified().ok();
        let checkpoint = modified(&self.log.join("checkpoint")).await?;
        // Copies and time stamps of checkpoints, statements and certificates come as new files.
        Some(Stamp([
            Some(checkpoint),
            modified(&self.log.join("checkpoints")).await,
            modified(&self.log.join("keys")).await,
            modified(&self.certificates).await,
            modified(&self.own_certificates).await,
        ]))
    }

    /// The newest checkpoint, whole. The signer publishes tiles before the checkpoint and removes them
    /// when the next one is there: who finds one missing was overtaken and begins again.
    ///
    /// # Errors
    /// A file cannot be read, or is no checkpoint.
    pub async fn snapshot(&self) -> io::Result<Snapshot> {
        let mut overtaken = 0;
        loop {
            let checkpoint = self.read("checkpoint").await?;
            let head = SignedCheckpoint::parse(&checkpoint).map_err(io::Error::other)?.checkpoint;
            match self.partial(head.size).await {
                Ok(partial) => {
                    return Ok(Snapshot { checkpoint, head, partial, log: self.log.clone() });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && overtaken < MOST_OVERTAKEN => {
                    overtaken += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn partial(&self, size: u64) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut files = Vec::new();
        for path in edge::partial(size) {
            let bytes = self.read(&path).await?;
            files.push((path, bytes));
        }
        Ok(files)
    }

    /// A file, by its path in the log.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        tokio::fs::read(self.log.join(path)).await
    }

    /// Bytes of a file, by its path in the log.
    ///
    /// # Errors
    /// It is not there, or cannot be looked at.
    pub async fn size(&self, path: &str) -> io::Result<u64> {
        Ok(tokio::fs::metadata(self.log.join(path)).await?.len())
    }

    /// Names of the files directly in a folder of the log, sorted; none if it is not there. What the
    /// signer has not finished writing is left out.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut entries = match tokio::fs::read_dir(self.log.join(folder)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name().into_string().ok();
            names.extend(name.filter(|name| !name.contains('#')));
        }
        names.sort();
        Ok(names)
    }
}
