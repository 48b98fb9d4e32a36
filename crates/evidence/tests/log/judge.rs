//! An independent judge: `aics-tlog` (PyPI), C2SP in pure Python, reads what we publish, and we read
//! what it signs. `scripts/install-tools.sh test` brings it.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use evidence::log::{
    LogKey, SignedCheckpoint, WitnessKey,
    tiles::{checkpoint_path, consistency, inclusion},
};
use serde_json::{Value, json};

use super::{
    built::{TestLog, calls, time},
    keys::{Kind, TestLogKey},
};

const INDEXES: [u64; 7] = [0, 1, 255, 256, 299, 511, 599];
const OLDER: [u64; 6] = [1, 3, 255, 256, 300, 599];

/// What the judge says of the log.
fn ask(folder: &Path, request: &Value) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new("python3")
        .arg(root.join("crates/evidence/tests/log/judge.py"))
        .arg(folder)
        .arg(request.to_string())
        .env("PYTHONPATH", root.join(".tools/python"))
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "aics-tlog (scripts/install-tools.sh test): {words}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn hex_of<T: ToString>(hashes: &[T]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}

#[test]
fn an_independent_implementation_accepts_our_log_and_we_accept_its_checkpoint() {
    let entries = calls(200);
    let mut log = TestLog::of(
        Kind::Ed25519,
        &[entries[..3].to_vec(), entries[3..300].to_vec(), entries[300..].to_vec()],
    );
    // A witness of ours: an Ed25519 key of openssl's under the witness' type.
    let witness_key = TestLogKey::new(Kind::Ed25519, "example.com/our-witness");
    let evidence::log::LogPublicKey::Ed25519(point) = witness_key.public.public else { unreachable!() };
    let witness = WitnessKey::new("example.com/our-witness", point).unwrap();
    let mut newest = log.newest();
    let message = WitnessKey::message(&newest.checkpoint.body(), time(0));
    let signature = *witness_key.sign(message.as_bytes()).first_chunk().unwrap();
    newest.add(witness.note_signature(time(0), &signature));
    let seen = newest.cosigned_by(std::slice::from_ref(&witness));
    assert_eq!(seen, [("example.com/our-witness".to_owned(), "2026-11-22T09:15:30Z".parse().unwrap())]);
    log.files.insert("checkpoint".into(), newest.to_bytes());

    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in &log.files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let head = &newest.checkpoint;
    let included: BTreeMap<String, Vec<String>> = INDEXES
        .map(|index| (index.to_string(), hex_of(&inclusion(&log.files, head, index).unwrap())))
        .into_iter()
        .collect();
    let continued: BTreeMap<String, Vec<String>> = OLDER
        .map(|older| (older.to_string(), hex_of(&consistency(&log.files, head, older).unwrap())))
        .into_iter()
        .collect();
    let said = ask(
        folder.path(),
        &json!({
            "vkey": log.key.public.vkey(), "origin": head.origin, "witnesses": [witness.vkey()],
            "indexes": INDEXES, "inclusion": included, "older": OLDER, "consistency": continued,
        }),
    );
    assert_eq!((&said["ok"], &said["error"]), (&json!(true), &Value::Null), "{said}");
    // 600 entries: three bundles, three tiles of hashes and one above them.
    assert_eq!((&said["size"], &said["bundles"], &said["tiles"]), (&json!(600), &json!(3), &json!(4)));
    assert_eq!(said["inclusion"], json!(included), "the same hashes");
    assert_eq!(said["consistency"], json!(continued), "the same hashes");
    for index in INDEXES {
        let text = said["entries"][index.to_string()].as_str().unwrap();
        assert_eq!(text.as_bytes(), entries[index as usize]);
    }

    let text = |name: &str| said[name].as_str().unwrap().to_owned();
    let its = SignedCheckpoint::parse(text("its_checkpoint").as_bytes()).unwrap();
    assert_eq!((its.checkpoint.size, its.checkpoint.root), (head.size, head.root));
    assert!(its.is_signed_by(&LogKey::parse(&text("its_vkey")).unwrap()));
    let its_witness = WitnessKey::parse(&text("its_witness")).unwrap();
    let at = "2025-12-29T09:20:00Z".parse().unwrap();
    assert_eq!(
        its.cosigned_by(&[its_witness.clone(), witness.clone()]),
        [("example.com/witness".to_owned(), at)]
    );
    assert_eq!(newest.cosigned_by(&[its_witness]), []);

    // A cosignature over another checkpoint is none over this one.
    let mut moved = SignedCheckpoint::parse(&log.files[&checkpoint_path(300)]).unwrap();
    moved.add(newest.signatures().last().unwrap().clone());
    assert_eq!(moved.cosigned_by(&[witness]), []);
}
