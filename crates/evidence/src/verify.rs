//! Verification of recordings and whole archives: files, hashes, signatures, chains, logs.
//!
//! A recording is everything in one folder that begins with one base name. What is checked, in order:
//!
//! 1. [`Inventory`]: what lies where. A folder with `archive.txt` or `log/<tenant>/` is an *archive*.
//! 2. Each recording by itself (`recording`): the hash list names exactly its files and each has that
//!    hash; the signature over the list was made by the key that the info names, by a certificate that
//!    is trusted; the info speaks of this recording; its log proof names exactly this hash list,
//!    signature, lane and position, and leads to a checkpoint of a certified log key; its time stamp
//!    leads to an authority.
//! 3. Each archive's logs (`log`): statement → log key → checkpoint → entries → root; compared with the
//!    checkpoints that recordings and the auditor hold, and with time stamps.
//! 4. Log and recordings together (`index`), then along the lanes (`lanes`): one chain without fork and
//!    hole; and of each recording that the log knows and that is not here, why: *elsewhere*, *lawfully
//!    deleted*, *expired* from the beginning, *on its way*, else **missing**.
//!
//! Time grows with the bytes to read (and, for sorting, hardly more than with the number of recordings),
//! memory does not grow: what has to be compared across recordings is sorted in temporary files
//! (`sorter`), and reports keep the first thousand findings of a kind and count the others.

mod archive;
mod error;
mod finding;
mod index;
mod inventory;
mod journal;
mod keyring;
mod known;
mod lanes;
mod log;
mod options;
mod packed;
mod proof;
mod recording;
mod report;
mod run;
mod sorter;

use self::run::Collecting;
pub use self::{
    archive::{
        Archive, ArchiveFile, FileStamp, Folder, FolderError, Listed, folder_path, open_regular, walk,
    },
    error::VerifyError,
    finding::{Finding, ProblemOfFile},
    inventory::Inventory,
    journal::{Journal, JournalFile},
    keyring::{Keyring, UnusableCertificate},
    log::{LogFinding, LogHead, LogReport, Stamps},
    options::{Observer, Options, PartOf},
    report::{
        Absences, AbsentRecording, ArchiveFinding, ArchiveReport, Deletion, Expired, FirstOf, LaneReport,
        ProofOutcome, RecordingReport, Report, StampOutcome, Summary,
    },
    run::{certified_log_keys, verify_each},
};

/// Verifies all recordings in `archive` with the certificates in `keys`, and collects what it finds:
/// for archives that fit into memory. [`verify_each`] is for all others.
///
/// # Errors
/// Nothing that the archive holds: what is wrong or cannot be read is a finding. See [`VerifyError`].
pub fn verify(archive: &dyn Archive, keys: &Keyring) -> Result<Report, VerifyError> {
    verify_with(archive, keys, &mut Options::default())
}

/// As [`verify`], with options.
///
/// # Errors
/// See [`VerifyError`].
pub fn verify_with(
    archive: &dyn Archive,
    keys: &Keyring,
    options: &mut Options,
) -> Result<Report, VerifyError> {
    let inventory = Inventory::take(archive, |_| ())?;
    let mut collecting = Collecting::default();
    let Summary { lanes, archives, logs_not_here, unfinished, links_out, .. } =
        verify_each(archive, inventory, keys, options, &mut collecting)?;
    let Collecting { mut recordings, strays } = collecting;
    recordings.sort_by(|a, b| (&a.base, &a.folder).cmp(&(&b.base, &b.folder)));
    Ok(Report { recordings, strays, lanes, archives, logs_not_here, unfinished, links_out })
}
