//! `_log-proof.txt`: the entry of a recording, and that it is in the log (C2SP tlog-proof).

use std::collections::HashMap;

use domain::{RecordingId, TenantId};
use evidence::log::{LogProof, SignedCheckpoint, tiles};

use super::{LogError, blocking, folder::LogFolder};
use crate::{context::Context, cost::Stage, state::log_checkpoint::StoredCheckpoint};

/// The proofs of these recordings, under the newest checkpoint, which has to cover them; out of one look
/// at what is published. A recording that the log does not know (it was sealed before there was one) is
/// not among them.
///
/// # Errors
/// The state, or what is published, cannot be read; inside: a proof cannot be made.
pub async fn of_all(
    context: &Context,
    tenant: &TenantId,
    recordings: &[RecordingId],
) -> Result<HashMap<RecordingId, Result<Vec<u8>, LogError>>, LogError> {
    let entries = context.state.entries_of_sealed(tenant, recordings).await?;
    if entries.is_empty() {
        return Ok(HashMap::new());
    }
    let Some(StoredCheckpoint { note, .. }) = context.state.last_checkpoint(tenant).await? else {
        return Err(LogError::Tree(tiles::TreeError::OutOfRange));
    };
    let folder = LogFolder::new(&context.staging, tenant)?;
    let head = SignedCheckpoint::parse(&note)?.checkpoint;
    let cpu = context.metrics.cpu.clone();
    let prove = move || {
        let inclusions = tiles::Inclusions::new(&folder, &head)?;
        let one = |(recording, index, entry)| {
            let proof = inclusions.of(index);
            let proof =
                proof.map(|hashes| LogProof { entry, index, hashes, checkpoint: note.clone() }.to_bytes());
            (recording, proof.map_err(LogError::from))
        };
        Ok::<_, LogError>(entries.into_iter().map(one).collect())
    };
    blocking(move || cpu.of(Stage::Announce, prove)).await?
}

/// Whether a proof that an attempt before this one has left is as good as `ours`: it proves the same entry
/// at the same place, under another checkpoint that this log has signed and goes on from; or it proves it
/// in the log whose place this one has taken. So a repeat after a crash changes nothing, and nothing that
/// somebody else wrote is delivered.
///
/// # Errors
/// The state, or what is published, cannot be read.
pub async fn is_as_good(
    context: &Context,
    tenant: &TenantId,
    there: &[u8],
    ours: &[u8],
) -> Result<bool, LogError> {
    let (Ok(there), Ok(ours)) = (LogProof::parse(there), LogProof::parse(ours)) else { return Ok(false) };
    let Some(log) = context.state.log_head(tenant).await? else { return Ok(false) };
    let mut keys = context.state.keys_of(Some(tenant)).await?;
    keys.extend(context.state.keys_of(None).await?);
    let by = |origin: &str| {
        let mut keys = keys.iter().filter_map(|row| row.log_key_of(origin));
        keys.find_map(|key| there.verify(&key).ok()).map(|(_, signed)| signed.checkpoint)
    };
    if there.entry != ours.entry {
        return Ok(false);
    }
    if !log.follows.is_empty() && by(&log.follows).is_some() {
        return Ok(true);
    }
    let Some(theirs) = by(&log.origin).filter(|_| there.index == ours.index) else { return Ok(false) };
    let head = SignedCheckpoint::parse(&ours.checkpoint)?.checkpoint;
    let folder = LogFolder::new(&context.staging, tenant)?;
    let then = blocking(move || tiles::root_at(&folder, &head, theirs.size)).await??;
    Ok(then == theirs.root)
}
