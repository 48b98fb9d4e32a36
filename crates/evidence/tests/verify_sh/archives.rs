//! Archives as they come: in parts, several at once, with holes, pipes, other certificates, or wrongly
//! asked for.

use std::fs;

use evidence::Section;

use crate::{
    damages::flip,
    provable::{self, Kind, Provable},
    signed::{self, TestKey},
    systems::{Said, System},
};

#[test]
fn an_openssl_that_cannot_ed25519_says_so_and_does_not_pass() {
    let key = TestKey::new();
    let system = System::old_openssl();
    let said = system.verify(&[Provable::new(Kind::Ed25519, &key).path()]);
    assert_eq!(said.code, 2, "{said}");
    assert!(said.has("part   ") && said.has("use OpenSSL 3") && !said.has("all good"), "{said}");
    // It can what a log key of the other kind needs.
    let said = system.verify(&[Provable::new(Kind::P256, &key).path()]);
    assert_eq!(said.code, 0, "{said}");
}

#[test]
fn recordings_away_from_the_log_are_judged_by_what_they_hold_and_what_was_not_checked_is_said() {
    let key = TestKey::new();
    let archive = Provable::new(Kind::P256, &key);
    let system = System::shell(&["dash"]);
    fs::remove_dir_all(archive.path().join("log")).unwrap();
    let said = system.verify(&[archive.path()]);
    assert_eq!(said.code, 2, "{said}");
    assert!(said.has("log/acme/keys") && said.has("of 3 not everything could be checked"), "{said}");
    // archive.txt still says that there was one, and so that there have to be proofs.
    fs::remove_file(archive.file(1, Section::LogProof)).unwrap();
    let said = system.verify(&[archive.path()]);
    assert!(said.code == 1 && said.has("(_log-proof.txt) is missing"), "{said}");
    // Without anything that speaks of a log there need not be any.
    fs::remove_file(archive.path().join("archive.txt")).unwrap();
    for number in 2..=3 {
        fs::remove_file(archive.file(number, Section::LogProof)).unwrap();
    }
    let said = system.verify(&[archive.path()]);
    assert_eq!(said.code, 0, "{said}");
    assert!(said.has(&format!("ok     {} (without log proof)\n", archive.base(2))), "{said}");
}

#[test]
fn a_hole_in_a_chain_is_never_all_good() {
    let key = TestKey::new();
    for system in [System::shell(&["dash"]), System::busybox(), System::bsd()] {
        let archive = Provable::new(Kind::P256, &key);
        archive.take_away(2);
        let said = system.verify(&[archive.path()]);
        assert_eq!(said.code, 2, "{said}");
        assert!(said.has("1 from position 2 are not here") && said.has("a chain has holes"), "{said}");
        assert!(said.has("use callseal verify") && !said.has("all good"), "{said}");
        // Two kinds of doubt are both said; what is wrong outweighs them.
        fs::remove_dir_all(archive.path().join("log")).unwrap();
        let said = system.verify(&[archive.path()]);
        assert_eq!(said.code, 2, "{said}");
        assert!(said.has("of 2 not everything could be checked, and a chain has holes"), "{said}");
        flip(&archive, 3, Section::STEREO, 44);
        assert_eq!(system.verify(&[archive.path()]).code, 1);
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let key = TestKey::new();
    // Who waits for ever is killed, and has no exit code.
    let system = System::shell(&["timeout", "-s", "KILL", "60", "dash"]);
    let good = Provable::new(Kind::Ed25519, &key);
    let pipe = |path: &std::path::Path| {
        let _absent = fs::remove_file(path);
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    for section in [Section::STEREO, Section::Info, Section::HashList, Section::Signature, Section::LogProof]
    {
        let archive = good.copy();
        pipe(&archive.file(2, section));
        let said = system.verify(&[archive.path()]);
        assert_eq!(said.code, 1, "{said}");
        let line = said.line(&|line| line.starts_with(&format!("WRONG  {}: ", archive.base(2))));
        assert!(line.contains("is no regular file"), "{said}");
        assert!(said.has(&format!("ok     {}\n", archive.base(3))), "{said}");
        let said = system.verify(&[&archive.file(2, Section::Journal)]);
        assert!(said.code == 1 && said.has("is no regular file"), "{said}");
    }
    let archive = good.copy();
    pipe(&archive.path().join("other.pem"));
    pipe(&archive.path().join("archive.txt"));
    let said = system.verify(&[archive.path()]);
    assert_eq!(said.code, 0, "{said}");
    pipe(archive.statement().with_extension("txt.SHA256withRSA.sig").as_path());
    let said = system.verify(&[archive.path()]);
    assert!(said.code == 1 && said.has("not signed by the key that it names"), "{said}");
    pipe(&archive.statement());
    let said = system.verify(&[archive.path()]);
    assert!(said.code == 2 && said.has("the statement of the log's key"), "{said}");
}

#[test]
fn archives_below_one_folder_have_chains_of_their_own() {
    // Two installations: the same tenant and class, other keys and recordings.
    let keys = [TestKey::new(), TestKey::new()];
    let top = tempfile::tempdir().unwrap();
    for (name, key) in ["one", "two"].iter().zip(&keys) {
        let archive = Provable::new(Kind::P256, key);
        signed::run("cp", &["-R", ".", top.path().join(name).to_str().unwrap()], archive.path());
    }
    for system in [System::shell(&["dash"]), System::busybox(), System::bsd()] {
        let said = system.verify(&[top.path()]);
        assert_eq!(said.code, 0, "{said}");
        for name in ["one", "two"] {
            let folder = top.path().canonicalize().unwrap().join(name);
            let chain = format!(
                "chain  acme/regulated in {}: 3 recordings, from position 1 to 3\n",
                folder.display()
            );
            assert!(said.has(&chain), "{said}");
        }
    }
    // What was mixed up is still found: a recording of the one in a folder of the other.
    let (from, to) = (top.path().join("one").join(provable::FOLDER), top.path().join("two/2026 12"));
    signed::run("cp", &["-R", ".", to.to_str().unwrap()], &from);
    let said = System::shell(&["dash"]).verify(&[top.path()]);
    assert!(said.code == 1 && said.has("the chain was forked"), "{said}");
}

#[test]
fn only_certificates_that_were_given_are_trusted() {
    let (key, other) = (TestKey::new(), TestKey::new());
    let archive = Provable::new(Kind::Ed25519, &key);
    let system = System::shell(&["dash"]);
    let pem = tempfile::tempdir().unwrap();
    let (right, wrong) = (pem.path().join("the right.pem"), pem.path().join("wrong.pem"));
    fs::write(&right, &key.pem).unwrap();
    fs::write(&wrong, &other.pem).unwrap();
    let with = |certificate: &std::path::Path| {
        system.run(&["-c".as_ref(), certificate.as_os_str(), archive.path().as_os_str()])
    };
    let said = with(&wrong);
    assert!(said.code == 1 && said.has("there is no certificate of the key"), "{said}");
    let said = with(&right);
    assert!(said.code == 0 && !said.has("found beside the archive"), "{said}");
    let said = with(&archive.file(1, Section::Info));
    assert!(said.code == 2 && said.error.contains("is no certificate"), "{said}");
}

#[test]
fn one_recording_can_be_checked_by_any_of_its_files_and_holes_are_said() {
    let key = TestKey::new();
    let archive = Provable::new(Kind::Ed25519, &key);
    let system = System::shell(&["dash"]);
    let said = system.verify(&[&archive.file(3, Section::STEREO)]);
    assert_eq!(said.code, 0, "{said}");
    assert!(said.has("1 recordings verified: all good") && said.has("2 before them are not here"), "{said}");
    let said = system.verify(&[&archive.file(1, Section::Info), &archive.file(3, Section::Info)]);
    assert!(said.code == 2 && said.has("1 from position 2 are not here"), "{said}");
}

#[test]
fn a_chain_that_does_not_continue_is_wrong() {
    let key = TestKey::new();
    let archive = Provable::new(Kind::Ed25519, &key);
    // Another second recording, sealed after the first by the same key: the chain is forked, and the
    // third continues only one of them.
    let folder = archive.path().join("fork");
    fs::create_dir(&folder).unwrap();
    let first = evidence::ParsedInfo::parse(&fs::read(archive.file(1, Section::Info)).unwrap());
    let signature = fs::read(archive.file(1, Section::Signature)).unwrap();
    let head = evidence::LaneHead {
        position: 1,
        recording: first.recording().unwrap(),
        signature: evidence::Signature::parse(&signature).unwrap(),
    };
    let mut info = signed::info(2, &key, Some(head));
    info.recording = signed::recording(9);
    signed::seal(&folder, &info, &key);
    let said = System::shell(&["dash"]).verify(&[archive.path()]);
    assert!(said.code == 1 && said.has("claims the same place in the chain as"), "{said}");
    assert!(said.has("does not continue the chain after"), "{said}");
}

#[test]
fn wrong_usage_is_code_2_and_says_how() {
    let system = System::shell(&["dash"]);
    let dir = tempfile::tempdir().unwrap();
    let none: Said = system.run(&[]);
    assert!(none.code == 2 && none.error.contains("usage: "), "{none}");
    let empty = system.verify(&[dir.path()]);
    assert!(empty.code == 2 && empty.error.contains("there is no recording"), "{empty}");
    let missing = system.verify(&[&dir.path().join("nothing")]);
    assert!(missing.code == 2 && missing.error.contains("is not there"), "{missing}");
}
