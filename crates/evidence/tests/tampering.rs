//! Every kind of tampering with a whole archive, each found and named; and what is no tampering, each
//! verified clean and said.
//!
//! The archive: target `vault` of tenant acme, two years, two lanes (one of them also, or only, for
//! another target), ten recordings, a log with a checkpoint after each, one recording lawfully deleted.

mod logged;
#[path = "logged/authority.rs"]
mod logged_authority;
#[allow(dead_code, reason = "other tests use more of it")]
mod provable;
mod signed;

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

use domain::Class;
use evidence::{
    Section,
    log::{
        SignedCheckpoint, What,
        tiles::{split_bundle, write_bundle},
    },
    verify::{Archive, Folder, Journal, Keyring, Listed, Options, Report, verify_with},
};
use jiff::{SignedDuration, Timestamp};
use logged::{Call, Making, Sealed, TestLog, seal, write};
use logged_authority::Authority;
use provable::TestLogKey;
use signed::{TestKey, info, recording, run};

const VAULT: &[&str] = &["vault"];
const BOTH: &[&str] = &["vault", "cloud"];
const CLOUD: &[&str] = &["cloud"];

/// Which recordings there are, in their order.
const CALLS: [Call<'_>; 10] = {
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
const DELETED: u32 = 7;
/// Went to another target alone.
const ELSEWHERE: [u32; 2] = [4, 8];

/// The archive as it should be, and what is needed to make others like it.
struct Whole {
    top: tempfile::TempDir,
    sealed: Vec<Sealed>,
    /// The log's checkpoint after each recording, and the last one.
    checkpoints: Vec<SignedCheckpoint>,
    start: Timestamp,
    key: TestKey,
    other_key: TestKey,
    log_key: Arc<TestLogKey>,
}

impl Whole {
    /// Entries in the log.
    fn size(&self) -> u64 {
        self.checkpoints.last().unwrap().checkpoint.size
    }
}

static WHOLE: OnceLock<Whole> = OnceLock::new();

/// Two days ago: nothing is on its way any more.
fn start() -> Timestamp {
    let ago = Timestamp::now() - SignedDuration::from_hours(48);
    Timestamp::from_second(ago.as_second()).unwrap()
}

fn whole() -> &'static Whole {
    WHOLE.get_or_init(|| {
        let top = tempfile::tempdir().unwrap();
        let (key, other_key) = (TestKey::new(), TestKey::new());
        let start = start();
        let log_key = logged::log_key("0a1b2c3d");
        let mut making = Making::new(top.path(), &key, Arc::clone(&log_key), start);
        let checkpoints = fill(&mut making, &key);
        let sealed = making.sealed;
        Whole { top, sealed, checkpoints, start, key, other_key, log_key }
    })
}

/// All calls, what went elsewhere taken away, the deletion, an hour of nothing.
fn fill(making: &mut Making, key: &TestKey) -> Vec<SignedCheckpoint> {
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

fn remove(sealed: &Sealed) {
    sealed.files().iter().for_each(|path| fs::remove_file(path).unwrap());
}

/// A copy to be damaged.
struct Copy {
    top: tempfile::TempDir,
    options: Options,
    /// Instead of the certificates that lie in the archive.
    trusted: Option<Keyring>,
}

impl Copy {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        run("cp", &["-R", ".", top.path().to_str().unwrap()], whole().top.path());
        Self { top, options: Options::default(), trusted: None }
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.top.path().join(relative)
    }

    /// The recording of this number, from 1, in the copy.
    fn sealed(&self, number: u32) -> Sealed {
        let sealed = whole().sealed[number as usize - 1].clone();
        let year = sealed.folder.strip_prefix(whole().top.path()).unwrap();
        Sealed { folder: self.top.path().join(year), ..sealed }
    }

    fn file(&self, number: u32, section: Section) -> PathBuf {
        self.sealed(number).file(section)
    }

    fn statement(&self) -> PathBuf {
        let mut files = fs::read_dir(self.path("log/acme/keys")).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().unwrap() == "txt").unwrap()
    }

    fn verify(&mut self) -> Report {
        let mut archive = Folder::new();
        archive.add(self.top.path()).unwrap();
        let mut keys = Keyring::new();
        keys.add_from(&archive);
        verify_with(&archive, self.trusted.as_ref().unwrap_or(&keys), &mut self.options).unwrap()
    }
}

/// Everything that is wrong, in words.
fn said(report: &Report) -> Vec<String> {
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

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn swap(a: &Path, b: &Path) {
    let (first, second) = (fs::read(a).unwrap(), fs::read(b).unwrap());
    fs::write(a, second).unwrap();
    fs::write(b, first).unwrap();
}

fn replace_log(copy: &Copy, by: &Path) {
    fs::remove_dir_all(copy.path("log")).unwrap();
    run("cp", &["-R", by.to_str().unwrap(), copy.path("log").to_str().unwrap()], Path::new("/"));
}

/// The copy becomes this archive.
fn turn_into(copy: &Copy, making: &Making) {
    fs::remove_dir_all(copy.top.path()).unwrap();
    run("cp", &["-R", making.top.to_str().unwrap(), copy.top.path().to_str().unwrap()], Path::new("/"));
}

/// No log, and nothing that tells of one.
fn strip(copy: &mut Copy) {
    fs::remove_dir_all(copy.path("log")).unwrap();
    for call in CALLS {
        let _not_here = fs::remove_file(copy.file(call.number, Section::LogProof));
    }
}

/// The copy becomes an archive with a change of key.
fn rotated(copy: &mut Copy) {
    let (_top, mut making) = again([1, 3]);
    making.rotate(&whole().other_key, &whole().key);
    making.heartbeat();
    turn_into(copy, &making);
}

fn change_of_key(copy: &Copy) -> PathBuf {
    let files = fs::read_dir(copy.path("log/acme/keys")).unwrap().map(|entry| entry.unwrap().path());
    let mut texts = files.filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
    texts.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("change-")).unwrap()
}

/// The archive in the making, up to and with the call of this number, by the same keys.
fn again(calls: impl IntoIterator<Item = u32>) -> (tempfile::TempDir, Making) {
    let whole = whole();
    let top = tempfile::tempdir().unwrap();
    let mut making = Making::new(top.path(), &whole.key, Arc::clone(&whole.log_key), whole.start);
    for number in calls {
        making.call(&whole.key, CALLS[number as usize - 1]);
    }
    (top, making)
}

/// The text of an entry of the log, changed in its bundle; the tiles stay.
fn change_entry(copy: &Copy, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let path = bundle(copy);
    let bytes = fs::read(&path).unwrap();
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
    fs::write(&path, [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()).unwrap();
}

fn bundle(copy: &Copy) -> PathBuf {
    let mut files = fs::read_dir(copy.path("log/acme/tile/entries/000.p")).unwrap();
    files.next().unwrap().unwrap().path()
}

fn reorder_entries(copy: &mut Copy) {
    let path = bundle(copy);
    let bytes = fs::read(&path).unwrap();
    let mut entries: Vec<&[u8]> = split_bundle(&bytes).0;
    entries.swap(3, 6);
    fs::write(&path, write_bundle(entries).unwrap()).unwrap();
}

/// One kind of tampering, and what has to be said of it.
type Row = (&'static str, fn(&mut Copy), &'static str);

const ROWS: &[Row] = &[
    // Files of a recording.
    ("a byte of the audio", |copy| flip(&copy.file(1, Section::STEREO)), "changed since it was signed"),
    (
        "a byte of the info",
        |copy| flip(&copy.file(3, Section::Info)),
        "_info.txt: changed since it was signed",
    ),
    (
        "a byte of the journal text",
        |copy| flip(&copy.file(3, Section::Journal)),
        "changed since it was signed",
    ),
    (
        "a byte of the hash list",
        |copy| flip(&copy.file(3, Section::HashList)),
        "signature does not fit to the hash list",
    ),
    (
        "a byte of the signature",
        |copy| flip(&copy.file(3, Section::Signature)),
        "signature does not fit to the hash list",
    ),
    (
        "a byte of the proof",
        |copy| flip(&copy.file(3, Section::LogProof)),
        "the log proof (_log-proof.txt) is wrong",
    ),
    (
        "swapped audio",
        |copy| swap(&copy.file(1, Section::STEREO), &copy.file(3, Section::Info)),
        "changed since it was signed",
    ),
    (
        "swapped signatures",
        |copy| swap(&copy.file(1, Section::Signature), &copy.file(3, Section::Signature)),
        "changed or swapped",
    ),
    (
        "swapped proofs",
        |copy| swap(&copy.file(1, Section::LogProof), &copy.file(3, Section::LogProof)),
        "the entry in the log proof (_log-proof.txt) names another recording",
    ),
    (
        "a renamed file",
        |copy| fs::rename(copy.file(1, Section::STEREO), copy.path("2025/call.wav")).unwrap(),
        "call.wav: belongs to no recording",
    ),
    (
        "a renamed recording",
        |copy| {
            for path in copy.sealed(1).files() {
                let name = path.file_name().unwrap().to_str().unwrap().replace("_in_", "_out_");
                fs::rename(&path, path.with_file_name(name)).unwrap();
            }
        },
        "stands in the hash list, but is no file of this recording",
    ),
    (
        "an added file",
        |copy| write(&copy.file(5, Section::wav(None, 2)), b"x"),
        "added: the hash list does not name it",
    ),
    ("removed audio", |copy| fs::remove_file(copy.file(5, Section::STEREO)).unwrap(), ".wav: missing"),
    (
        "a removed hash list",
        |copy| fs::remove_file(copy.file(5, Section::HashList)).unwrap(),
        "the hash list (_hash.txt) is missing",
    ),
    (
        "a removed signature",
        |copy| fs::remove_file(copy.file(5, Section::Signature)).unwrap(),
        "the signature (_hash.SHA256withRSA.sig) is missing",
    ),
    (
        "a removed proof",
        |copy| fs::remove_file(copy.file(5, Section::LogProof)).unwrap(),
        "its log proof (_log-proof.txt) is missing",
    ),
    (
        "a recording signed anew by another key",
        |copy| {
            let list = copy.file(5, Section::HashList);
            let signature = whole().other_key.sign(&fs::read(&list).unwrap());
            fs::write(copy.file(5, Section::Signature), signature.to_file()).unwrap();
            write(&copy.path("callseal (2).pem"), whole().other_key.pem.as_bytes());
        },
        "signed by the key",
    ),
    (
        "a recording made anew by the right key",
        |copy| {
            let sealed = copy.sealed(5);
            let mut forged = info(5, &whole().key, Some(whole().sealed[2].head.clone()));
            forged.started = sealed.base.started().to_zoned(jiff::tz::TimeZone::UTC);
            forged.previous.as_mut().unwrap().position = 3;
            forged.previous.as_mut().unwrap().recording = recording(4);
            forged.rule = "another".into();
            let proof = fs::read(sealed.file(Section::LogProof)).unwrap();
            seal(&sealed.folder, &forged, &whole().key);
            fs::write(sealed.file(Section::LogProof), proof).unwrap();
        },
        "names another hash list",
    ),
    (
        "the same without its proof",
        |copy| {
            let sealed = copy.sealed(5);
            let mut forged = info(5, &whole().key, Some(whole().sealed[3].head.clone()));
            forged.started = sealed.base.started().to_zoned(jiff::tz::TimeZone::UTC);
            forged.rule = "another".into();
            seal(&sealed.folder, &forged, &whole().key);
            fs::remove_file(sealed.file(Section::LogProof)).unwrap();
        },
        "the log's entry names another signature: the recording was changed or replaced",
    ),
    (
        "a pipe in the place of a file",
        |copy| {
            let path = copy.file(5, Section::STEREO);
            fs::remove_file(&path).unwrap();
            run("mkfifo", &[path.to_str().unwrap()], Path::new("/"));
        },
        "cannot be read (it is no regular file)",
    ),
    // Recordings of the archive.
    (
        "every recording removed",
        |copy| (1..=10).for_each(|number| remove(&copy.sealed(number))),
        "acme/regulated: position 6: recording 01949c3e-7a5b-7000-8000-000000000009",
    ),
    (
        "the oldest removed, long before they can have expired",
        |copy| [1, 3].into_iter().for_each(|number| remove(&copy.sealed(number))),
        "acme/regulated: position 1: recording 01949c3e-7a5b-7000-8000-000000000001",
    ),
    (
        "the newest removed, and the log ends right after it",
        |copy| {
            let (_top, making) = again(1..=3);
            remove(&making.sealed[2]);
            turn_into(copy, &making);
        },
        "acme/regulated: position 2: recording 01949c3e-7a5b-7000-8000-000000000003",
    ),
    (
        "a target's name mistyped",
        |copy| copy.options.target = Some("vualt".into()),
        "no recording was ever sealed for a target vualt: the log names cloud, vault",
    ),
    (
        "two targets' names on the archive",
        |copy| {
            let label = b"Callseal archive\nTenant: acme\nTarget: vault\nTenant: acme\nTarget: cloud\n";
            write(&copy.path("archive.txt"), label);
        },
        "says that this archive is the target vault of tenant acme, and the target cloud",
    ),
    (
        "a recording removed from the middle",
        |copy| remove(&copy.sealed(5)),
        "acme/regulated: position 4: recording 01949c3e-7a5b-7000-8000-000000000005",
    ),
    (
        "the end of the chain cut off",
        |copy| remove(&copy.sealed(10)),
        "acme/consent: position 4: recording 01949c3e-7a5b-7000-8000-000000000010",
    ),
    (
        "all of a lane removed",
        |copy| [2, 6, 10].into_iter().for_each(|number| remove(&copy.sealed(number))),
        "acme/consent: position 1: recording 01949c3e-7a5b-7000-8000-000000000002",
    ),
    (
        "a recording put into the place of another",
        |copy| {
            remove(&copy.sealed(5));
            let mut forged = info(25, &whole().key, Some(whole().sealed[3].head.clone()));
            forged.started = whole().start.to_zoned(jiff::tz::TimeZone::UTC);
            seal(&copy.path("2026"), &forged, &whole().key);
        },
        "01949c3e-7a5b-7000-8000-000000000025 is not in the log",
    ),
    (
        "an older recording put back although it was deleted",
        |copy| {
            let (_top, making) = again(1..=7);
            for path in making.sealed[6].files() {
                fs::copy(&path, copy.path("2026").join(path.file_name().unwrap())).unwrap();
            }
        },
        "was deleted, says the log, and is here",
    ),
    (
        "a recording of another target",
        |copy| {
            let (_top, making) = again(1..=4);
            for path in making.sealed[3].files() {
                fs::copy(&path, copy.path("2025").join(path.file_name().unwrap())).unwrap();
            }
        },
        "was not meant for this archive (vault)",
    ),
    (
        "a recording moved here from another tenant",
        |copy| {
            let mut foreign = info(27, &whole().key, None);
            foreign.lane.tenant = "beta".parse().unwrap();
            seal(&copy.path("2026"), &foreign, &whole().key);
        },
        "a recording of tenant beta in the archive of another",
    ),
    (
        "another target's name on the archive",
        |copy| write(&copy.path("archive.txt"), b"Callseal archive\nTenant: acme\nTarget: cloud\n"),
        "was not meant for this archive (cloud)",
    ),
    // The log.
    (
        "an entry changed",
        |copy| change_entry(copy, "Position: 3", "Position: 9"),
        "entries of the log are not those that were signed",
    ),
    ("entries reordered", reorder_entries, "entries of the log are not those that were signed"),
    ("a byte of the entries", |copy| flip(&bundle(copy)), "log: "),
    (
        "a byte of a tile",
        |copy| {
            let size = whole().size();
            flip(&copy.path(&format!("log/acme/tile/0/000.p/{size}")));
        },
        "the log's tiles are not those of the signed tree",
    ),
    ("the entries removed", |copy| fs::remove_file(bundle(copy)).unwrap(), "of the log are missing"),
    ("a byte of the checkpoint", |copy| flip(&copy.path("log/acme/checkpoint")), "checkpoint is"),
    (
        "the checkpoint removed",
        |copy| fs::remove_file(copy.path("log/acme/checkpoint")).unwrap(),
        "the log has no checkpoint",
    ),
    ("the statement of the log's key changed", |copy| flip(&copy.statement()), "log key statement"),
    (
        "another key for the log, by its own statement",
        |copy| {
            let forger = logged::log_key("0a1b2c3d");
            fs::remove_dir_all(copy.path("log")).unwrap();
            TestLog::new(copy.top.path(), &whole().other_key, forger).checkpoint();
        },
        "of which there is no trusted certificate",
    ),
    (
        "the log removed",
        |copy| fs::remove_dir_all(copy.path("log")).unwrap(),
        "the log of tenant acme is missing",
    ),
    (
        "the log and all proofs removed",
        strip,
        "the log of tenant acme is missing: archive.txt names the tenant",
    ),
    (
        "a change of key without the old key's signature",
        |copy| {
            rotated(copy);
            fs::remove_file(change_of_key(copy).with_extension("old.sig")).unwrap();
        },
        ".old.sig is missing or cannot be read",
    ),
    (
        "a change of key that the new key signed for the old one",
        |copy| {
            rotated(copy);
            let path = change_of_key(copy);
            fs::copy(path.with_extension("new.sig"), path.with_extension("old.sig")).unwrap();
        },
        "the key change statement was not signed by the old key",
    ),
    (
        "a change of key by another statement",
        |copy| {
            rotated(copy);
            flip(&change_of_key(copy));
        },
        "is not the statement that the entry names",
    ),
    (
        "a change of key without its statement",
        |copy| {
            rotated(copy);
            fs::remove_file(change_of_key(copy)).unwrap();
        },
        "nothing proves that change: keys/change-",
    ),
    (
        "the log begun anew, by the right keys",
        |copy| {
            fs::remove_dir_all(copy.path("log")).unwrap();
            let mut log = TestLog::new(copy.top.path(), &whole().key, logged::log_key("ffffffff"));
            log.add(whole().start, What::Heartbeat);
            log.checkpoint();
        },
        "is of a log that no certified key of this archive signs",
    ),
    (
        "the log forked: another history by the right keys",
        |copy| {
            let (_top, mut making) = again([1, 2, 3, 5, 6, 7, 8, 9, 10]);
            making.heartbeat();
            replace_log(copy, &making.top.join("log"));
        },
        "the log was forked: the proof of recording",
    ),
    (
        "a checkpoint of another history among the copies",
        |copy| {
            let (_top, making) = again([1, 3]);
            let copies = making.top.join("log/acme/checkpoints");
            run(
                "cp",
                &["-R", copies.to_str().unwrap(), copy.path("log/acme").to_str().unwrap()],
                Path::new("/"),
            );
        },
        "two signed checkpoints contradict each other",
    ),
    (
        "the log rolled back, recordings left",
        |copy| {
            let (_top, mut making) = again(1..=3);
            run("cp", &["-R", "log", "older"], &making.top);
            making.later(SignedDuration::from_hours(2));
            making.call(&whole().key, CALLS[4]);
            turn_into(copy, &making);
            fs::remove_dir_all(copy.path("log")).unwrap();
            fs::rename(copy.path("older"), copy.path("log")).unwrap();
        },
        "the log was rolled back: it had",
    ),
    (
        "the log rolled back and recordings removed, against the checkpoint that the auditor kept",
        |copy| {
            let (_top, making) = again(1..=5);
            replace_log(copy, &making.top.join("log"));
            (6..=10).for_each(|number| remove(&copy.sealed(number)));
            copy.options.checkpoints = vec![whole().checkpoints[9].clone()];
        },
        "compared with the checkpoint given: the log was rolled back",
    ),
    (
        "the log forked and proofs made anew, against the checkpoint that the auditor kept",
        |copy| {
            let (_top, mut making) = again([1, 2, 3, 6]);
            making.heartbeat();
            fs::remove_dir_all(copy.top.path()).unwrap();
            run(
                "cp",
                &["-R", making.top.to_str().unwrap(), copy.top.path().to_str().unwrap()],
                Path::new("/"),
            );
            copy.options.checkpoints = vec![whole().checkpoints[3].clone()];
        },
        "compared with the checkpoint given: the log was forked",
    ),
    (
        "the log begun anew, against the checkpoint that the auditor kept",
        |copy| {
            fs::remove_dir_all(copy.path("log")).unwrap();
            CALLS.iter().for_each(|call| {
                let _gone = fs::remove_file(copy.file(call.number, Section::LogProof));
            });
            let mut log = TestLog::new(copy.top.path(), &whole().key, logged::log_key("ffffffff"));
            log.add(whole().start, What::Heartbeat);
            log.checkpoint();
            copy.options.checkpoints = vec![whole().checkpoints[3].clone()];
        },
        "of which a checkpoint was given, is not here",
    ),
    // Certificates.
    (
        "the wrong certificate",
        |copy| {
            let mut keys = Keyring::new();
            keys.add(whole().other_key.certificate.clone());
            copy.trusted = Some(keys);
        },
        "there is no certificate of the key",
    ),
    (
        "the certificate replaced by one of another key",
        |copy| write(&copy.path("callseal.pem"), whole().other_key.pem.as_bytes()),
        "there is no certificate of the key",
    ),
    // Time.
    (
        "a backdated clock",
        |copy| {
            let (_top, mut making) = again(1..=3);
            let authority = Authority::valid_until("20491231235959Z");
            let size = making.log.checkpoint().checkpoint.size;
            let of = |ending: &str| making.top.join(format!("log/acme/checkpoints/{size:020}{ending}"));
            authority.stamp(&of(""), &of(".tsr"));
            // Sealed after the stamp, today, by a clock of the day before yesterday.
            making.call(&whole().key, CALLS[4]);
            making.heartbeat();
            fs::remove_dir_all(copy.top.path()).unwrap();
            run(
                "cp",
                &["-R", making.top.to_str().unwrap(), copy.top.path().to_str().unwrap()],
                Path::new("/"),
            );
            copy.options.authorities = Some(authority.trusted());
        },
        "an authority stamped the log without it: the clock was set back",
    ),
    (
        "a clock that is ahead",
        |copy| {
            let (_top, mut making) = again(1..=3);
            making.later(SignedDuration::from_hours(72));
            making.heartbeat();
            let size = making.log.checkpoint().checkpoint.size;
            let of = |ending: &str| making.top.join(format!("log/acme/checkpoints/{size:020}{ending}"));
            let authority = Authority::valid_until("20491231235959Z");
            authority.stamp(&of(""), &of(".tsr"));
            fs::remove_dir_all(copy.top.path()).unwrap();
            run(
                "cp",
                &["-R", making.top.to_str().unwrap(), copy.top.path().to_str().unwrap()],
                Path::new("/"),
            );
            copy.options.authorities = Some(authority.trusted());
        },
        "the clock was ahead",
    ),
    (
        "an authority whose certificate had expired",
        |copy| {
            let authority = Authority::valid_until("20210101000000Z");
            authority.stamp(&copy.file(5, Section::HashList), &copy.file(5, Section::TimeStamp));
            copy.options.authorities = Some(authority.trusted());
        },
        "the authority's certificate had expired when the time stamp was made",
    ),
    (
        "a time stamp by somebody else",
        |copy| {
            let (authority, other) =
                (Authority::valid_until("20491231235959Z"), Authority::valid_until("20491231235959Z"));
            authority.stamp(&copy.file(5, Section::HashList), &copy.file(5, Section::TimeStamp));
            copy.options.authorities = Some(other.trusted());
        },
        "the time stamp (_hash.tsr) is wrong: the time stamp was not made by one of the authorities given",
    ),
    (
        "a time stamp of another recording",
        |copy| {
            let authority = Authority::valid_until("20491231235959Z");
            authority.stamp(&copy.file(3, Section::HashList), &copy.file(5, Section::TimeStamp));
            copy.options.authorities = Some(authority.trusted());
        },
        "the time stamp is one of other data",
    ),
];

#[test]
fn every_kind_of_tampering_is_found_and_named() {
    let mut wrong = Vec::new();
    for (kind, tamper, expected) in ROWS {
        let mut copy = Copy::new();
        tamper(&mut copy);
        let said = said(&copy.verify());
        if !said.iter().any(|finding| finding.contains(expected)) {
            wrong.push(format!("{kind}: expected {expected:?}, but it was said: {said:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_flipped_byte_in_any_file_of_the_archive_is_found() {
    let files = run("find", &[".", "-type", "f"], whole().top.path());
    let mut overlooked = Vec::new();
    let mut copy = Copy::new();
    for file in files.lines().filter(|file| !file.ends_with("archive.txt")) {
        flip(&copy.path(file));
        if copy.verify().is_good() {
            overlooked.push(file.to_owned());
        }
        flip(&copy.path(file));
    }
    assert!(copy.verify().is_good());
    assert_eq!(overlooked, [] as [String; 0]);
}

#[test]
fn an_archive_that_nobody_touched_is_good_and_says_what_became_of_what_is_not_here() {
    let mut copy = Copy::new();
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!(report.recordings.len(), 7);
    let [consent, regulated] = report.lanes.as_slice() else { panic!("{:?}", report.lanes) };
    assert_eq!((regulated.recordings, regulated.absent.elsewhere), (4, 1));
    assert_eq!((consent.recordings, consent.absent.elsewhere), (3, 1));
    let deletion = &regulated.absent.deleted.first[0];
    assert_eq!(deletion.what.recording, recording(DELETED));
    assert_eq!((deletion.reason.as_str(), deletion.by.as_str()), ("the caller asked for it", "dpo"));
    let log = &report.archives[0].logs[0];
    assert_eq!(log.target.as_deref(), Some("vault"));
    assert_eq!(log.head.as_ref().unwrap().size, whole().checkpoints.last().unwrap().checkpoint.size);
}

#[test]
fn an_archive_whose_oldest_years_are_gone_is_good_and_says_so() {
    let mut copy = Copy::new();
    fs::remove_dir_all(copy.path("2025")).unwrap();
    copy.options.retention = SignedDuration::from_hours(40);
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    let expired: Vec<_> = report.lanes.iter().map(|lane| lane.absent.expired.clone().unwrap()).collect();
    assert_eq!([expired[0].recordings, expired[1].recordings], [1, 2]);
    // Except to somebody who knows that nothing can have expired yet.
    copy.options.complete = true;
    let said = said(&copy.verify());
    assert!(
        said.iter().any(|missing| missing.contains("position 1") && missing.contains("MISSING")),
        "{said:?}"
    );
}

#[test]
fn an_archive_of_one_rules_part_is_good_under_its_own_name() {
    // What lies at the other target: the same log, and the recordings meant for it.
    let (_top, making) = again(1..=10);
    let mut copy = Copy::new();
    fs::remove_dir_all(copy.path("2025")).unwrap();
    fs::remove_dir_all(copy.path("2026")).unwrap();
    for call in CALLS.iter().filter(|call| call.targets.contains(&"cloud")) {
        for path in making.sealed[call.number as usize - 1].files() {
            write(&copy.path(call.year).join(path.file_name().unwrap()), &fs::read(&path).unwrap());
        }
    }
    copy.options.target = Some("cloud".into());
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!(report.recordings.len(), 4);
    let elsewhere: u64 = report.lanes.iter().map(|lane| lane.absent.elsewhere).sum();
    assert_eq!(elsewhere, 6);
}

#[test]
fn a_log_whose_signing_key_was_rotated_is_good_and_says_which_keys_signed() {
    let whole = whole();
    let (_top, mut making) = again([1, 3]);
    making.rotate(&whole.other_key, &whole.key);
    making.call(&whole.other_key, CALLS[4]);
    making.heartbeat();
    let mut copy = Copy { top: tempfile::tempdir().unwrap(), options: Options::default(), trusted: None };
    run("cp", &["-R", ".", copy.top.path().to_str().unwrap()], &making.top);
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    let signed_by = |key: &TestKey| {
        let id = Some(key.certificate.public_key().id());
        report.recordings.iter().filter(|recording| recording.signed_by == id).count()
    };
    assert_eq!((signed_by(&whole.key), signed_by(&whole.other_key)), (2, 1));
    let notes: Vec<_> = report.archives[0].logs[0].notes.iter().map(ToString::to_string).collect();
    assert!(notes.iter().any(|note| note.contains("every two years")), "{notes:?}");
    // By the old certificate alone, the newer recording cannot be judged.
    let mut keys = Keyring::new();
    keys.add(whole.key.certificate.clone());
    copy.trusted = Some(keys);
    assert!(!copy.verify().is_good());
}

#[test]
fn what_was_sealed_a_moment_before_the_logs_end_may_be_on_its_way() {
    let (_top, mut making) = again(1..=3);
    remove(&making.sealed[2]);
    let mut copy = Copy { top: tempfile::tempdir().unwrap(), options: Options::default(), trusted: None };
    run("cp", &["-R", ".", copy.top.path().to_str().unwrap()], &making.top);
    let sealed_at = making.later(SignedDuration::ZERO);
    copy.options.now = sealed_at + SignedDuration::from_mins(50);
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!(report.lanes[1].absent.on_the_way, 1);
    copy.options.now = sealed_at + SignedDuration::from_mins(60);
    let hour_later = said(&copy.verify());
    assert!(hour_later.len() == 1 && hour_later[0].contains("position 2"), "{hour_later:?}");
    copy.options.now = sealed_at;
    copy.options.grace = SignedDuration::ZERO;
    let said = said(&copy.verify());
    assert!(said.len() == 1 && said[0].contains("position 2"), "{said:?}");
}

#[test]
fn without_a_log_and_a_label_it_is_said_of_each_lane_that_nothing_tells_of_its_end() {
    let mut copy = Copy::new();
    assert!(copy.verify().lanes.iter().all(|lane| lane.has_log));
    strip(&mut copy);
    fs::remove_file(copy.path("archive.txt")).unwrap();
    // Its beginning is there: chains show holes, and these two have one where a recording went elsewhere.
    fs::remove_dir_all(copy.path("2026")).unwrap();
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert!(report.lanes.len() == 2 && report.lanes.iter().all(|lane| !lane.has_log));
}

#[test]
fn deliveries_under_way_and_links_out_are_counted_and_no_fault() {
    let mut copy = Copy::new();
    write(&copy.path("2026/.callseal-00ff.part"), b"x");
    std::os::unix::fs::symlink("/etc", copy.path("more")).unwrap();
    std::os::unix::fs::symlink("callseal.pem", copy.path("same.pem")).unwrap();
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!((report.unfinished, report.links_out), (1, 1));
}

#[test]
fn a_time_in_which_the_log_says_nothing_and_a_lost_key_are_told_loudly() {
    let (_top, mut making) = again([1, 3]);
    making.later(SignedDuration::from_hours(4));
    making.heartbeat();
    making.replace(&whole().other_key, &whole().key);
    let mut copy = Copy { top: tempfile::tempdir().unwrap(), options: Options::default(), trusted: None };
    turn_into(&copy, &making);
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    let log = &report.archives[0].logs[0];
    let loud: Vec<_> = log.notes.iter().filter(|note| note.is_loud()).map(ToString::to_string).collect();
    assert_eq!(loud.len(), 2, "{loud:?}");
    assert!(loud[0].contains("the log says nothing") && loud[1].contains("did NOT agree"), "{loud:?}");
    // The new key has to have signed all the same.
    fs::remove_file(change_of_key(&copy).with_extension("new.sig")).unwrap();
    assert!(said(&copy.verify())[0].contains(".new.sig is missing"));
}

#[test]
fn good_time_stamps_are_counted_and_without_an_authority_said_to_be_unjudged() {
    let mut copy = Copy::new();
    let authority = Authority::valid_until("20491231235959Z");
    authority.stamp(&copy.file(5, Section::HashList), &copy.file(5, Section::TimeStamp));
    let size = whole().size();
    let of = |ending: &str| copy.path(&format!("log/acme/checkpoints/{size:020}{ending}"));
    authority.stamp(&of(""), &of(".tsr"));
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!(report.archives[0].logs[0].stamps.not_checked, 1);
    copy.options.authorities = Some(authority.trusted());
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    let stamps = &report.archives[0].logs[0].stamps;
    assert_eq!((stamps.good, stamps.newest.as_ref().unwrap().0), (1, size));
}

#[test]
fn an_interrupted_verification_goes_on_where_it_was_and_reads_changed_files_again() {
    let mut copy = Copy::new();
    let journal = tempfile::NamedTempFile::new().unwrap();
    let verify = |copy: &mut Copy| {
        let file = fs::OpenOptions::new().read(true).write(true).open(journal.path()).unwrap();
        copy.options.journal = Some(Journal::new(file).unwrap());
        let report = copy.verify();
        let before = report.recordings.iter().filter(|recording| recording.verified_before).count();
        (said(&report), before)
    };
    assert_eq!(verify(&mut copy), (Vec::new(), 0));
    assert_eq!(verify(&mut copy), (Vec::new(), 7));
    // A line that was not written to its end.
    let text = fs::read(journal.path()).unwrap();
    fs::write(journal.path(), &text[..text.len() - 30]).unwrap();
    let (said, before) = verify(&mut copy);
    assert_eq!((said, before < 7), (Vec::new(), true));
    // What was removed is missed although it stands in the journal; what was changed is read.
    remove(&copy.sealed(10));
    flip(&copy.file(5, Section::STEREO));
    let (said, before) = verify(&mut copy);
    assert_eq!((said.len(), before), (2, 5), "{said:?}");
    // And what is wrong is said each time.
    assert_eq!(verify(&mut copy).0, said);
}

/// An archive in which calls go on: one is sealed and delivered when its newest folder has just been
/// listed, and one when the first recording is read.
struct Busy {
    folder: Folder,
    making: Mutex<(Making, Vec<u32>)>,
}

impl Busy {
    fn call(&self, number: u32) {
        let mut making = self.making.lock().unwrap();
        if let Some(at) = making.1.iter().position(|due| *due == number) {
            making.1.remove(at);
            making.0.call(&whole().key, CALLS[number as usize - 1]);
        }
    }
}

impl Archive for Busy {
    fn list(&self, folder: &str, visit: &mut dyn FnMut(Listed)) -> io::Result<()> {
        self.folder.list(folder, visit)?;
        if folder.ends_with("2026") {
            self.call(6);
        }
        Ok(())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>> {
        if path.ends_with(".wav") {
            self.call(7);
        }
        self.folder.open(path)
    }
}

#[test]
fn calls_that_are_sealed_while_the_archive_is_verified_are_neither_missed_nor_make_the_log_wrong() {
    let (top, making) = again(1..=5);
    remove(&making.sealed[3]);
    let mut folder = Folder::new();
    folder.add(top.path()).unwrap();
    let mut keys = Keyring::new();
    keys.add(whole().key.certificate.clone());
    let busy = Busy { folder, making: Mutex::new((making, vec![6, 7])) };
    let mut options = Options { grace: SignedDuration::ZERO, ..Options::default() };
    let report = verify_with(&busy, &keys, &mut options).unwrap();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!((report.recordings.len(), busy.making.lock().unwrap().1.len()), (4, 0));
    // The first of the two was in the log already, and could not be among the names.
    assert_eq!(report.lanes[0].absent.on_the_way, 1);
    assert!(verify_with(&busy, &keys, &mut options).unwrap().is_good());
}
