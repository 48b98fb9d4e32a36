//! What keeps verification from saying anything.

use std::io;

/// Why an archive could not be verified. What is wrong *with* an archive is in the report instead.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Part of it would be left out, and with it whatever is wrong there.
    #[error("the archive cannot be listed in full")]
    Listing(#[source] io::Error),
    /// What does not fit into memory has to go somewhere.
    #[error("temporary files cannot be written or read; is there room in the folder for them (TMPDIR)?")]
    Temporary(#[source] io::Error),
    /// The file to resume from.
    #[error("the journal of the verification cannot be read or written")]
    Journal(#[source] io::Error),
}
