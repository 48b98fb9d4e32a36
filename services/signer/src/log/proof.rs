//! `_log-proof.txt`: the entry of a recording, and that it is in the log (C2SP tlog-proof).

use domain::{RecordingId, TenantId};
use evidence::log::{LogProof, SignedCheckpoint, tiles};

use super::{LogError, blocking, folder::LogFolder};
use crate::{
    context::Context,
    state::{log::source, log_checkpoint::StoredCheckpoint},
};

/// The proof for a recording, under the newest checkpoint; `None`: its log does not know it (it was
/// sealed before there was a log). The newest checkpoint has to cover it.
///
/// # Errors
/// The state, or what is published, cannot be read.
pub async fn of(
    context: &Context,
    tenant: &TenantId,
    recording: &RecordingId,
) -> Result<Option<Vec<u8>>, LogError> {
    let Some((index, entry)) = context.state.log_entry_of(tenant, &source::sealed(recording)).await? else {
        return Ok(None);
    };
    let Some(StoredCheckpoint { note, .. }) = context.state.last_checkpoint(tenant).await? else {
        return Err(LogError::Tree(tiles::TreeError::OutOfRange));
    };
    let folder = LogFolder::new(&context.staging, tenant)?;
    let head = SignedCheckpoint::parse(&note)?.checkpoint;
    let hashes = blocking(move || tiles::inclusion(&folder, &head, index)).await??;
    Ok(Some(LogProof { entry, index, hashes, checkpoint: note }.to_bytes()))
}
