//! What the tenant's log says of a recorded call that left nothing to seal (F-59): without it the call
//! would be a gap, started and never ended.

use domain::RecordingId;
use evidence::log::{Entry, Reference, What};
use jiff::Timestamp;

use crate::{
    context::Context,
    state::{StateError, call_record::CallRecord},
};

/// The entry; `None` if nobody knows whose call it was, or if the log must not grow: calls are assembled
/// all the same, and the log's audit shows the gap.
///
/// # Errors
/// The state cannot be read or written.
pub async fn entry(
    context: &Context,
    call: &CallRecord,
    recording: &RecordingId,
    reason: &str,
) -> Result<Option<Entry>, StateError> {
    let Ok(tenant) = call.tenant.parse() else { return Ok(None) };
    let log = context.log_of(&tenant).await?;
    if !log.halted.is_empty() {
        tracing::warn!(%recording, "the log is halted: that this call left nothing to seal is not in it");
        return Ok(None);
    }
    let what = What::Empty { reference: Reference::of(&log.salt, recording), reason: reason.to_owned() };
    Ok(Some(Entry { at: Timestamp::now(), tenant, what }))
}
