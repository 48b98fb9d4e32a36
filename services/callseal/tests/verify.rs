//! `callseal verify` as an auditor's script sees it: what it prints and how it exits.

#[path = "../../../crates/evidence/tests/signed/mod.rs"]
mod signed;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use evidence::Section;
use signed::{TestArchive, TestKey, run};

fn verify(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callseal"));
    command.arg("verify").args(arguments).current_dir(folder).output().unwrap()
}

/// Exit code and everything that was printed.
fn outcome(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let output = verify(arguments, folder);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_good_archive_exits_0_with_a_line_for_each_recording_and_lane() {
    let archive = TestArchive::new(&TestKey::new());
    let (code, text) = outcome(&["."], archive.path());
    assert_eq!(code, Some(0), "{text}");
    for base in &archive.bases {
        assert!(text.contains(&format!("ok     {}\n", base.as_str())), "{text}");
    }
    let lane = "acme/regulated: 5 recordings, chain complete from 1 (2026-11-22 09:15:31 UTC) to 5 (2026-11-22 09:15:35 UTC)\n";
    assert!(text.contains(lane), "{text}");
    let end = "5 recordings verified: each is good, but NO LOG is here that tells whether some are missing at the end\n";
    assert!(text.ends_with(end), "{text}");
    assert!(text.contains("no log here: that the end of the chain is whole was NOT CHECKED"), "{text}");
    let (code, text) = outcome(&["--log", "required", "."], archive.path());
    assert!(code == Some(1) && text.contains("SOMETHING IS WRONG"), "{text}");
    let (code, text) = outcome(&["--log", "maybe", "."], archive.path());
    assert_eq!(code, Some(2), "{text}");
}

#[test]
fn whatever_is_wrong_exits_1_and_is_named() {
    let archive = TestArchive::new(&TestKey::new());
    let path = archive.file(2, Section::Info);
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    archive.files(4).into_iter().for_each(|path| fs::remove_file(path).unwrap());
    fs::write(archive.path().join("a\u{1b}[31mb.wav"), "x").unwrap();
    let (code, text) = outcome(&["."], archive.path());
    assert_eq!(code, Some(1), "{text}");
    let base = archive.bases[1].as_str();
    assert!(
        text.contains(&format!("WRONG  {base}\n       {base}_info.txt: changed since it was signed\n")),
        "{text}"
    );
    assert!(text.contains("CHAIN BROKEN") && text.contains("position 4 is missing"), "{text}");
    assert!(text.contains("a\u{fffd}[31mb.wav\n       belongs to no recording"), "{text}");
    assert!(text.lines().last().unwrap().contains("SOMETHING IS WRONG"), "{text}");
}

#[test]
fn an_archive_without_its_beginning_is_good_unless_it_has_to_be_complete() {
    let archive = TestArchive::new(&TestKey::new());
    archive.files(1).into_iter().for_each(|path| fs::remove_file(path).unwrap());
    let (code, text) = outcome(&["."], archive.path());
    assert!(code == Some(0) && text.contains("the 1 before are not in this archive"), "{code:?} {text}");
    let (code, text) = outcome(&["--complete", "."], archive.path());
    assert!(code == Some(1) && text.contains("the 1 before are MISSING"), "{code:?} {text}");
}

#[test]
fn certificates_are_found_above_the_archive_and_a_given_one_excludes_all_others() {
    let key = TestKey::new();
    let archive = TestArchive::new(&key);
    let (data, year) = (tempfile::tempdir().unwrap(), "archive/2026");
    fs::create_dir_all(data.path().join(year)).unwrap();
    fs::write(data.path().join("callseal.pem"), &key.pem).unwrap();
    for path in archive.files(1) {
        fs::copy(&path, data.path().join(year).join(path.file_name().unwrap())).unwrap();
    }
    let (code, text) = outcome(&[year], data.path());
    assert_eq!(code, Some(0), "{text}");

    fs::write(data.path().join("other.crt"), TestKey::new().pem).unwrap();
    let (code, text) = outcome(&["--certificate", "other.crt", year], data.path());
    assert!(code == Some(1) && text.contains("there is no certificate of the key"), "{text}");
    let (code, text) = outcome(&["--certificate", "callseal.pem", year], data.path());
    assert_eq!(code, Some(0), "{text}");
    let shown =
        run("openssl", &["x509", "-in", "callseal.pem", "-noout", "-fingerprint", "-sha256"], data.path());
    let fingerprint = shown.trim().split('=').nth(1).unwrap().replace(':', "").to_lowercase();
    assert!(text.contains(&fingerprint), "{text}");
}

#[test]
fn nothing_to_verify_exits_2() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["."][..], &["no-such-folder"], &[], &["--certificate", "missing.pem", "."]] {
        let (code, text) = outcome(arguments, folder.path());
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
    }
}

#[test]
fn a_quorum_that_the_given_witnesses_can_never_reach_is_refused() {
    let archive = TestArchive::new(&TestKey::new());
    let (code, text) = outcome(&["--witness-quorum", "1", "."], archive.path());
    assert!(code == Some(2) && text.contains("--witness"), "{text}");
    let key = evidence::log::WitnessKey::new("auditor.example", [7; 32]).unwrap().vkey();
    let twice = ["--witness", &key, "--witness", &key, "--witness-quorum", "2", "."];
    let (code, text) = outcome(&twice, archive.path());
    assert!(code == Some(2) && text.contains("1 different witnesses were given"), "{text}");
}
