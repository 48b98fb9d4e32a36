//! Whole archives of a tenant, with a log that grows as a signer lets it grow.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use domain::{Class, Direction, Lane, RecordingId};
use evidence::{
    BaseName, Documents, HashedFile, KeyChangeStatement, KeyId, LaneHead, Section, Sha256Hash,
    key_change::statement_path,
    log::{
        Checkpoint, Entry, Frontier, KeyChange, KeyEntry, LogFiles, Outcome, PublishedLog, Reference,
        SealedEntry, SignedCheckpoint, What, leaf_hash,
        tiles::{checkpoint_path, grow},
    },
    verify::Keyring,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    provable::{Kind, TestLogKey, state},
    signed::{TestKey, info, recording},
};

/// The key of a log of tenant acme with this random part in its name.
pub fn log_key(random: &str) -> Arc<TestLogKey> {
    Arc::new(TestLogKey::new(Kind::Ed25519, &format!("callseal.io/acme-1/acme/{random}")))
}

/// Files of a log in a folder.
pub struct Dir(pub PathBuf);

impl LogFiles for Dir {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let Ok(entries) = fs::read_dir(self.0.join(folder)) else { return Ok(Vec::new()) };
        let files = entries.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_file());
        Ok(files.map(|entry| entry.file_name().into_string().unwrap()).collect())
    }
}

/// The log of tenant acme below some folder.
pub struct TestLog {
    folder: PathBuf,
    pub key: Arc<TestLogKey>,
    frontier: Frontier,
    new: Vec<Vec<u8>>,
    published: Frontier,
}

impl TestLog {
    /// An empty log in the archive `top`, its key certified by `key`.
    pub fn new(top: &Path, key: &TestKey, log_key: Arc<TestLogKey>) -> Self {
        state(top, &log_key, key);
        let folder = top.join("log/acme");
        fs::create_dir_all(folder.join("checkpoints")).unwrap();
        let (frontier, new, published) = Default::default();
        Self { folder, key: log_key, frontier, new, published }
    }

    /// Adds an entry; returns its place.
    pub fn add(&mut self, at: Timestamp, what: What) -> u64 {
        let entry = Entry { at, tenant: "acme".parse().unwrap(), what }.to_bytes();
        self.frontier.append(leaf_hash(&entry));
        self.new.push(entry);
        self.frontier.size() - 1
    }

    /// Signs and publishes what was added.
    pub fn checkpoint(&mut self) -> SignedCheckpoint {
        let files = Dir(self.folder.clone());
        let before = self.published.size();
        let growth = grow(&files, before, self.published.root(), &self.new).unwrap();
        assert_eq!(growth.root, self.frontier.root());
        for (path, bytes) in growth.files {
            write(&self.folder.join(path), &bytes);
        }
        // What a partial file was replaced by makes it superfluous.
        for kind in ["tile/0/000.p", "tile/entries/000.p"].iter().filter(|_| !self.new.is_empty()) {
            let _gone = fs::remove_file(self.folder.join(format!("{kind}/{before}")));
        }
        self.new.clear();
        self.published = self.frontier.clone();
        let (size, root) = (self.frontier.size(), self.frontier.root());
        let checkpoint = Checkpoint { origin: self.key.key.name.clone(), size, root };
        let signature = self.key.sign(&checkpoint.body());
        let signed = SignedCheckpoint::new(checkpoint, &self.key.key, signature).unwrap();
        for path in ["checkpoint".to_owned(), checkpoint_path(size)] {
            write(&self.folder.join(path), &signed.to_bytes());
        }
        signed
    }

    /// The proof of an entry under the newest checkpoint.
    pub fn proof(&self, index: u64, keys: &Keyring) -> Vec<u8> {
        let files = Dir(self.folder.clone());
        let log = PublishedLog::open(&files, keys).unwrap();
        log.proof(index).unwrap().to_bytes()
    }
}

pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// One recording of an archive.
#[derive(Debug, Clone)]
pub struct Sealed {
    pub recording: RecordingId,
    pub base: BaseName,
    /// Where it lies, or would.
    pub folder: PathBuf,
    pub index: u64,
    pub head: LaneHead,
}

impl Sealed {
    pub fn file(&self, section: Section) -> PathBuf {
        self.folder.join(self.base.file(section))
    }

    /// All files of it that there are.
    pub fn files(&self) -> Vec<PathBuf> {
        let all = [
            Section::STEREO,
            Section::Info,
            Section::Journal,
            Section::HashList,
            Section::Signature,
            Section::LogProof,
            Section::TimeStamp,
        ];
        all.map(|section| self.file(section)).into_iter().filter(|path| path.exists()).collect()
    }
}

/// An archive in the making: `<top>/<year>/…`, `<top>/log/acme/…`, certificate and label.
pub struct Making {
    pub top: PathBuf,
    pub log: TestLog,
    pub keys: Keyring,
    pub sealed: Vec<Sealed>,
    now: Timestamp,
}

/// Where a recording goes, and what of it is done.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub number: u32,
    pub class: Class,
    pub targets: &'a [&'a str],
    pub year: &'a str,
}

impl Making {
    /// Nothing but a key, since `start`.
    pub fn new(top: &Path, key: &TestKey, log_key: Arc<TestLogKey>, start: Timestamp) -> Self {
        write(&top.join("callseal.pem"), key.pem.as_bytes());
        write(&top.join("archive.txt"), b"Callseal archive\nTenant: acme\nTarget: vault\n");
        let mut log = TestLog::new(top, key, log_key);
        let mut keys = Keyring::new();
        keys.add(key.certificate.clone());
        let what = key_entry(key, &log.key, KeyChange::First, None);
        log.add(start, what);
        Self { top: top.to_owned(), log, keys, sealed: Vec::new(), now: start }
    }

    /// The clock goes on.
    pub fn later(&mut self, by: SignedDuration) -> Timestamp {
        self.now += by;
        self.now
    }

    /// The last recording of a lane.
    fn head(&self, class: Class) -> Option<LaneHead> {
        let of_lane = |sealed: &&Sealed| {
            let text = fs::read_to_string(sealed.file(Section::Info));
            text.is_ok_and(|text| text.contains(&format!("Class: {class}\n")))
        };
        self.sealed.iter().rev().find(of_lane).map(|sealed| sealed.head.clone())
    }

    /// A call that is recorded, sealed, logged and delivered.
    pub fn call(&mut self, key: &TestKey, call: Call<'_>) -> Sealed {
        let started = self.later(SignedDuration::from_mins(1));
        let id = recording(call.number);
        let reference = Reference::of(b"salt", &id);
        self.log.add(started, What::Started { reference: reference.clone() });
        let (outcome, rule) = (Outcome::Recorded, "advisers".to_owned());
        self.log.add(started, What::Decided { reference: reference.clone(), outcome, rule });

        let mut info = info(call.number, key, self.head(call.class));
        info.started = started.to_zoned(jiff::tz::TimeZone::UTC);
        info.direction = Direction::In;
        info.lane = Lane { tenant: "acme".parse().unwrap(), class: call.class };
        let folder = self.top.join(call.year);
        fs::create_dir_all(&folder).unwrap();
        let (head, documents) = seal(&folder, &info, key);
        let at = self.later(SignedDuration::from_secs(40));
        let index = self.log.add(
            at,
            What::Sealed(Box::new(SealedEntry {
                reference,
                recording: id,
                class: call.class,
                position: info.position(),
                hash_list: Sha256Hash::of(&documents.hash_list),
                signature: Sha256Hash::of(head.signature.as_bytes()),
                key_id: info.key_id,
                started: documents.base.started(),
                duration: Duration::from_millis(30_020),
                gaps: 2,
                interrupted: false,
                supplement_to: None,
                targets: call.targets.iter().map(|target| (*target).to_owned()).collect(),
            })),
        );
        self.log.checkpoint();
        let sealed = Sealed { recording: id, base: documents.base, folder, index, head };
        write(&sealed.file(Section::LogProof), &self.log.proof(index, &self.keys));
        self.sealed.push(sealed.clone());
        sealed
    }

    /// An hour of nothing.
    pub fn heartbeat(&mut self) -> SignedCheckpoint {
        let at = self.later(SignedDuration::from_hours(1));
        self.log.add(at, What::Heartbeat);
        self.log.checkpoint()
    }

    /// From now on `key` signs.
    pub fn rotate(&mut self, key: &TestKey, before: &TestKey) {
        let at = self.later(SignedDuration::from_mins(1));
        let statement = self.change(key, before, at, KeyChange::Rotated);
        let previous = before.certificate.public_key().id();
        let what = key_entry(key, &self.log.key, KeyChange::Rotated, Some((previous, statement)));
        self.log.add(at, what);
        self.keys.add(key.certificate.clone());
        write(&self.top.join("callseal (2).pem"), key.pem.as_bytes());
        self.log.checkpoint();
    }

    /// From now on `key` signs, because the one before it was lost.
    pub fn replace(&mut self, key: &TestKey, before: &TestKey) {
        let at = self.later(SignedDuration::from_mins(1));
        let statement = self.change(key, before, at, KeyChange::Replaced);
        let previous = before.certificate.public_key().id();
        let what = key_entry(key, &self.log.key, KeyChange::Replaced, Some((previous, statement)));
        self.log.add(at, what);
        self.keys.add(key.certificate.clone());
        write(&self.top.join("callseal (2).pem"), key.pem.as_bytes());
        self.log.checkpoint();
    }

    /// Writes the statement of a change and its signatures; returns its hash.
    fn change(&self, key: &TestKey, before: &TestKey, at: Timestamp, change: KeyChange) -> Sha256Hash {
        let statement = KeyChangeStatement {
            tenant: None,
            old: before.certificate.public_key().id(),
            new: key.certificate.public_key().id(),
            new_certificate: key.certificate.fingerprint(),
            new_log_key: self.log.key.key.public.clone(),
            at,
            reason: REASON.into(),
        };
        let text = statement.to_text().unwrap();
        let hash = Sha256Hash::of(text.as_bytes());
        let path = self.top.join("log/acme").join(format!("{}.txt", statement_path(&hash)));
        write(&path, text.as_bytes());
        write(&path.with_extension("new.sig"), &key.sign(text.as_bytes()).to_file());
        if change == KeyChange::Rotated {
            write(&path.with_extension("old.sig"), &before.sign(text.as_bytes()).to_file());
        }
        hash
    }

    /// Its deletion stands in the log; it is still there.
    pub fn deleted(&mut self, recording: RecordingId, targets: &[&str]) {
        let at = self.later(SignedDuration::from_mins(1));
        let targets = targets.iter().map(|target| (*target).to_owned()).collect();
        let (reason, by) = ("the caller asked for it".to_owned(), "dpo".to_owned());
        self.log.add(at, What::Deleted { recording, targets, reason, by });
        self.log.checkpoint();
    }
}

const REASON: &str = "every two years";

fn key_entry(
    key: &TestKey,
    log_key: &TestLogKey,
    change: KeyChange,
    previous: Option<(KeyId, Sha256Hash)>,
) -> What {
    What::Key(Box::new(KeyEntry {
        change,
        key_id: key.certificate.public_key().id(),
        previous: previous.map(|(key, _)| key),
        certificate: key.certificate.fingerprint(),
        log_key: log_key.key.vkey(),
        statement: previous.map(|(_, statement)| statement),
        reason: REASON.into(),
    }))
}

/// Writes all files of a recording but its proof; the audio is short.
pub fn seal(folder: &Path, info: &evidence::Info, key: &TestKey) -> (LaneHead, Documents) {
    let base = info.base_name();
    let audio = vec![0xd5; 4_096];
    let documents = Documents::new(info, vec![HashedFile::of(base.file(Section::STEREO), &audio)]);
    let signature = key.sign(&documents.hash_list);
    for (section, bytes) in [
        (Section::STEREO, &audio),
        (Section::Info, &documents.info),
        (Section::Journal, &documents.journal),
        (Section::HashList, &documents.hash_list),
        (Section::Signature, &signature.to_file()),
    ] {
        fs::write(folder.join(base.file(section)), bytes).unwrap();
    }
    (LaneHead { position: info.position(), recording: info.recording, signature }, documents)
}
