//! F-58: a log that grows is cosigned, and others' programs agree.

use std::{fs, path::Path, process::Command};

use evidence::log::{SignedCheckpoint, WitnessKey};
use harness::witness::Witness;

use super::{
    log::{ORIGIN, TestLog},
    talk::{get, post},
};

const NAME: &str = "audit.example/callseal";

#[test]
fn f58_a_log_that_grows_is_cosigned_and_its_newest_checkpoint_can_be_fetched() {
    let data = tempfile::tempdir().unwrap();
    let key = WitnessKey::parse(&Witness::key(data.path(), NAME).unwrap()).unwrap();
    let log = TestLog::new(700, None);
    let witness = Witness::start(data.path(), NAME, &[log.vkey()]).unwrap();
    let path = format!("/checkpoints/{ORIGIN}");
    assert_eq!(get(&witness.url, &path).status, 404);
    // The last one again: a log that did not get the answer asks once more.
    for (old, new) in [(0, 1), (1, 300), (300, 700), (700, 700)] {
        let said = post(&witness.url, &log.request(old, new).to_bytes()).unwrap();
        let mut signed = log.checkpoint(new);
        said.cosignatures().into_iter().for_each(|line| signed.add(line));
        assert!(matches!(&*signed.cosigned_by(std::slice::from_ref(&key)), [(name, _)] if name == NAME));
        let newest = SignedCheckpoint::parse(&get(&witness.url, &path).body).unwrap();
        assert_eq!(newest.checkpoint, signed.checkpoint);
        assert!(newest.is_signed_by(&log.key) && newest.cosigned_by(std::slice::from_ref(&key)).len() == 1);
    }
    let about = get(&witness.url, "/").text();
    assert!(about.contains(&key.vkey()) && about.contains(&path[1..]), "{about}");
}

#[test]
fn an_independent_implementation_accepts_the_cosignature() {
    const JUDGE: &str = r#"
import sys
import aics_tlog as t
note = t.parse_note(open(sys.argv[1], "rb").read())
log, witness = t.parse_vkey(sys.argv[2]), t.parse_vkey(sys.argv[3])
verdict = t.verify_checkpoint(note, log, [witness], 1, expected_origin=sys.argv[4])
print("accepted" if verdict.ok else verdict)
"#;
    let data = tempfile::tempdir().unwrap();
    let log = TestLog::new(5, None);
    let witness = Witness::start(data.path(), NAME, &[log.vkey()]).unwrap();
    post(&witness.url, &log.request(0, 5).to_bytes()).unwrap().cosignatures();
    let newest = get(&witness.url, &format!("/checkpoints/{ORIGIN}"));
    let judged = |note: &[u8]| {
        let file = data.path().join("newest");
        fs::write(&file, note).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut python = Command::new("python3");
        python.args(["-c", JUDGE]).arg(&file).arg(log.vkey()).arg(Witness::key(data.path(), NAME).unwrap());
        let output = python.arg(ORIGIN).env("PYTHONPATH", root.join(".tools/python")).output().unwrap();
        (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (out, said) = judged(&newest.body);
    assert_eq!(out, "accepted\n", "aics-tlog (scripts/install-tools.sh test): {said}");
    // The judge does look: without the witness' line it does not accept.
    let (out, _) = judged(&log.checkpoint(5).to_bytes());
    assert_ne!(out, "accepted\n");
}
