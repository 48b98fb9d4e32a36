//! A log as it is published over HTTP. There, nothing can be listed.

use std::io;

use attest::{AttestError, PublishedFiles};
use evidence::log::{LogFiles, SignedCheckpoint};
use tokio::runtime::Runtime;

/// A full entry bundle holds 256 entries of up to 64 KiB.
const LONGEST: usize = 32 * 1024 * 1024;

/// The files of a log below an address. It blocks: not for a thread of an async runtime.
pub(super) struct LogOverHttp {
    files: PublishedFiles,
    runtime: Runtime,
}

impl LogOverHttp {
    /// The log at an address that ends in `log/<tenant>`.
    ///
    /// # Errors
    /// This machine's TLS cannot be used.
    pub(super) fn new(address: &str) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { files: PublishedFiles::new(address)?, runtime })
    }
}

impl LogFiles for LogOverHttp {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let get = self.files.get(path, LONGEST);
        self.runtime.block_on(get).map_err(|error: AttestError| io::Error::other(error))
    }

    /// Statements are named after the keys that signed the newest checkpoint. Of copies of checkpoints
    /// nobody knows how many there are: those that an auditor has are compared.
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        if folder != "keys" {
            return Ok(Vec::new());
        }
        let newest = self.read("checkpoint")?.unwrap_or_default();
        let signed = SignedCheckpoint::parse(&newest).map_err(io::Error::other)?;
        let mut names = Vec::new();
        for signature in signed.signatures() {
            let name = format!("{:08x}.txt", signature.id());
            // Witnesses sign as well, and have no statement.
            if self.read(&format!("keys/{name}"))?.is_some() {
                names.push(name);
            }
        }
        Ok(names)
    }
}
