//! What lies in an archive folder: recordings, found and read as an auditor would.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::wait;

/// One recording in an archive.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The folder its files lie in.
    pub folder: PathBuf,
    /// File name without ending.
    pub base: String,
}

impl Recording {
    /// A file of it by its ending, such as `.wav` or `_info.txt`.
    pub fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{ending}", self.base))
    }

    /// `_info.txt` as keys and values.
    ///
    /// # Errors
    /// The file is missing.
    pub fn info(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let text = fs::read_to_string(self.file("_info.txt"))?;
        let pairs = text.lines().filter_map(|line| line.split_once(": "));
        Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    /// The channels of the audio file, bytes as stored.
    ///
    /// # Errors
    /// The file is missing or no WAVE file.
    pub fn channels(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut file = fs::File::open(self.file(".wav"))?;
        Ok(media::wav::read_channels(&mut file)?.1)
    }

    /// Checks hashes and signature with `sha256sum` and `openssl` alone.
    ///
    /// # Errors
    /// One of them refuses; its words are in the text.
    pub fn check_with_plain_tools(&self, certificate: &Path) -> anyhow::Result<()> {
        let script = r#"
            sha256sum --quiet --strict -c "$1_hash.txt"
            public=$(mktemp); raw=$(mktemp); trap 'rm -f "$public" "$raw"' EXIT
            openssl x509 -in "$2" -noout -pubkey > "$public"
            base64 -d "$1_hash.SHA256withRSA.sig" > "$raw"
            openssl dgst -sha256 -verify "$public" -signature "$raw" "$1_hash.txt"
        "#;
        let mut shell = Command::new("sh");
        shell.args(["-ec", script, "sh", &self.base]).arg(certificate).current_dir(&self.folder);
        let checked = shell.output()?;
        let said = [checked.stdout, checked.stderr].concat();
        ensure!(checked.status.success(), "{}", String::from_utf8_lossy(&said));
        Ok(())
    }
}

/// All complete recordings below a folder, oldest first: those whose proof of the log is there, the last
/// file to come but for a time stamp.
///
/// # Errors
/// The folder cannot be read.
pub fn find(archive: &Path) -> anyhow::Result<Vec<Recording>> {
    const LAST: &str = "_log-proof.txt";
    let mut found = Vec::new();
    let mut folders = vec![archive.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().into_string().ok().context("a file name is not UTF-8")?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if let Some(base) = name.strip_suffix(LAST) {
                found.push(Recording { folder: folder.clone(), base: base.to_owned() });
            }
        }
    }
    found.sort_by(|a, b| a.base.cmp(&b.base));
    Ok(found)
}

/// Waits until the archive holds at least `count` complete recordings.
///
/// # Errors
/// It does not within `deadline`.
pub async fn wait_for(archive: &Path, count: usize, deadline: Duration) -> anyhow::Result<Vec<Recording>> {
    wait::until(&format!("{count} recordings in the archive"), deadline, || async {
        find(archive).ok().filter(|found| found.len() >= count)
    })
    .await
    .with_context(|| format!("there are {:?}", find(archive).map(|found| found.len())))
}

/// How often `needle` stands in `hay`: audio that was sent once must stand there once.
pub fn occurrences(hay: &[u8], needle: &[u8]) -> usize {
    if needle.is_empty() || hay.len() < needle.len() {
        return 0;
    }
    hay.windows(needle.len()).filter(|window| *window == needle).count()
}
