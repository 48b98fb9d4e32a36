//! A recording's log proof, against the recording itself.

use std::collections::BTreeMap;

use domain::TenantId;
use jiff::Timestamp;

use super::Finding;
use crate::{
    ChainLink, KeyId, Sha256Hash,
    log::{Checkpoint, LogKey, LogProof, Origin, SealedEntry, SignedCheckpoint, What},
};

/// The keys that sign logs, by the log's name: each of them named by a statement that a trusted
/// certificate signed.
#[derive(Debug, Clone, Default)]
pub(super) struct LogKeys(BTreeMap<String, Vec<LogKey>>);

impl LogKeys {
    pub(super) fn add(&mut self, key: LogKey) {
        let keys = self.0.entry(key.name.clone()).or_default();
        if !keys.contains(&key) {
            keys.push(key);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, origin: &str) -> &[LogKey] {
        self.0.get(origin).map_or(&[], Vec::as_slice)
    }

    /// True if some key of a log of this name and hash is known.
    pub(super) fn knows(&self, vkey: &str) -> bool {
        self.0.values().flatten().any(|key| key.vkey() == vkey)
    }

    /// The first key of the log that signed it.
    pub(super) fn signer(&self, checkpoint: &SignedCheckpoint) -> Option<&LogKey> {
        self.of(&checkpoint.checkpoint.origin).iter().find(|key| checkpoint.is_signed_by(key))
    }
}

/// What a good proof says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proven {
    pub(super) tenant: TenantId,
    /// The head that the entry was proven under.
    pub(super) checkpoint: Checkpoint,
    pub(super) index: u64,
    /// The entry's time.
    pub(super) at: Timestamp,
    /// The key that signed the checkpoint.
    pub(super) vkey: String,
}

/// What is known of the recording without its proof.
pub(super) struct Proved<'a> {
    pub(super) link: Option<&'a ChainLink>,
    pub(super) hash_list: Option<Sha256Hash>,
    pub(super) key_id: Option<KeyId>,
    pub(super) recording: domain::RecordingId,
}

/// Judges the bytes of a `_log-proof.txt`.
pub(super) fn check(bytes: &[u8], keys: &LogKeys, of: &Proved<'_>) -> Result<Proven, Vec<Finding>> {
    let bad = |error| vec![Finding::BadProof(error)];
    let proof = LogProof::parse(bytes).map_err(bad)?;
    let signed = SignedCheckpoint::parse(&proof.checkpoint).map_err(|error| bad(error.into()))?;
    let origin = &signed.checkpoint.origin;
    let known = keys.of(origin);
    let key = keys.signer(&signed).or(known.first()).ok_or_else(|| vec![Finding::ProofOfOtherLog])?;
    let (entry, signed) = proof.verify(key).map_err(bad)?;
    let What::Sealed(sealed) = &entry.what else { return Err(vec![Finding::ProofOfOther("kind of event")]) };
    // A log is one tenant's: an entry of another one in it would be a slip of the log itself.
    let own = origin.parse::<Origin>().is_ok_and(|origin| *origin.tenant() == entry.tenant);
    let tenant = (!own).then_some("tenant");
    let findings: Vec<_> =
        tenant.into_iter().chain(differs(&entry.tenant, sealed, of)).map(Finding::ProofOfOther).collect();
    match findings.as_slice() {
        [] => Ok(Proven {
            tenant: entry.tenant,
            checkpoint: signed.checkpoint,
            index: proof.index,
            at: entry.at,
            vkey: key.vkey(),
        }),
        _ => Err(findings),
    }
}

/// In what an entry names something else than the recording is. What the recording does not say
/// reliably is a finding already, and not compared.
fn differs<'a>(
    tenant: &TenantId,
    entry: &SealedEntry,
    of: &Proved<'a>,
) -> impl Iterator<Item = &'static str> + use<'a> {
    let mut found = Vec::new();
    let mut compare = |same: bool, what| {
        if !same {
            found.push(what);
        }
    };
    compare(entry.recording == of.recording, "recording");
    compare(of.hash_list.is_none_or(|hash| hash == entry.hash_list), "hash list");
    compare(of.key_id.is_none_or(|key| key == entry.key_id), "key");
    if let Some(link) = of.link {
        compare(link.signature == entry.signature, "signature");
        compare(link.lane.tenant == *tenant, "tenant");
        compare(link.lane.class == entry.class, "class");
        compare(link.position == entry.position, "position");
    }
    found.into_iter()
}
