//! When a call was answered, from the times in the metadata.

use jiff::Timestamp;

use crate::RecordingMetadata;

/// When the first participant beside `caller` (a position among the participants) joined, if that is
/// later than the call began. The same time for everybody is the time of the metadata: it does not
/// say when, nor whether, somebody answered. Participants who have left count: after a transfer, the
/// answer was that of the first callee.
pub(super) fn answered(metadata: &RecordingMetadata, caller: Option<usize>) -> Option<Timestamp> {
    let caller = caller?;
    let session = metadata.sessions.iter().filter_map(|session| session.start).min();
    let began = session.or(metadata.participants.get(caller)?.associated)?;
    let others = metadata.participants.iter().enumerate().filter(|(at, _)| *at != caller);
    // Of one who does not say when, it may have been earlier.
    let joined: Option<Vec<Timestamp>> = others.map(|(_, participant)| participant.associated).collect();
    joined?.into_iter().min().filter(|joined| *joined > began)
}
