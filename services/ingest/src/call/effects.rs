//! Carries out what the state machine says: the bus, the media, the events.

use std::time::Duration;

use domain::{Consent, Decision, RecordingId, ResourceName, TenantId, Verdict};
use tokio::time::Instant;
use wire::{
    call_v1::call_message::Body,
    event_v1::{self, event::What},
    rules_v1::{StoreConsentRequest, StoreConsentResponse},
};

use super::{
    runner::Runner,
    state::{Effect, Input},
};
use crate::media::unix_us;

/// How long rules may take to keep an answer. It is of use to further legs of the call only.
const STORING: Duration = Duration::from_secs(5);

impl Runner {
    /// Lets the state machine take a step, and does what comes of it.
    pub(super) fn step(&mut self, input: Input) {
        for effect in self.state.step(input) {
            match effect {
                Effect::NextRecording => self.next_recording(),
                Effect::Send(body) => self.send(body),
                Effect::Settled(decision) => self.settled(&decision),
                Effect::Answered { consent, rule, is_final } => self.answered(&consent, &rule, is_final),
                Effect::Stopped(by) => {
                    tracing::info!(recording = %self.recording, way = by.way, "the recording was stopped");
                    self.event(What::Stopped(event_v1::Stopped { way: by.way }));
                }
                Effect::DiscardMedia => self.handle.media().discard(),
                Effect::ResumeMedia => self.handle.media().resume(unix_us()),
                Effect::Finish => self.is_over = true,
            }
        }
        if !self.share.set(self.state.waiting_bytes()) {
            if self.state.is_undecided() {
                self.decide_without_rules("the memory for undecided audio is spent");
            } else {
                self.step(Input::MemorySpent);
            }
        }
    }

    pub(super) fn send(&mut self, body: Body) {
        self.last_sent = Instant::now();
        match body {
            Body::Audio(_) => self.calls.metrics.chunks.inc(),
            Body::Started(_) => self.was_recorded = true,
            _ => {}
        }
        self.writer.send(body);
    }

    /// The call goes on in another recording.
    fn next_recording(&mut self) {
        let earlier = std::mem::replace(&mut self.recording, RecordingId::new());
        tracing::info!(recording = %self.recording, %earlier, "another recording of the same call");
        self.writer = self.calls.publisher.call(&self.facts.tenant, self.recording);
        self.tell_call();
    }

    /// Joins the recording's id to the PBX's call id.
    pub(super) fn tell_call(&self) {
        self.event(What::Ringing(event_v1::Ringing {
            streams: u32::try_from(self.handle.media().stream_count()).unwrap_or(u32::MAX),
            call_id: self.facts.call_id.clone(),
        }));
    }

    /// F-59: every decision is an event, also that a call is not recorded.
    fn settled(&self, decision: &Decision) {
        let (recorded, rule, reason) = match &decision.verdict {
            Verdict::Record(recorded) => (true, recorded.rule.to_string(), String::new()),
            Verdict::AskConsent(asked) => (false, asked.recorded.rule.to_string(), String::new()),
            Verdict::DoNotRecord(not) => (false, String::new(), not.reason.clone()),
        };
        let asks_consent = matches!(decision.verdict, Verdict::AskConsent(_));
        tracing::info!(recording = %self.recording, recorded, asks_consent, rule, "decided");
        let trace = decision.trace.clone();
        self.event(What::Decided(event_v1::Decided { recorded, rule, reason, trace, asks_consent }));
    }

    /// Tells the answer, and hands it to rules for the further legs of the call; that is not waited for.
    fn answered(&self, consent: &Consent, rule: &ResourceName, is_final: bool) {
        tracing::info!(recording = %self.recording, outcome = %consent.outcome, %rule, "consent was asked for");
        let call_id = &self.facts.call_id;
        self.event(What::ConsentAnswered(event_v1::ConsentAnswered::new(consent, call_id, rule.as_str())));
        if !is_final || self.facts.call_id.is_empty() {
            return;
        }
        let request = StoreConsentRequest {
            tenant: self.facts.tenant.to_string(),
            call_id: self.facts.call_id.clone(),
            consent: Some(consent.into()),
            rule: rule.to_string(),
        };
        let (bus, recording) = (self.calls.bus.clone(), self.recording);
        self.calls.tasks.spawn(async move {
            let stored = bus.request(bus::subjects::RULES_STORE_CONSENT, &request, STORING).await;
            let why = match stored {
                Ok(StoreConsentResponse { error }) => error,
                Err(error) => error.to_string(),
            };
            if !why.is_empty() {
                tracing::warn!(%recording, why, "further legs of the call will not know the answer");
            }
        });
    }

    pub(super) fn event(&self, what: What) {
        let tenant: &TenantId = &self.facts.tenant;
        self.calls.bus.event(event_v1::Event {
            recording_id: self.recording.to_string(),
            tenant: tenant.to_string(),
            at_unix_us: unix_us(),
            service: "ingest".to_owned(),
            what: Some(what),
        });
    }
}
