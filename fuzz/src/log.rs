//! The transparency log, as it is published, proven and witnessed.

use evidence::{
    KeyChangeStatement,
    log::{
        Entry, Frontier, LogKey, LogKeyStatement, LogProof, SignedCheckpoint, WitnessKey, leaf_hash,
        tiles::split_bundle,
        witness::{self, AddCheckpoint},
    },
};

/// An entry, and a bundle of them.
pub(crate) fn entry(data: &[u8]) {
    let (entries, _whole) = split_bundle(data);
    for bytes in entries.into_iter().chain([data]) {
        if let Ok(entry) = Entry::parse(bytes) {
            assert_eq!(entry.to_bytes(), bytes, "an entry has one spelling");
        }
    }
    if let Ok(mut frontier) = Frontier::from_bytes(data) {
        assert_eq!(frontier.to_bytes(), data);
        let _root = frontier.root();
        if frontier.size() < u64::MAX {
            frontier.append(leaf_hash(data));
        }
    }
}

/// A signed checkpoint.
pub(crate) fn checkpoint(data: &[u8]) {
    if let Ok(signed) = SignedCheckpoint::parse(data) {
        assert_eq!(signed.to_bytes(), data, "a checkpoint has one spelling");
    }
}

/// A proof of inclusion; the key is one that signed nothing.
pub(crate) fn proof(data: &[u8]) {
    let Ok(proof) = LogProof::parse(data) else { return };
    assert_eq!(proof.to_bytes(), data, "a proof has one spelling");
    if let Ok(signed) = SignedCheckpoint::parse(&proof.checkpoint) {
        let head = &signed.checkpoint;
        let leaf = leaf_hash(&proof.entry);
        let _ = evidence::log::is_included(&proof.hashes, head.size, &head.root, proof.index, &leaf);
        let _ = evidence::log::is_continued(&proof.hashes, head.size, &head.root, proof.index, &leaf);
    }
}

/// Statements of keys, and keys as they are written down.
pub(crate) fn statement(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(statement) = LogKeyStatement::parse(text) {
        assert_eq!(statement.to_text(), text, "a statement has one spelling");
        let _paths = (statement.path(), statement.signature_path());
    }
    if let Ok(statement) = KeyChangeStatement::parse(text) {
        assert_eq!(statement.to_text().expect("what was read"), text, "a statement has one spelling");
    }
    if let Ok(key) = LogKey::parse(text) {
        assert_eq!(LogKey::parse(&key.vkey()), Ok(key), "a key is read as it was written");
    }
    if let Ok(key) = WitnessKey::parse(text) {
        assert_eq!(WitnessKey::parse(&key.vkey()), Ok(key), "a key is read as it was written");
    }
}

/// What logs and witnesses say to each other.
pub(crate) fn witness(data: &[u8]) {
    if let Ok(request) = AddCheckpoint::parse(data) {
        assert_eq!(request.to_bytes(), data, "a request has one spelling");
        let _refused = request.submitted(&[]);
    }
    let _size = witness::parse_size(data);
    if let Some(signatures) = witness::parse_answer(data) {
        assert!(witness::parse_answer(&witness::answer(&signatures)).is_some());
    }
}
