//! Archives as a signer makes them, with a key that openssl holds.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use domain::{Direction, RecordingId, Sensitive, Side};
use evidence::{
    BaseName, Certificate, Channel, Documents, Gap, GapCause, HashedFile, Info, LaneHead, Participant,
    Person, Section, Signature,
    verify::{Folder, Keyring, Report, verify},
};
use jiff::{Timestamp, tz::TimeZone};

/// Runs `program` in `folder`; panics with its words if it fails.
pub fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}{}",
        words(&output.stdout),
        words(&output.stderr)
    );
    words(&output.stdout)
}

/// An RSA key in a file, and its certificate.
pub struct TestKey {
    folder: tempfile::TempDir,
    pub certificate: Certificate,
    pub pem: String,
}

impl TestKey {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        run("openssl", &["genrsa", "-out", "key.pem", "3072"], folder.path());
        let request = [
            "req", "-x509", "-new", "-key", "key.pem", "-subj", "/CN=test", "-days", "3650", "-out",
            "cert.pem",
        ];
        run("openssl", &request, folder.path());
        let pem = fs::read_to_string(folder.path().join("cert.pem")).unwrap();
        Self { folder, certificate: Certificate::from_pem(&pem).unwrap(), pem }
    }

    pub fn sign(&self, message: &[u8]) -> Signature {
        fs::write(self.folder.path().join("message"), message).unwrap();
        run(
            "openssl",
            &["dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "message"],
            self.folder.path(),
        );
        Signature::new(fs::read(self.folder.path().join("signature")).unwrap())
    }
}

/// What is known of the `number`-th call; from 1.
pub fn info(number: u32, key: &TestKey, previous: Option<LaneHead>) -> Info {
    let person =
        |number: &str, name: &str| Person { number: Sensitive::from(number), name: Sensitive::from(name) };
    let (caller, callee) = (person("+4970311234", "Jörg \"Joe\"\nMüller"), person("*21", ""));
    let started: Timestamp = format!("2026-11-22T09:15:{:02}.123Z", 30 + number).parse().unwrap();
    let channel =
        |side, packets_lost| Channel { side, codec: "PCMA".into(), packets_received: 1500, packets_lost };
    let gap = |channel, first_sample, samples, cause| Gap {
        channel,
        first_sample,
        samples,
        sample_rate_hz: 8000,
        cause,
    };
    Info {
        started: started.to_zoned(TimeZone::get("Europe/Berlin").unwrap()),
        recording: recording(number),
        call_id: format!("call-{number}"),
        lane: domain::Lane { tenant: "acme".parse().unwrap(), class: domain::Class::Regulated },
        rule: "advisers".into(),
        direction: Direction::In,
        caller: caller.clone(),
        callee: callee.clone(),
        answered: Some("2026-11-22T09:15:40Z".parse().unwrap()),
        duration: Duration::from_millis(30_020),
        channels: vec![channel(Side::Caller, 0), channel(Side::Callee, 1)],
        interrupted: None,
        consent: None,
        started_by_hand: None,
        stopped: None,
        gaps: vec![gap(2, 0, 320, GapCause::LateStart), gap(2, 98_720, 160, GapCause::Lost)],
        product: "Callseal 0.1.0".into(),
        installation: "acme-1".into(),
        key_id: key.certificate.public_key().id(),
        previous,
        files: Vec::new(),
        participants: vec![
            Participant { side: Some(Side::Caller), person: caller },
            Participant { side: None, person: callee },
        ],
        supplement: None,
        more: vec![("Note".into(), "a\tb".into())],
    }
}

pub fn recording(number: u32) -> RecordingId {
    format!("01949c3e-7a5b-7000-8000-{number:012}").parse().unwrap()
}

/// Five recordings of one lane and the certificate, in a folder.
pub struct TestArchive {
    pub folder: tempfile::TempDir,
    pub bases: Vec<BaseName>,
}

impl TestArchive {
    pub fn new(key: &TestKey) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("callseal.pem"), &key.pem).unwrap();
        let mut head = None;
        let mut bases = Vec::new();
        for number in 1..=5 {
            let info = info(number, key, head);
            let sealed = seal(folder.path(), &info, key);
            bases.push(info.base_name());
            head = Some(sealed);
        }
        Self { folder, bases }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file of the `number`-th recording, from 1.
    pub fn file(&self, number: usize, section: Section) -> PathBuf {
        self.path().join(self.bases[number - 1].file(section))
    }

    /// All files of the `number`-th recording.
    pub fn files(&self, number: usize) -> Vec<PathBuf> {
        let all = [Section::STEREO, Section::Info, Section::Journal, Section::HashList, Section::Signature];
        all.map(|section| self.file(number, section)).to_vec()
    }

    /// Verified with the certificate that lies in it.
    pub fn verify(&self) -> Report {
        let mut folder = Folder::new();
        folder.add(self.path()).unwrap();
        let mut keys = Keyring::new();
        assert!(keys.add_from(&folder).is_empty());
        verify(&folder, &keys).unwrap()
    }
}

/// Writes all files of a recording as a signer does, and returns the lane's new head.
pub fn seal(folder: &Path, info: &Info, key: &TestKey) -> LaneHead {
    let base = info.base_name();
    let audio = vec![0xd5; 480_320];
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
    LaneHead { position: info.position(), recording: info.recording, signature }
}
