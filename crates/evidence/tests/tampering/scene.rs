//! The archive that is tampered with, and copies of it.

use crate::logged::{Call, Making, Sealed};
use crate::provable::TestLogKey;
use crate::signed::{TestKey, recording, run};
use domain::Class;
use evidence::Section;
use evidence::log::SignedCheckpoint;
use evidence::verify::{Folder, Keyring, Options, Report, verify_with};
use jiff::{SignedDuration, Timestamp};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub(crate) const VAULT: &[&str] = &["vault"];
pub(crate) const BOTH: &[&str] = &["vault", "cloud"];
pub(crate) const CLOUD: &[&str] = &["cloud"];

/// Which recordings there are, in their order.
pub(crate) const CALLS: [Call<'_>; 10] = {
    const fn call(
        number: u32,
        class: Class,
        targets: &'static [&'static str],
        year: &'static str,
    ) -> Call<'static> {
        Call { number, class, targets, year }
    }
    use Class::{Consent, Regulated};
    [
        call(1, Regulated, VAULT, "2025"),
        call(2, Consent, BOTH, "2025"),
        call(3, Regulated, VAULT, "2025"),
        call(4, Regulated, CLOUD, "2025"),
        call(5, Regulated, VAULT, "2026"),
        call(6, Consent, VAULT, "2026"),
        call(7, Regulated, VAULT, "2026"),
        call(8, Consent, CLOUD, "2026"),
        call(9, Regulated, BOTH, "2026"),
        call(10, Consent, VAULT, "2026"),
    ]
};
/// Lawfully deleted: in the middle of its lane.
pub(crate) const DELETED: u32 = 7;
/// Went to another target alone.
pub(crate) const ELSEWHERE: [u32; 2] = [4, 8];

/// The archive as it should be, and what is needed to make others like it.
pub(crate) struct Whole {
    pub(crate) top: tempfile::TempDir,
    pub(crate) sealed: Vec<Sealed>,
    /// The log's checkpoint after each recording, and the last one.
    pub(crate) checkpoints: Vec<SignedCheckpoint>,
    pub(crate) start: Timestamp,
    pub(crate) key: TestKey,
    pub(crate) other_key: TestKey,
    pub(crate) log_key: Arc<TestLogKey>,
}

impl Whole {
    /// Entries in the log.
    pub(crate) fn size(&self) -> u64 {
        self.checkpoints.last().unwrap().checkpoint.size
    }
}

static WHOLE: OnceLock<Whole> = OnceLock::new();

/// Two days ago: nothing is on its way any more.
pub(crate) fn start() -> Timestamp {
    let ago = Timestamp::now() - SignedDuration::from_hours(48);
    Timestamp::from_second(ago.as_second()).unwrap()
}

pub(crate) fn whole() -> &'static Whole {
    WHOLE.get_or_init(|| {
        let top = tempfile::tempdir().unwrap();
        let (key, other_key) = (TestKey::new(), TestKey::new());
        let start = start();
        let log_key = crate::logged::log_key("0a1b2c3d");
        let mut making = Making::new(top.path(), &key, Arc::clone(&log_key), start);
        let checkpoints = fill(&mut making, &key);
        let sealed = making.sealed;
        Whole { top, sealed, checkpoints, start, key, other_key, log_key }
    })
}

/// All calls, what went elsewhere taken away, the deletion, an hour of nothing.
pub(crate) fn fill(making: &mut Making, key: &TestKey) -> Vec<SignedCheckpoint> {
    let mut checkpoints = Vec::new();
    for call in CALLS {
        making.call(key, call);
        let newest = fs::read(making.top.join("log/acme/checkpoint")).unwrap();
        checkpoints.push(SignedCheckpoint::parse(&newest).unwrap());
    }
    making.deleted(recording(DELETED), VAULT);
    for number in ELSEWHERE.into_iter().chain([DELETED]) {
        remove(&making.sealed[number as usize - 1]);
    }
    checkpoints.push(making.heartbeat());
    checkpoints
}

pub(crate) fn remove(sealed: &Sealed) {
    sealed.files().iter().for_each(|path| fs::remove_file(path).unwrap());
}

/// A copy to be damaged.
pub(crate) struct Copy {
    pub(crate) top: tempfile::TempDir,
    pub(crate) options: Options,
    /// Instead of the certificates that lie in the archive.
    pub(crate) trusted: Option<Keyring>,
}

impl Copy {
    pub(crate) fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        run("cp", &["-R", ".", top.path().to_str().unwrap()], whole().top.path());
        Self { top, options: Options::default(), trusted: None }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.top.path().join(relative)
    }

    /// The recording of this number, from 1, in the copy.
    pub(crate) fn sealed(&self, number: u32) -> Sealed {
        let sealed = whole().sealed[number as usize - 1].clone();
        let year = sealed.folder.strip_prefix(whole().top.path()).unwrap();
        Sealed { folder: self.top.path().join(year), ..sealed }
    }

    pub(crate) fn file(&self, number: u32, section: Section) -> PathBuf {
        self.sealed(number).file(section)
    }

    pub(crate) fn statement(&self) -> PathBuf {
        let mut files = fs::read_dir(self.path("log/acme/keys")).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().unwrap() == "txt").unwrap()
    }

    pub(crate) fn verify(&mut self) -> Report {
        let mut archive = Folder::new();
        archive.add(self.top.path()).unwrap();
        let mut keys = Keyring::new();
        keys.add_from(&archive);
        verify_with(&archive, self.trusted.as_ref().unwrap_or(&keys), &mut self.options).unwrap()
    }
}

/// Everything that is wrong, in words.
pub(crate) fn said(report: &Report) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for recording in &report.recordings {
        said.extend(recording.findings.iter().map(|finding| format!("{}: {finding}", recording.recording)));
    }
    said.extend(report.strays.iter().map(|stray| format!("{stray}: belongs to no recording")));
    for lane in &report.lanes {
        let name = &lane.lane;
        said.extend(lane.problems.first.iter().map(|problem| format!("{name}: {problem}")));
        said.extend(lane.absent.missing.first.iter().map(|missing| format!("{name}: {missing} is MISSING")));
        said.extend(lane.not_in_log.first.iter().map(|id| format!("{name}: {id} is not in the log")));
    }
    for archive in &report.archives {
        said.extend(archive.findings.first.iter().map(ToString::to_string));
        for log in &archive.logs {
            said.extend(log.findings.first.iter().map(|finding| format!("log: {finding}")));
        }
    }
    let not_here = report.logs_not_here.iter();
    said.extend(not_here.map(|log| format!("the log {log}, of which a checkpoint was given, is not here")));
    assert_eq!(said.is_empty(), report.is_good(), "{said:?}");
    said
}
