//! What a sealing says in the tenant's log. Pure.

use std::time::Duration;

use domain::{Lane, RecordingId};
use evidence::{
    ParsedInfo, Sha256Hash, Signature,
    log::{Entry, Reference, SealedEntry, What},
};
use jiff::Timestamp;

use super::describe::Unusable;
use crate::state::seal_queue::Prepared;

/// The entry of a recording that was signed, from the bytes that were signed: those of an earlier
/// attempt say what that attempt saw.
///
/// # Errors
/// The stored bytes say nothing that could be read.
pub fn sealed(
    lane: &Lane,
    salt: &[u8],
    recording: RecordingId,
    prepared: &Prepared,
    signature: &Signature,
) -> Result<Entry, Unusable> {
    let unusable = || Unusable("its stored texts cannot be read");
    let sealed = prepared.sealed.as_ref().ok_or_else(unusable)?;
    let info = ParsedInfo::parse(&prepared.info);
    let entry = SealedEntry {
        reference: Reference::of(salt, &recording),
        recording,
        class: lane.class,
        position: prepared.position,
        hash_list: Sha256Hash::of(&prepared.hash_list),
        signature: Sha256Hash::of(signature.as_bytes()),
        key_id: prepared.key_id.parse().map_err(|_| unusable())?,
        started: Timestamp::from_millisecond(sealed.started_unix_ms).map_err(|_| unusable())?,
        duration: Duration::from_millis(sealed.duration_ms),
        gaps: info.get("Gaps").and_then(|gaps| gaps.parse().ok()).unwrap_or(0),
        interrupted: info.get("Interrupted").is_some_and(|interrupted| interrupted != "no"),
        supplement_to: info.get("SupplementTo").and_then(|id| id.parse().ok()),
        targets: sealed.targets.clone(),
    };
    Ok(Entry { at: Timestamp::now(), tenant: lane.tenant.clone(), what: What::Sealed(Box::new(entry)) })
}
