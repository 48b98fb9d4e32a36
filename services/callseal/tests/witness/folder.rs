//! The key and the memory of a witness: made once, kept whole, never shared.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use harness::{programs, witness::Witness};

use super::{log::TestLog, talk::post};

const NAME: &str = "audit.example/callseal";

/// What `callseal witness …` says, and whether it was content.
fn said(arguments: &[&str]) -> (bool, String) {
    // One that starts although it must not would never end.
    let mut command = Command::new("timeout");
    command.arg("60").arg(programs::own("callseal").unwrap()).arg("witness").args(arguments);
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn the_key_is_made_once_and_is_the_owners_alone() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("witness");
    let place = folder.to_str().unwrap();
    let (good, text) = said(&["key", "--data", place]);
    assert!(!good && text.contains("say with --name"), "{text}");
    assert!(!folder.join("key").exists());
    let (good, text) = said(&["key", "--data", place, "--name", "two words"]);
    assert!(!good && text.contains("no spaces"), "{text}");

    let vkey = Witness::key(&folder, NAME).unwrap();
    assert!(vkey.starts_with(&format!("{NAME}+")), "{vkey}");
    assert_eq!(fs::metadata(folder.join("key")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(said(&["key", "--data", place]), (true, format!("{vkey}\n")));
    assert_eq!(said(&["--data", place, "key"]), (true, format!("{vkey}\n")));
    let (good, text) = said(&["key", "--data", place, "--name", "other.example"]);
    assert!(!good && text.contains("the name is fixed"), "{text}");

    fs::write(folder.join("key"), "PRIVATE+KEY+audit.example/callseal+00000000+AAAA\n").unwrap();
    let (good, text) = said(&["key", "--data", place]);
    assert!(!good && text.contains("bring it back from a backup"), "{text}");
}

#[test]
fn a_witness_without_a_log_and_a_second_one_in_the_same_folder_do_not_start() {
    let data = tempfile::tempdir().unwrap();
    let place = data.path().to_str().unwrap();
    let (good, text) = said(&["--data", place, "--name", NAME]);
    assert!(!good && text.contains("--log"), "{text}");
    let log = TestLog::new(3, None);
    let (good, text) = said(&["--data", place, "--name", NAME, "--log", "not a key"]);
    assert!(!good && text.contains("verifier key"), "{text}");

    let witness = Witness::start(data.path(), NAME, &[log.vkey()]).unwrap();
    let (good, text) = said(&["--data", place, "--listen", "127.0.0.1:0", "--log", &log.vkey()]);
    assert!(!good && text.contains("another witness works in"), "{text}");
    // Showing the key is no second witness.
    assert!(said(&["key", "--data", place]).0);
    witness.kill_hard().unwrap();
    // The lock went with the process.
    Witness::start(data.path(), NAME, &[log.vkey()]).unwrap();
}

#[test]
fn a_witness_whose_memory_is_damaged_does_not_start() {
    let data = tempfile::tempdir().unwrap();
    let log = TestLog::new(3, None);
    let witness = Witness::start(data.path(), NAME, &[log.vkey()]).unwrap();
    post(&witness.url, &log.request(0, 3).to_bytes()).unwrap().cosignatures();
    witness.kill_hard().unwrap();
    let file = fs::read_dir(data.path().join("logs")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&file).unwrap();
    let other_size = String::from_utf8(whole.clone()).unwrap().replacen("\n3\n", "\n2\n", 1).into_bytes();
    for damaged in [&whole[..20], &whole[..whole.len() / 2], &whole[..whole.len() - 1], b"", &other_size] {
        fs::write(&file, damaged).unwrap();
        let (good, text) =
            said(&["--data", data.path().to_str().unwrap(), "--listen", "127.0.0.1:0", "--log", &log.vkey()]);
        assert!(!good && text.contains("is damaged"), "{text}");
    }
    fs::write(&file, &whole).unwrap();
    let witness = Witness::start(data.path(), NAME, &[log.vkey()]).unwrap();
    assert_eq!(post(&witness.url, &log.request(0, 1).to_bytes()).unwrap().text(), "3\n");
}
