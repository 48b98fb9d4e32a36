//! Verification of recordings and whole archives: files, hashes, signatures, chains.
//!
//! A recording is everything in one folder that begins with one base name. What is checked, in order:
//! the hash list names exactly its files and each has that hash; the signature over the list was made by
//! the key that the info names, by a certificate that is trusted; the info speaks of this recording; the
//! recordings of each lane stand in one chain without fork and hole.

mod archive;
mod finding;
mod keyring;
mod recording;

use std::collections::{BTreeMap, BTreeSet};

use domain::{Lane, RecordingId};
use jiff::Timestamp;

pub use self::{
    archive::{Archive, ArchiveFile, FileStamp, Folder, FolderError, Listed, walk},
    finding::{Finding, ProblemOfFile},
    keyring::{Keyring, UnusableCertificate},
};
use crate::{BaseName, ChainLink, ChainProblem, KeyId, chain};

/// What verification found out.
#[derive(Debug, Clone)]
pub struct Report {
    /// One entry a recording and folder, by name.
    pub recordings: Vec<RecordingReport>,
    /// One entry a lane.
    pub lanes: Vec<LaneReport>,
    /// Files beside recordings that belong to none: paths as [`ArchiveFile::path`].
    pub strays: Vec<String>,
}

/// One recording.
#[derive(Debug, Clone)]
pub struct RecordingReport {
    /// Whose files.
    pub recording: RecordingId,
    /// Their base name. Holds numbers.
    pub base: BaseName,
    /// Folder, as [`ArchiveFile::folder`].
    pub folder: String,
    /// The key that signed it, if its signature is good.
    pub signed_by: Option<KeyId>,
    /// What is wrong; nothing: all is well.
    pub findings: Vec<Finding>,
}

/// One lane.
#[derive(Debug, Clone)]
pub struct LaneReport {
    /// Which one.
    pub lane: Lane,
    /// How many different recordings of it are here.
    pub recordings: usize,
    /// Positions of the first and the last of them.
    pub positions: (u64, u64),
    /// Starts of the first and the last of them, as far as known.
    pub started: (Option<Timestamp>, Option<Timestamp>),
    /// How many stand before the first one here. They may lie elsewhere.
    pub missing_before: u64,
    /// What is wrong.
    pub problems: Vec<ChainProblem>,
}

impl Report {
    /// True if nothing is wrong. An archive without recordings is not wrong, but see
    /// [`recordings`](Self::recordings).
    pub fn is_good(&self) -> bool {
        self.strays.is_empty()
            && self.recordings.iter().all(|recording| recording.findings.is_empty())
            && self.lanes.iter().all(|lane| lane.problems.is_empty())
    }
}

/// Verifies all recordings in `archive` with the certificates in `keys`.
///
/// Nothing that the archive holds makes this fail: what cannot be read is a finding.
pub fn verify(archive: &dyn Archive, keys: &Keyring) -> Report {
    let (groups, strays) = group(archive);
    let mut recordings = Vec::new();
    let mut links: Vec<ChainLink> = Vec::new();
    for ((folder, base), files) in groups {
        let recording::Checked { findings, signed_by, link } = recording::check(archive, keys, &base, &files);
        links.extend(link);
        let recording = base.recording();
        recordings.push(RecordingReport { recording, base, folder, signed_by, findings });
    }
    recordings.sort_by(|a, b| (&a.base, &a.folder).cmp(&(&b.base, &b.folder)));
    let lanes = lanes(&recordings, links);
    Report { recordings, lanes, strays }
}

type Groups = BTreeMap<(String, BaseName), Vec<ArchiveFile>>;

/// Files by folder and base name; and what lies beside recordings and belongs to none.
fn group(archive: &dyn Archive) -> (Groups, Vec<String>) {
    let mut groups = Groups::new();
    let mut others = Vec::new();
    let _unreadable = walk(archive, "", &mut |file| match BaseName::split_file(file.name()) {
        Some((base, _)) => groups.entry((file.folder().to_owned(), base)).or_default().push(file),
        None => others.push(file),
    });
    let folders: BTreeSet<&str> = groups.keys().map(|(folder, _)| folder.as_str()).collect();
    let stray = |file: &ArchiveFile| folders.contains(file.folder()) && !belongs_to_archive(file.name());
    let strays = others.iter().filter(|file| stray(file)).map(|file| file.path().to_owned()).collect();
    (groups, strays)
}

/// What may lie beside recordings: certificates, means of verification, and what file managers leave.
fn belongs_to_archive(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower.ends_with(".pem")
        || lower.ends_with(".crt")
        || lower.starts_with("readme")
        || matches!(lower.as_str(), "verify.sh" | "thumbs.db" | "desktop.ini" | ".ds_store" | ".directory")
}

fn lanes(recordings: &[RecordingReport], links: Vec<ChainLink>) -> Vec<LaneReport> {
    let started: BTreeMap<RecordingId, Timestamp> =
        recordings.iter().map(|report| (report.recording, report.base.started())).collect();
    let chains = chain::check(links).into_iter();
    chains
        .map(|chain| {
            let missing_before = chain.missing_before();
            let ids: BTreeSet<RecordingId> = chain.links.iter().map(|link| link.recording).collect();
            let ends = (chain.links.first(), chain.links.last());
            let position = |link: Option<&ChainLink>| link.map_or(0, |link| link.position);
            let start =
                |link: Option<&ChainLink>| link.and_then(|link| started.get(&link.recording).copied());
            LaneReport {
                lane: chain.lane,
                recordings: ids.len(),
                positions: (position(ends.0), position(ends.1)),
                started: (start(ends.0), start(ends.1)),
                missing_before,
                problems: chain.problems.into_iter().map(|problem| unplaced(problem, &started)).collect(),
            }
        })
        .collect()
}

/// A recording whose info cannot be trusted is missing from the chain, but not from the archive.
fn unplaced(problem: ChainProblem, here: &BTreeMap<RecordingId, Timestamp>) -> ChainProblem {
    match problem {
        ChainProblem::MissingOne { position, recording, .. } if here.contains_key(&recording) => {
            ChainProblem::Unplaced { position, recording }
        }
        other => other,
    }
}
