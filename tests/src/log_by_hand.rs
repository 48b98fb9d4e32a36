//! A transparency log as it lies in a folder, read by hand: the formats are those of C2SP tlog-checkpoint
//! and tlog-tiles, none of the project's own code has part in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

/// Entries in a full bundle.
const WIDTH: u64 = 256;

/// The folder `log/<tenant>` of an archive or of staging.
#[derive(Debug, Clone)]
pub struct LogByHand(PathBuf);

impl LogByHand {
    /// The log of `tenant` at this place.
    pub fn at(place: &Path, tenant: &str) -> Self {
        Self(place.join("log").join(tenant))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The newest checkpoint, as it is.
    ///
    /// # Errors
    /// There is none.
    pub fn checkpoint(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.0.join("checkpoint"))?)
    }

    /// How many entries the newest checkpoint covers.
    ///
    /// # Errors
    /// There is none.
    pub fn size(&self) -> anyhow::Result<u64> {
        size_of(&self.checkpoint()?)
    }

    /// All entries that the newest checkpoint covers, as texts.
    ///
    /// # Errors
    /// There is none, or a bundle is missing or cut.
    pub fn entries(&self) -> anyhow::Result<Vec<String>> {
        let size = self.size()?;
        ensure!(size < WIDTH * 1_000, "a log of a test is not that large");
        let mut entries = Vec::new();
        for bundle in 0..size.div_ceil(WIDTH) {
            let partial = match size - bundle * WIDTH {
                rest if rest < WIDTH => format!(".p/{rest}"),
                _ => String::new(),
            };
            let bytes = fs::read(self.0.join(format!("tile/entries/{bundle:03}{partial}")))?;
            let mut rest = bytes.as_slice();
            while let Some((length, behind)) = rest.split_first_chunk() {
                let length = usize::from(u16::from_be_bytes(*length));
                let (entry, behind) = behind.split_at_checked(length).context("a bundle is cut")?;
                entries.push(std::str::from_utf8(entry)?.to_owned());
                rest = behind;
            }
        }
        ensure!(entries.len() as u64 == size, "{} entries, not {size}", entries.len());
        Ok(entries)
    }

    /// The public keys of the log, as its statements give them: the oldest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn keys(&self) -> anyhow::Result<Vec<String>> {
        let mut keys = Vec::new();
        for entry in fs::read_dir(self.0.join("keys"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "txt") {
                let text = fs::read_to_string(path)?;
                let from = value(&text, "From").map(str::to_owned);
                keys.extend(value(&text, "LogKey").map(|key| (from, key.to_owned())));
            }
        }
        keys.sort();
        Ok(keys.into_iter().map(|(_, key)| key).collect())
    }
}

/// How many entries a checkpoint covers: its second line.
///
/// # Errors
/// It is no checkpoint.
pub fn size_of(checkpoint: &str) -> anyhow::Result<u64> {
    Ok(checkpoint.lines().nth(1).context("the checkpoint has no second line")?.parse()?)
}

/// The value of a key in a text of `Key: value` lines.
pub fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
}
