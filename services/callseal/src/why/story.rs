//! The events of one call. An event names its recording, hardly ever the PBX's call id: the event
//! `Ringing` joins the two.

use std::collections::HashMap;

use bus::{Bus, BusError, Reach, Told};
use domain::{RecordingId, TenantId};
use wire::event_v1::{Event, event::What};

/// What is known of a call.
#[derive(Debug)]
pub(super) struct Story {
    /// What was asked for.
    pub call_id: String,
    /// Its legs, in the order in which they began. A leg that was recorded in several parts stands
    /// here with each of them.
    pub legs: Vec<Leg>,
    /// Answers about consent that came beside the legs: a consent call, the API.
    pub answers: Vec<Event>,
    /// How far back anything is known.
    pub reach: Reach,
}

/// What has one recording id, recorded or not.
#[derive(Debug)]
pub(super) struct Leg {
    pub recording: RecordingId,
    /// The tenant as the leg's first event names it.
    pub tenant: String,
    /// In the order in which they happened.
    pub events: Vec<Event>,
}

impl Story {
    pub fn is_empty(&self) -> bool {
        self.legs.is_empty() && self.answers.is_empty()
    }
}

/// Reads the stream through for the recordings of the call, then all that is told of these.
///
/// Errors: the stream cannot be read.
pub(super) async fn gather(bus: &Bus, call_id: &str, tenant: Option<&TenantId>) -> Result<Story, BusError> {
    let mut search = Search::new(call_id, tenant);
    let reach = bus.kept_events(Told::All, |event| search.look_at(event)).await?;
    let (recordings, mut answers) = search.found();
    let mut told: HashMap<String, Vec<Event>> = HashMap::new();
    bus.kept_events(Told::Of(&recordings), |event| {
        told.entry(event.recording_id.clone()).or_default().push(event);
    })
    .await?;
    let mut legs: Vec<Leg> = recordings
        .into_iter()
        .filter_map(|recording| {
            let mut events = told.remove(&recording.to_string())?;
            events.sort_by_key(|event| event.at_unix_us);
            let tenant = events.iter().find(|e| !e.tenant.is_empty()).map(|e| e.tenant.clone());
            Some(Leg { recording, tenant: tenant.unwrap_or_default(), events })
        })
        .collect();
    legs.sort_by_key(|leg| leg.events.first().map(|event| event.at_unix_us));
    answers.sort_by_key(|event| event.at_unix_us);
    Ok(Story { call_id: call_id.to_owned(), legs, answers, reach })
}

/// Which recordings belong to the call. Events of different services come in any order.
struct Search<'a> {
    call_id: &'a str,
    tenant: Option<&'a TenantId>,
    recordings: Vec<RecordingId>,
    answers: Vec<Event>,
    /// Supplement, and what it adds to.
    supplements: Vec<(RecordingId, RecordingId)>,
}

impl<'a> Search<'a> {
    fn new(call_id: &'a str, tenant: Option<&'a TenantId>) -> Self {
        Self { call_id, tenant, recordings: Vec::new(), answers: Vec::new(), supplements: Vec::new() }
    }

    fn look_at(&mut self, event: Event) {
        if self.tenant.is_some_and(|tenant| tenant.as_str() != event.tenant) {
            return;
        }
        let Ok(recording) = event.recording_id.parse::<RecordingId>() else {
            if matches!(&event.what, Some(What::ConsentAnswered(a)) if a.call_id == self.call_id) {
                self.answers.push(event);
            }
            return;
        };
        let is_meant = event.recording_id == self.call_id
            || matches!(&event.what, Some(What::Ringing(ringing)) if ringing.call_id == self.call_id);
        if is_meant && !self.recordings.contains(&recording) {
            self.recordings.push(recording);
        }
        if let Some(What::Assembled(assembled)) = &event.what
            && let Ok(to) = assembled.supplement_to.parse()
        {
            self.supplements.push((recording, to));
        }
    }

    fn found(mut self) -> (Vec<RecordingId>, Vec<Event>) {
        let mut at = 0;
        // What is found by another one may itself have supplements.
        while let Some(known) = self.recordings.get(at).copied() {
            for (supplement, to) in &self.supplements {
                if *to == known && !self.recordings.contains(supplement) {
                    self.recordings.push(*supplement);
                }
            }
            at += 1;
        }
        (self.recordings, self.answers)
    }
}
