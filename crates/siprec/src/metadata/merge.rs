//! How an update changes what is known (RFC 7865 § 6.1.1, RFC 7866 § 9.2).

use super::{
    DataMode, Extension, MAX_ENTRIES, MetadataUpdate, Participant, RecordingMetadata, Session, Stream,
};

impl RecordingMetadata {
    /// Takes an update over. A complete one replaces everything; a partial one is merged by id, and
    /// what it leaves out stays as it was. Who sends a stream is added to, never taken back: only a
    /// disassociation ends a participation.
    pub fn apply(&mut self, update: MetadataUpdate) {
        let new = update.content;
        if update.mode == DataMode::Complete {
            *self = new;
            return;
        }
        for session in new.sessions {
            match self.sessions.iter_mut().find(|s| s.id == session.id) {
                Some(known) => merge_session(known, session),
                None => self.sessions.push(session),
            }
        }
        for participant in new.participants {
            match self.participants.iter_mut().find(|p| is_same_participant(p, &participant)) {
                Some(known) => merge_participant(known, participant),
                None => self.participants.push(participant),
            }
        }
        for stream in new.streams {
            match self.streams.iter_mut().find(|s| is_same_stream(s, &stream)) {
                Some(known) => merge_stream(known, stream),
                None => self.streams.push(stream),
            }
        }
        self.sessions.truncate(MAX_ENTRIES);
        self.participants.truncate(MAX_ENTRIES);
        self.streams.truncate(MAX_ENTRIES);
        merge_extensions(&mut self.extensions, new.extensions);
    }
}

/// By id; where neither has one, by address.
fn is_same_participant(known: &Participant, new: &Participant) -> bool {
    let address = |p: &Participant| p.names.first().map(|n| n.aor.clone());
    known.id == new.id && (!new.id.is_empty() || address(known) == address(new))
}

/// By id; where neither has one, by label.
fn is_same_stream(known: &Stream, new: &Stream) -> bool {
    known.id == new.id && (!new.id.is_empty() || known.label == new.label)
}

fn merge_session(known: &mut Session, new: Session) {
    if !new.sip_session_ids.is_empty() {
        known.sip_session_ids = new.sip_session_ids;
    }
    known.group = new.group.or(known.group.take());
    known.start = new.start.or(known.start);
    known.stop = new.stop.or(known.stop);
}

fn merge_participant(known: &mut Participant, new: Participant) {
    if !new.names.is_empty() {
        known.names = new.names;
    }
    for (known, new) in [(&mut known.sends, new.sends), (&mut known.receives, new.receives)] {
        for id in new {
            if known.len() < MAX_ENTRIES && !known.contains(&id) {
                known.push(id);
            }
        }
    }
    // Who comes back after having left is there again.
    if let Some(associated) = new.associated {
        known.associated = Some(associated);
        if known.disassociated.is_some_and(|left| left <= associated) {
            known.disassociated = None;
        }
    }
    known.disassociated = new.disassociated.or(known.disassociated);
    merge_extensions(&mut known.extensions, new.extensions);
}

fn merge_stream(known: &mut Stream, new: Stream) {
    known.session = new.session.or(known.session.take());
    known.label = new.label.or(known.label.take());
}

fn merge_extensions(known: &mut Vec<Extension>, new: Vec<Extension>) {
    known.retain(|k| !new.iter().any(|n| n.is(&k.name)));
    known.extend(new);
    known.truncate(MAX_ENTRIES);
}

/// The participant of this id, made if it isn't there; `None` if there are too many. An empty id is
/// always somebody new.
pub(super) fn participant_entry<'a>(
    participants: &'a mut Vec<Participant>,
    id: &str,
) -> Option<&'a mut Participant> {
    let known = participants.iter().position(|p| !id.is_empty() && p.id == id);
    let at = known.unwrap_or(participants.len());
    if known.is_none() && at < MAX_ENTRIES {
        participants.push(Participant { id: id.to_owned(), ..Participant::default() });
    }
    participants.get_mut(at)
}
