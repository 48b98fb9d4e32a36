//! An archive with a transparency log, as an archive target holds it: keys by openssl, proofs computed
//! the plain way of RFC 6962 § 2.1.1.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use domain::Class;
use evidence::{
    BaseName, Section, Sha256Hash,
    log::{
        Checkpoint, Entry, LogKey, LogKeyStatement, LogProof, LogPublicKey, Reference, SealedEntry,
        SignedCheckpoint, What, leaf_hash, node_hash,
    },
};
use jiff::Timestamp;

use crate::signed::{TestKey, info, run, seal};

/// Folder of the recordings: names that a careless script trips over.
pub const FOLDER: &str = "calls & more/2026 11";
/// How many recordings there are.
pub const RECORDINGS: u32 = 3;

/// Which kind of key signs the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ed25519,
    P256,
}

/// A log key in a file.
pub struct TestLogKey {
    folder: tempfile::TempDir,
    kind: Kind,
    pub key: LogKey,
}

impl TestLogKey {
    pub fn new(kind: Kind, origin: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options: &[&str] = match kind {
            Kind::Ed25519 => &["-algorithm", "ed25519"],
            Kind::P256 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        };
        run("openssl", &[&["genpkey", "-out", "key.pem"], options].concat(), folder.path());
        run(
            "openssl",
            &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "key.der"],
            folder.path(),
        );
        let der = fs::read(folder.path().join("key.der")).unwrap();
        let public = match kind {
            // The point stands at the end of its SubjectPublicKeyInfo (RFC 8410 § 4).
            Kind::Ed25519 => LogPublicKey::Ed25519(der[der.len() - 32..].try_into().unwrap()),
            Kind::P256 => LogPublicKey::P256(der),
        };
        Self { folder, kind, key: LogKey { name: origin.to_owned(), public } }
    }

    pub fn sign(&self, message: &str) -> Vec<u8> {
        fs::write(self.folder.path().join("message"), message).unwrap();
        let sign: &[&str] = match self.kind {
            Kind::Ed25519 => {
                &["pkeyutl", "-sign", "-rawin", "-inkey", "key.pem", "-in", "message", "-out", "signature"]
            }
            Kind::P256 => &["dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "message"],
        };
        run("openssl", sign, self.folder.path());
        fs::read(self.folder.path().join("signature")).unwrap()
    }
}

/// Recordings of one lane with their proofs, and what an archive holds beside them.
pub struct Provable {
    root: tempfile::TempDir,
    bases: Vec<BaseName>,
    statement: String,
}

impl Provable {
    pub fn new(kind: Kind, key: &TestKey) -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        fs::write(root.path().join("callseal.pem"), &key.pem).unwrap();
        fs::write(root.path().join("archive.txt"), "Callseal archive\nTenant: acme\nTarget: vault\n")
            .unwrap();
        let log_key = TestLogKey::new(kind, "callseal.io/acme-1/acme/0a1b2c3d");
        let statement = state(root.path(), &log_key, key);

        let (mut entries, mut sealed, mut bases, mut head) = (Vec::new(), Vec::new(), Vec::new(), None);
        for number in 1..=RECORDINGS {
            let info = info(number, key, head);
            let base = info.base_name();
            let new = seal(&folder, &info, key);
            let reference = Reference::of(b"salt", &info.recording);
            let list = fs::read(folder.join(base.file(Section::HashList))).unwrap();
            entries.push(entry(What::Started { reference: reference.clone() }));
            sealed.push(entries.len());
            entries.push(entry(What::Sealed(Box::new(SealedEntry {
                reference,
                recording: info.recording,
                class: Class::Regulated,
                position: info.position(),
                hash_list: Sha256Hash::of(&list),
                signature: Sha256Hash::of(new.signature.as_bytes()),
                key_id: info.key_id,
                started: base.started(),
                duration: Duration::from_millis(30_020),
                gaps: 2,
                interrupted: false,
                supplement_to: None,
                targets: vec!["vault".into()],
            }))));
            bases.push(base);
            head = Some(new);
        }
        entries.push(entry(What::Heartbeat));
        let leaves: Vec<Sha256Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let checkpoint = Checkpoint {
            origin: log_key.key.name.clone(),
            size: leaves.len() as u64,
            root: root_of(&leaves),
        };
        let signature = log_key.sign(&checkpoint.body());
        let checkpoint = SignedCheckpoint::new(checkpoint, &log_key.key, signature).unwrap().to_bytes();
        for (base, at) in bases.iter().zip(sealed) {
            let proof = LogProof {
                entry: entries[at].clone(),
                index: at as u64,
                hashes: path_of(at, &leaves),
                checkpoint: checkpoint.clone(),
            };
            proof.verify(&log_key.key).unwrap();
            fs::write(folder.join(base.file(Section::LogProof)), proof.to_bytes()).unwrap();
        }
        Self { root, bases, statement }
    }

    /// A copy that may be damaged.
    pub fn copy(&self) -> Self {
        let root = tempfile::tempdir().unwrap();
        run("cp", &["-R", ".", root.path().to_str().unwrap()], self.root.path());
        Self { root, bases: self.bases.clone(), statement: self.statement.clone() }
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    pub fn folder(&self) -> PathBuf {
        self.path().join(FOLDER)
    }

    /// The base name of the `number`-th recording, from 1.
    pub fn base(&self, number: usize) -> &str {
        self.bases[number - 1].as_str()
    }

    pub fn file(&self, number: usize, section: Section) -> PathBuf {
        self.folder().join(self.bases[number - 1].file(section))
    }

    /// Removes all files of the `number`-th recording.
    pub fn take_away(&self, number: usize) {
        for file in fs::read_dir(self.folder()).unwrap() {
            let file = file.unwrap();
            if file.file_name().to_str().is_some_and(|name| name.starts_with(self.base(number))) {
                fs::remove_file(file.path()).unwrap();
            }
        }
    }

    /// The statement of the log's key.
    pub fn statement(&self) -> PathBuf {
        self.path().join("log/acme").join(&self.statement)
    }

    /// Changes the text of a file; what is to be changed must stand in it.
    pub fn change(&self, path: &Path, from: &str, to: &str) {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }
}

/// Writes the statement of the log's key and its signature; returns the statement's path in the log.
pub fn state(root: &Path, log_key: &TestLogKey, key: &TestKey) -> String {
    let statement = LogKeyStatement {
        key: log_key.key.clone(),
        from: "2026-11-22T08:00:00Z".parse().unwrap(),
        signed_by: key.certificate.public_key().id(),
    };
    let log = root.join("log/acme");
    fs::create_dir_all(log.join("keys")).unwrap();
    let text = statement.to_text();
    fs::write(log.join(statement.path()), &text).unwrap();
    fs::write(log.join(statement.signature_path()), key.sign(text.as_bytes()).to_file()).unwrap();
    statement.path()
}

fn entry(what: What) -> Vec<u8> {
    let at: Timestamp = "2026-11-22T09:16:00Z".parse().unwrap();
    Entry { at, tenant: "acme".parse().unwrap(), what }.to_bytes()
}

/// RFC 6962 § 2.1: the largest power of two below `n`.
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

fn root_of(leaves: &[Sha256Hash]) -> Sha256Hash {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

/// RFC 6962 § 2.1.1.
fn path_of(at: usize, leaves: &[Sha256Hash]) -> Vec<Sha256Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, sibling) = if at < left.len() {
        (path_of(at, left), root_of(right))
    } else {
        (path_of(at - left.len(), right), root_of(left))
    };
    path.push(sibling);
    path
}
