//! The recordings of one partition: the open ones, and what became of those that are finished, so
//! that a late message finds the section it belongs in.

use std::{collections::HashMap, time::Instant};

use domain::RecordingId;
use wire::call_v1::CallMessage;

use super::{numbers::Numbers, recording::Assembler, section::section_id};
use crate::state::{Phase, State, StateError, call_record::CallRecord};

/// Finished recordings that are remembered without asking the database.
const REMEMBERED: usize = 4_096;

/// Recordings by origin (`<recording id>/<epoch>`).
#[derive(Default)]
pub struct Directory {
    open: HashMap<String, Assembler>,
    finished: HashMap<String, CallRecord>,
}

impl Directory {
    /// The open recordings of a partition, as they were stored.
    ///
    /// # Errors
    /// The database refused, or a state cannot be read.
    pub async fn load(state: &State, part: u16, now: Instant) -> Result<Self, StateError> {
        let mut directory = Self::default();
        for stored in state.open_recordings(part).await? {
            let damaged = |why: String| StateError::Damaged(format!("recording {}: {why}", stored.id));
            let snapshot = stored.timeline.as_deref().ok_or_else(|| damaged("no timeline".to_owned()))?;
            let open =
                Assembler::restore(stored.id, stored.origin.clone(), stored.call.clone(), snapshot, now)
                    .map_err(|error| damaged(error.to_string()))?;
            directory.open.insert(stored.origin.clone(), open);
        }
        Ok(directory)
    }

    /// The open recordings.
    pub fn open(&self) -> impl Iterator<Item = &Assembler> {
        self.open.values()
    }

    /// The same, to be changed.
    pub fn open_mut(&mut self) -> impl Iterator<Item = &mut Assembler> {
        self.open.values_mut()
    }

    /// How many are open.
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// An open recording by origin.
    pub fn get_mut(&mut self, origin: &str) -> Option<&mut Assembler> {
        self.open.get_mut(origin)
    }

    /// Takes an open recording out, to finish it.
    pub fn take(&mut self, origin: &str) -> Option<Assembler> {
        self.open.remove(origin)
    }

    /// Remembers how a recording ended.
    pub fn finished(&mut self, origin: String, call: CallRecord) {
        if self.finished.len() >= REMEMBERED {
            self.finished.clear();
        }
        self.finished.insert(origin, call);
    }

    /// The recording that a message belongs to: an open one, a new one, or a new section of a finished
    /// one that still wants this message. `None`: the message is known already.
    ///
    /// # Errors
    /// The database refused.
    pub async fn find_or_open(
        &mut self,
        state: &State,
        recording: RecordingId,
        message: &CallMessage,
        now: Instant,
    ) -> Result<Option<&mut Assembler>, StateError> {
        let origin = format!("{recording}/{}", message.epoch);
        if !self.open.contains_key(&origin) {
            if !self.finished.contains_key(&origin)
                && let Some(stored) = state.latest_section(&origin).await?
            {
                debug_assert!(stored.phase != Phase::Open, "open recordings are loaded at the start");
                self.finished(origin.clone(), stored.call);
            }
            let opened = match self.finished.get(&origin) {
                Some(before) => next_section(recording, before, message, &origin, now),
                None => Some(self.first_section(state, recording, message, &origin, now).await?),
            };
            let Some(opened) = opened else { return Ok(None) };
            self.finished.remove(&origin);
            self.open.insert(origin.clone(), opened);
        }
        Ok(self.open.get_mut(&origin))
    }

    async fn first_section(
        &self,
        state: &State,
        recording: RecordingId,
        message: &CallMessage,
        origin: &str,
        now: Instant,
    ) -> Result<Assembler, StateError> {
        // The id is taken if another run of ingest has sent messages of the same recording.
        let is_taken = self.open.values().any(|open| open.id == recording)
            || state.recording(&recording).await?.is_some();
        let mut call = CallRecord {
            tenant: message.tenant.clone(),
            recording_id: message.recording_id.clone(),
            node: message.node.clone(),
            epoch: message.epoch.clone(),
            ..CallRecord::default()
        };
        let id = if is_taken {
            call.supplements = recording.to_string();
            section_id(&recording, &message.epoch, 0)
        } else {
            recording
        };
        Ok(Assembler::new(id, origin.to_owned(), call, Numbers::all(), now))
    }
}

/// What came after the recording was finished goes to a section of its own, which knows what is known
/// of the call and wants what the one before still wanted.
fn next_section(
    recording: RecordingId,
    before: &CallRecord,
    message: &CallMessage,
    origin: &str,
    now: Instant,
) -> Option<Assembler> {
    let wanted = Numbers::restore(before.wanted.clone());
    if !wanted.wants(message.number) {
        return None;
    }
    let section = before.section + 1;
    let call = CallRecord {
        section,
        supplements: recording.to_string(),
        wanted: Vec::new(),
        given_up: Vec::new(),
        laid: None,
        interrupted: String::new(),
        ..before.clone()
    };
    let id = section_id(&recording, &message.epoch, section);
    Some(Assembler::new(id, origin.to_owned(), call, wanted, now))
}
