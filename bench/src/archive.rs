//! A large archive, made the way a signer and a shipper make it, only faster: keys in memory, short
//! audio, all of it within a few minutes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Class, Direction, Lane, RecordingId, Sensitive, Side};
use evidence::{
    Certificate, Channel, Documents, HashedFile, Info, LaneHead, Person, Section, Sha256Hash, Signature,
    log::{
        Checkpoint, Entry, Frontier, LogFiles, LogKey, LogKeyStatement, LogProof, LogPublicKey, Outcome,
        Reference, SealedEntry, SignedCheckpoint, What, leaf_hash,
        tiles::{checkpoint_path, grow, inclusion},
    },
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};

/// Recordings under one checkpoint, and in one folder.
const TOGETHER: u64 = 500;
/// Each of so many is meant for another target alone.
const ELSEWHERE: u64 = 10;
const TENANT: &str = "acme";
const TARGET: &str = "vault";

/// An archive that grows.
pub struct LargeArchive {
    top: PathBuf,
    keys: Keys,
    frontier: Frontier,
    head: Option<LaneHead>,
    now: Timestamp,
    /// Recordings that were sealed, here or elsewhere.
    sealed: u64,
    /// Of them here.
    pub here: u64,
}

struct Keys {
    rsa: RsaKeyPair,
    certificate: Certificate,
    log: Ed25519KeyPair,
    log_key: LogKey,
}

impl Keys {
    /// An RSA-2048 key (it signs four times as fast as one of 3072 bits, and is verified the same way)
    /// with its certificate, and a log key.
    fn new(folder: &Path) -> anyhow::Result<Self> {
        openssl(folder, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER -out key.der")?;
        openssl(folder, "pkey -inform DER -in key.der -out key.pem")?;
        openssl(folder, "req -x509 -new -key key.pem -subj /CN=bench -days 3650 -out callseal.pem")?;
        let der = fs::read(folder.join("key.der"))?;
        // Versions of OpenSSL differ in which of the two forms this is.
        let rsa = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der));
        let rsa = rsa.ok().context("ring does not take the key")?;
        fs::remove_file(folder.join("key.der"))?;
        fs::remove_file(folder.join("key.pem"))?;
        let certificate = Certificate::from_pem(&fs::read_to_string(folder.join("callseal.pem"))?)?;
        let random = SystemRandom::new();
        let log = Ed25519KeyPair::generate_pkcs8(&random).ok().context("no random numbers")?;
        let log = Ed25519KeyPair::from_pkcs8(log.as_ref()).ok().context("ring does not take its own key")?;
        let public = LogPublicKey::Ed25519(log.public_key().as_ref().try_into()?);
        let log_key = LogKey { name: format!("callseal.io/bench/{TENANT}/0a1b2c3d"), public };
        Ok(Self { rsa, certificate, log, log_key })
    }

    fn sign(&self, message: &[u8]) -> anyhow::Result<Signature> {
        let mut signature = vec![0; self.rsa.public().modulus_len()];
        let signed = self.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.ok().context("signing failed")?;
        Ok(Signature::new(signature))
    }
}

fn openssl(folder: &Path, arguments: &str) -> anyhow::Result<()> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output()?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The log's files.
struct LogFolder(PathBuf);

impl LogFiles for LogFolder {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.0.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    fn list(&self, _folder: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

impl LargeArchive {
    /// An empty one at `top`.
    ///
    /// # Errors
    /// openssl is missing, or there is no room.
    pub fn new(top: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(top)?;
        let keys = Keys::new(top)?;
        let label = format!("Callseal archive\nTenant: {TENANT}\nTarget: {TARGET}\n");
        write(&top.join("archive.txt"), label.as_bytes())?;
        let statement = LogKeyStatement {
            key: keys.log_key.clone(),
            from: "2026-01-01T00:00:00Z".parse()?,
            signed_by: keys.certificate.public_key().id(),
        };
        let log = top.join("log").join(TENANT);
        let text = statement.to_text();
        write(&log.join(statement.path()), text.as_bytes())?;
        write(&log.join(statement.signature_path()), &keys.sign(text.as_bytes())?.to_file())?;
        let (frontier, now) = (Frontier::default(), "2026-01-01T08:00:00Z".parse()?);
        Ok(Self { top: top.to_owned(), keys, frontier, head: None, now, sealed: 0, here: 0 })
    }

    /// Seals and delivers until so many recordings are here.
    ///
    /// # Errors
    /// There is no room.
    pub fn grow_to(&mut self, recordings: u64) -> anyhow::Result<()> {
        while self.here < recordings {
            self.some(TOGETHER.min(recordings - self.here))?;
        }
        Ok(())
    }

    /// Some recordings, their checkpoint, their proofs; and an hour of nothing.
    fn some(&mut self, recordings: u64) -> anyhow::Result<()> {
        let (size, root) = (self.frontier.size(), self.frontier.root());
        let folder = self.top.join(format!("2026/{:04}", size / TOGETHER));
        fs::create_dir_all(&folder)?;
        let (mut entries, mut proofs) = (Vec::new(), Vec::new());
        let until = self.here + recordings;
        while self.here < until {
            self.call(&folder, &mut entries, &mut proofs)?;
        }
        self.now += SignedDuration::from_hours(1);
        entries.push(self.entry(What::Heartbeat));
        entries.iter().for_each(|entry| self.frontier.append(leaf_hash(entry)));

        let log = LogFolder(self.top.join("log").join(TENANT));
        let growth = grow(&log, size, root, &entries)?;
        for (path, bytes) in &growth.files {
            write(&log.0.join(path), bytes)?;
        }
        let name = self.keys.log_key.name.clone();
        let head = Checkpoint { origin: name, size: growth.size, root: growth.root };
        let signature = self.keys.log.sign(head.body().as_bytes()).as_ref().to_vec();
        let signed = SignedCheckpoint::new(head.clone(), &self.keys.log_key, signature)?.to_bytes();
        write(&log.0.join(checkpoint_path(head.size)), &signed)?;
        write(&log.0.join("checkpoint"), &signed)?;
        for (path, at) in proofs {
            let (index, entry) = (size + at as u64, entries[at].clone());
            let hashes = inclusion(&log, &head, index)?;
            write(&path, &LogProof { entry, index, hashes, checkpoint: signed.clone() }.to_bytes())?;
        }
        Ok(())
    }

    fn entry(&self, what: What) -> Vec<u8> {
        Entry { at: self.now, tenant: TENANT.parse().expect("it is a token"), what }.to_bytes()
    }

    fn call(
        &mut self,
        folder: &Path,
        entries: &mut Vec<Vec<u8>>,
        proofs: &mut Vec<(PathBuf, usize)>,
    ) -> anyhow::Result<()> {
        self.now += SignedDuration::from_secs(5);
        let is_here = self.sealed % ELSEWHERE != ELSEWHERE - 1;
        let info = self.info()?;
        let reference = Reference::of(b"bench", &info.recording);
        entries.push(self.entry(What::Started { reference: reference.clone() }));
        let (outcome, rule) = (Outcome::Recorded, "bench".to_owned());
        entries.push(self.entry(What::Decided { reference: reference.clone(), outcome, rule }));
        let base = info.base_name();
        let audio = BASE64_STANDARD.encode(info.recording.to_string()).repeat(16).into_bytes();
        let documents = Documents::new(&info, vec![HashedFile::of(base.file(Section::STEREO), &audio)]);
        let signature = self.keys.sign(&documents.hash_list)?;
        let target = if is_here { TARGET } else { "cloud" };
        entries.push(self.entry(What::Sealed(Box::new(SealedEntry {
            reference,
            recording: info.recording,
            class: info.lane.class,
            position: info.position(),
            hash_list: Sha256Hash::of(&documents.hash_list),
            signature: Sha256Hash::of(signature.as_bytes()),
            key_id: info.key_id,
            started: base.started(),
            duration: info.duration,
            gaps: 0,
            interrupted: false,
            supplement_to: None,
            targets: vec![target.to_owned()],
        }))));
        if is_here {
            for (section, bytes) in [
                (Section::STEREO, &audio),
                (Section::Info, &documents.info),
                (Section::Journal, &documents.journal),
                (Section::HashList, &documents.hash_list),
                (Section::Signature, &signature.to_file()),
            ] {
                fs::write(folder.join(base.file(section)), bytes)?;
            }
            proofs.push((folder.join(base.file(Section::LogProof)), entries.len() - 1));
            self.here += 1;
        }
        self.sealed += 1;
        self.head = Some(LaneHead { position: info.position(), recording: info.recording, signature });
        Ok(())
    }

    fn info(&self) -> anyhow::Result<Info> {
        let number = self.sealed;
        let recording: RecordingId = format!("01949c3e-7a5b-7000-8000-{number:012x}").parse()?;
        let person =
            |number: String| Person { number: Sensitive::from(number.as_str()), ..Person::default() };
        let channel = |side| Channel { side, codec: "PCMA".into(), packets_received: 1500, packets_lost: 0 };
        Ok(Info {
            started: self.now.to_zoned(TimeZone::UTC),
            recording,
            call_id: format!("call-{number}"),
            lane: Lane { tenant: TENANT.parse()?, class: Class::Regulated },
            rule: "bench".into(),
            direction: Direction::In,
            caller: person(format!("+4970311{number:06}")),
            callee: person("+4922198765".into()),
            answered: Some(self.now),
            duration: Duration::from_secs(30),
            channels: vec![channel(Side::Caller), channel(Side::Callee)],
            interrupted: None,
            consent: None,
            started_by_hand: None,
            stopped: None,
            gaps: Vec::new(),
            product: "Callseal bench".into(),
            installation: "bench".into(),
            key_id: self.keys.certificate.public_key().id(),
            previous: self.head.clone(),
            files: Vec::new(),
            participants: Vec::new(),
            supplement: None,
            more: Vec::new(),
        })
    }
}
