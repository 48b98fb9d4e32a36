//! A log as a signer publishes it.

use std::{collections::BTreeMap, time::Duration};

use domain::{Class, RecordingId, TenantId};
use evidence::{
    KeyId, Sha256Hash,
    log::{
        Checkpoint, Entry, Frontier, KeyChange, KeyEntry, LogProblem, Origin, Outcome, PublishedLog,
        Reference, SealedEntry, SignedCheckpoint, What, leaf_hash,
        tiles::{checkpoint_path, grow},
    },
    verify::Keyring,
};
use jiff::{SignedDuration, Timestamp};

use super::keys::{Kind, TestLogKey, TestRsaKey};

pub type Files = BTreeMap<String, Vec<u8>>;

pub fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

pub fn time(seconds: u64) -> Timestamp {
    "2026-11-22T09:15:30.123Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds as i64)
}

pub fn recording(number: u64) -> RecordingId {
    format!("01949c3e-7a5b-7000-8000-{number:012}").parse().unwrap()
}

pub fn key_id(seed: &str) -> KeyId {
    KeyId::of_spki_der(seed.as_bytes())
}

pub fn reference(number: u64) -> Reference {
    Reference::of(b"salt", &recording(number))
}

pub fn started(number: u64) -> What {
    What::Started { reference: reference(number) }
}

pub fn decided(number: u64, outcome: Outcome) -> What {
    What::Decided { reference: reference(number), outcome, rule: "advisers".into() }
}

pub fn sealed(number: u64, position: u64) -> What {
    let of = |what: &str| Sha256Hash::of(format!("{what} {number}").as_bytes());
    What::Sealed(Box::new(SealedEntry {
        reference: reference(number),
        recording: recording(number),
        class: Class::Regulated,
        position,
        hash_list: of("hash list"),
        signature: of("signature"),
        key_id: key_id("first"),
        started: time(number),
        duration: Duration::from_millis(83_456),
        gaps: 2,
        interrupted: false,
        supplement_to: None,
        targets: vec!["archive".into(), "bank-sftp".into()],
    }))
}

pub fn key(change: KeyChange, key: &str, previous: Option<&str>) -> What {
    What::Key(Box::new(KeyEntry {
        change,
        key_id: key_id(key),
        previous: previous.map(key_id),
        certificate: Sha256Hash::of(key.as_bytes()),
        log_key: "callseal.io/a/acme/00000000+12345678+AQ==".into(),
        statement: previous.map(|_| Sha256Hash::of(b"statement")),
        reason: "every two years".into(),
    }))
}

pub fn entry(second: u64, what: What) -> Entry {
    Entry { at: time(second), tenant: tenant(), what }
}

/// `calls` calls, each started, decided and sealed, one after the other; 3 entries a call.
pub fn calls(calls: u64) -> Vec<Vec<u8>> {
    let call = |n: u64| [started(n), decided(n, Outcome::Recorded), sealed(n, n + 1)];
    (0..calls).flat_map(|n| call(n).map(|what| entry(n, what).to_bytes())).collect()
}

/// A log that grows.
pub struct TestLog {
    pub rsa: TestRsaKey,
    pub key: TestLogKey,
    pub files: Files,
    pub frontier: Frontier,
}

impl TestLog {
    pub fn new(kind: Kind) -> Self {
        let origin = Origin::new("test", &tenant(), 0x0123_abcd);
        let (rsa, key) = (TestRsaKey::new(), TestLogKey::new(kind, origin.as_str()));
        let mut log = Self { rsa, key, files: Files::new(), frontier: Frontier::default() };
        log.put_statement();
        log
    }

    pub fn put_statement(&mut self) {
        let statement = self.rsa.statement(&self.key.public);
        let text = statement.to_text();
        self.files.insert(statement.signature_path(), self.rsa.sign(text.as_bytes()).to_file());
        self.files.insert(statement.path(), text.into_bytes());
    }

    /// A log of these entries, with a checkpoint after each piece.
    pub fn of(kind: Kind, pieces: &[Vec<Vec<u8>>]) -> Self {
        let mut log = Self::new(kind);
        pieces.iter().for_each(|piece| log.add(piece));
        log
    }

    /// Adds entries and publishes a checkpoint.
    pub fn add(&mut self, entries: &[Vec<u8>]) {
        let growth = grow(&self.files, self.frontier.size(), self.frontier.root(), entries).unwrap();
        entries.iter().for_each(|entry| self.frontier.append(leaf_hash(entry)));
        assert_eq!((growth.size, growth.root), (self.frontier.size(), self.frontier.root()));
        self.files.extend(growth.files);
        let signed = self.sign(self.frontier.size(), self.frontier.root()).to_bytes();
        self.files.insert(checkpoint_path(self.frontier.size()), signed.clone());
        self.files.insert("checkpoint".into(), signed);
    }

    pub fn sign(&self, size: u64, root: Sha256Hash) -> SignedCheckpoint {
        let checkpoint = Checkpoint { origin: self.key.public.name.clone(), size, root };
        let signature = self.key.sign(checkpoint.body().as_bytes());
        SignedCheckpoint::new(checkpoint, &self.key.public, signature).unwrap()
    }

    pub fn newest(&self) -> SignedCheckpoint {
        SignedCheckpoint::parse(&self.files["checkpoint"]).unwrap()
    }

    pub fn trusted(&self) -> Keyring {
        let mut trusted = Keyring::new();
        trusted.add(self.rsa.certificate.clone());
        trusted
    }

    /// All that is wrong with `files`, and how many entries could be read.
    pub fn judge(&self, files: &Files) -> (Vec<LogProblem>, usize) {
        judge(files, &self.trusted())
    }
}

pub fn judge(files: &Files, trusted: &Keyring) -> (Vec<LogProblem>, usize) {
    let log = match PublishedLog::open(files, trusted) {
        Ok(log) => log,
        Err(problems) => return (problems, 0),
    };
    let mut problems = log.problems().to_vec();
    let mut read = 0;
    for entry in log.entries() {
        match entry {
            Ok(_) => read += 1,
            Err(problem) => problems.push(problem),
        }
    }
    (problems, read)
}
