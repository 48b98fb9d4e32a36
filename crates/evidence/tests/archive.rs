//! An archive of five recordings, and every way to tamper with it: each is named.

mod signed;

use std::fs;

use evidence::{
    ChainProblem, Section,
    verify::{Finding, Folder, Keyring, ProblemOfFile, Report, verify},
};
use signed::{TestArchive, TestKey, info, recording, seal};

/// What is wrong with each recording, as texts; position 0 is the first recording.
fn findings(report: &Report) -> Vec<Vec<String>> {
    let texts = |findings: &[Finding]| findings.iter().map(ToString::to_string).collect();
    report.recordings.iter().map(|recording| texts(&recording.findings)).collect()
}

/// Asserts that only the `number`-th recording has findings.
fn only(report: &Report, number: usize) -> &[Finding] {
    assert!(!report.is_good());
    for (index, recording) in report.recordings.iter().enumerate() {
        assert_eq!(recording.findings.is_empty(), index + 1 != number, "{index}: {:?}", findings(report));
    }
    &report.recordings[number - 1].findings
}

#[test]
fn an_untouched_archive_is_good_and_its_chain_complete() {
    let archive = TestArchive::new(&TestKey::new());
    let report = archive.verify();
    assert!(report.is_good(), "{report:?}");
    assert_eq!(report.recordings.len(), 5);
    let lane = &report.lanes[0];
    assert_eq!(
        (lane.lane.to_string().as_str(), lane.recordings, lane.positions, lane.missing_before),
        ("acme/regulated", 5, (1, 5), 0)
    );
}

#[test]
fn one_flipped_byte_in_any_file_is_found_in_the_recording_it_belongs_to() {
    let archive = TestArchive::new(&TestKey::new());
    for number in 1..=5 {
        for path in archive.files(number) {
            let whole = fs::read(&path).unwrap();
            for at in [0, whole.len() / 2, whole.len() - 2] {
                let mut flipped = whole.clone();
                flipped[at] ^= 1;
                fs::write(&path, &flipped).unwrap();
                let report = archive.verify();
                assert!(!only(&report, number).is_empty(), "{}: byte {at}", path.display());
            }
            fs::write(&path, &whole).unwrap();
        }
    }
    assert!(archive.verify().is_good());
}

#[test]
fn a_changed_file_is_named() {
    let archive = TestArchive::new(&TestKey::new());
    let path = archive.file(3, Section::STEREO);
    let mut bytes = fs::read(&path).unwrap();
    bytes[44] ^= 0x80;
    fs::write(&path, bytes).unwrap();
    let report = archive.verify();
    let name = archive.bases[2].file(Section::STEREO);
    assert_eq!(findings(&report)[2], [format!("{name}: changed since it was signed")]);
    assert!(report.lanes[0].problems.is_empty());
}

#[test]
fn a_missing_file_is_named() {
    for (section, text) in [
        (Section::STEREO, None),
        (Section::Info, None),
        (Section::Journal, None),
        (Section::HashList, Some("the hash list (_hash.txt) is missing")),
        (Section::Signature, Some("the signature (_hash.SHA256withRSA.sig) is missing")),
    ] {
        let archive = TestArchive::new(&TestKey::new());
        fs::remove_file(archive.file(2, section)).unwrap();
        let report = archive.verify();
        let missing = format!("{}: missing", archive.bases[1].file(section));
        let texts = &findings(&report)[1];
        assert!(texts.iter().any(|found| *found == text.unwrap_or(&missing)), "{section}: {texts:?}");
    }
}

#[test]
fn an_added_file_is_named_wherever_it_is_put() {
    let archive = TestArchive::new(&TestKey::new());
    for name in
        [archive.bases[3].file(Section::wav(None, 2)), format!("{}_note.txt", archive.bases[3].as_str())]
    {
        fs::write(archive.path().join(&name), "x").unwrap();
        let report = archive.verify();
        assert_eq!(findings(&report)[3], [format!("{name}: added: the hash list does not name it")]);
        fs::remove_file(archive.path().join(&name)).unwrap();
    }
    fs::write(archive.path().join("call.wav"), "x").unwrap();
    let report = archive.verify();
    assert!(
        !report.is_good() && report.strays.len() == 1 && report.strays[0].ends_with("/call.wav"),
        "{report:?}"
    );
}

#[test]
fn a_recording_taken_out_of_the_middle_is_named() {
    let archive = TestArchive::new(&TestKey::new());
    archive.files(3).into_iter().for_each(|path| fs::remove_file(path).unwrap());
    let report = archive.verify();
    assert!(!report.is_good());
    let missing = ChainProblem::MissingOne { position: 3, recording: recording(3), successor: recording(4) };
    assert_eq!(report.lanes[0].problems.first, [missing]);

    archive.files(2).into_iter().for_each(|path| fs::remove_file(path).unwrap());
    let missing =
        ChainProblem::MissingSome { from: 2, to: 3, recording: recording(3), successor: recording(4) };
    assert_eq!(archive.verify().lanes[0].problems.first, [missing]);
}

#[test]
fn a_recording_whose_info_was_changed_is_not_called_missing() {
    let archive = TestArchive::new(&TestKey::new());
    let path = archive.file(3, Section::Info);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("Tenant: acme", "Tenant: beta")).unwrap();
    let report = archive.verify();
    assert_eq!(only(&report, 3).len(), 1);
    assert_eq!(report.lanes.len(), 1);
    assert_eq!(
        report.lanes[0].problems.first,
        [ChainProblem::Unplaced { position: 3, recording: recording(3) }]
    );
}

#[test]
fn the_beginning_may_lie_elsewhere_and_is_counted() {
    let archive = TestArchive::new(&TestKey::new());
    archive.files(1).into_iter().for_each(|path| fs::remove_file(path).unwrap());
    let report = archive.verify();
    assert!(report.is_good());
    assert_eq!((report.lanes[0].missing_before, report.lanes[0].positions), (1, (2, 5)));
}

#[test]
fn swapped_signatures_are_found_in_both_recordings() {
    let archive = TestArchive::new(&TestKey::new());
    let (a, b) = (archive.file(2, Section::Signature), archive.file(4, Section::Signature));
    let (first, second) = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
    fs::write(&a, second).unwrap();
    fs::write(&b, first).unwrap();
    let report = archive.verify();
    for number in [2, 4] {
        let found = &report.recordings[number - 1].findings;
        assert!(matches!(found.as_slice(), [Finding::WrongSignature { key: Some(_) }]), "{found:?}");
    }
}

#[test]
fn a_recording_sealed_anew_with_the_right_key_is_betrayed_by_its_successor() {
    let key = TestKey::new();
    let archive = TestArchive::new(&key);
    let mut forged = info(3, &key, None);
    let honest = fs::read(archive.file(2, Section::Signature)).unwrap();
    let signature = evidence::Signature::parse(&honest).unwrap();
    forged.previous = Some(evidence::LaneHead { position: 2, recording: recording(2), signature });
    forged.rule = "another".into();
    seal(archive.path(), &forged, &key);
    let report = archive.verify();
    assert!(
        report.recordings.iter().all(|recording| recording.findings.is_empty()),
        "{:?}",
        findings(&report)
    );
    let changed = ChainProblem::OtherSignature { recording: recording(4), previous: recording(3) };
    assert_eq!(report.lanes[0].problems.first, [changed]);
}

#[test]
fn an_archive_signed_anew_with_another_key_fails_against_the_true_certificate() {
    let (key, forger) = (TestKey::new(), TestKey::new());
    let archive = TestArchive::new(&forger);
    let mut folder = Folder::new();
    folder.add(archive.path()).unwrap();
    let mut keys = Keyring::new();
    keys.add(key.certificate.clone());
    let report = verify(&folder, &keys).unwrap();
    let named = forger.certificate.public_key().id();
    for recording in &report.recordings {
        assert_eq!(recording.findings, [Finding::NoCertificate(named)]);
    }
    let report = verify(&folder, &Keyring::new()).unwrap();
    assert!(report.recordings.iter().all(|recording| recording.findings == [Finding::NoCertificates]));
}

#[test]
fn one_recording_can_be_verified_by_the_name_of_any_of_its_files() {
    let key = TestKey::new();
    let archive = TestArchive::new(&key);
    fs::remove_file(archive.file(4, Section::STEREO)).unwrap();
    let mut keys = Keyring::new();
    keys.add(key.certificate.clone());
    for (number, good) in [(2, true), (4, false)] {
        let mut folder = Folder::new();
        folder.add(&archive.file(number, Section::Signature)).unwrap();
        let report = verify(&folder, &keys).unwrap();
        assert_eq!((report.recordings.len(), report.is_good()), (1, good), "{report:?}");
    }
}

#[test]
fn copies_of_an_archive_in_two_folders_do_not_fork_the_chain() {
    let key = TestKey::new();
    let archive = TestArchive::new(&key);
    let copy = archive.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for path in (1..=5).flat_map(|number| archive.files(number)) {
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    let report = archive.verify();
    assert!(report.is_good(), "{report:?}");
    assert_eq!((report.recordings.len(), report.lanes[0].recordings), (10, 5));
}

#[test]
fn a_hash_list_that_names_files_of_another_recording_is_refused() {
    let key = TestKey::new();
    let archive = TestArchive::new(&key);
    // Signed by the right key: what it says is still not about its own files.
    let list = fs::read(archive.file(1, Section::HashList)).unwrap();
    fs::write(archive.file(2, Section::HashList), &list).unwrap();
    fs::write(archive.file(2, Section::Signature), key.sign(&list).to_file()).unwrap();
    let report = archive.verify();
    let found = &report.recordings[1].findings;
    let problems = |problem: ProblemOfFile| {
        found.iter().filter(|f| matches!(f, Finding::File { problem: p, .. } if *p == problem)).count()
    };
    assert_eq!((problems(ProblemOfFile::Foreign), problems(ProblemOfFile::Added)), (3, 3), "{found:?}");
}

#[test]
fn nothing_that_lies_in_an_archive_makes_verification_panic() {
    let archive = TestArchive::new(&TestKey::new());
    for path in archive.files(1) {
        fs::write(path, [0xff, 0x00, b'\n', 0xc3]).unwrap();
    }
    fs::write(
        archive.path().join("other.pem"),
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let mut folder = Folder::new();
    folder.add(archive.path()).unwrap();
    let mut keys = Keyring::new();
    assert_eq!(keys.add_from(&folder).len(), 1);
    assert!(!verify(&folder, &keys).unwrap().is_good());
}
