//! A log as the signer keeps it, and others that differ from it.

use evidence::{
    Sha256Hash,
    log::{Checkpoint, LogKey, LogPublicKey, SignedCheckpoint, witness::AddCheckpoint},
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use tlog_tiles::{Hash, HashReader, prove_tree, record_hash, stored_hashes_for_record_hash, tree_hash};

pub const ORIGIN: &str = "callseal.io/test/acme/0badc0de";

struct Hashes(Vec<Hash>);

impl HashReader for Hashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

/// A log that is complete; it shows itself at any size it had.
pub struct TestLog {
    hashes: Hashes,
    signing: Ed25519KeyPair,
    pub key: LogKey,
}

impl TestLog {
    /// `size` entries, those from `other` on unlike those of a log without `other`.
    pub fn new(size: u64, other: Option<u64>) -> Self {
        let mut hashes = Hashes(Vec::new());
        for number in 0..size {
            let entry = match other {
                Some(from) if number >= from => format!("other {number}"),
                _ => format!("entry {number}"),
            };
            let stored = stored_hashes_for_record_hash(number, record_hash(entry.as_bytes()), &hashes);
            hashes.0.extend(stored.unwrap());
        }
        let signing = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        let public = LogPublicKey::Ed25519(signing.public_key().as_ref().try_into().unwrap());
        Self { hashes, signing, key: LogKey { name: ORIGIN.into(), public } }
    }

    pub fn vkey(&self) -> String {
        self.key.vkey()
    }

    /// The checkpoint it had at this size.
    pub fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        let root = Sha256Hash::from(tree_hash(size, &self.hashes).unwrap().0);
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root };
        let signature = self.signing.sign(checkpoint.body().as_bytes()).as_ref().to_vec();
        SignedCheckpoint::new(checkpoint, &self.key, signature).unwrap()
    }

    /// Asks for a cosignature at `new`, the witness having seen `old`.
    pub fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        let grown = old > 0 && old < new;
        let proof = if grown { prove_tree(new, old, &self.hashes).unwrap() } else { Vec::new() };
        let proof = proof.into_iter().map(|hash| hash.0.into()).collect();
        AddCheckpoint { old_size: old, proof, checkpoint: self.checkpoint(new).to_bytes() }
    }
}
