//! What rules asks of a live call, on behalf of the API: how it stands, to look again, to stop, to
//! start. Rules decides whether that may be; here it is only carried out.

use bus::Asked;
use domain::Decision;
use wire::{
    InvalidMessage,
    call_v1::StartedBy,
    event_v1::{self, event::What},
    rules_v1::{CallControl, CallControlled, CallStanding, Start, Stop, call_control},
};

use super::{
    runner::{Inbox, Runner},
    state::{Input, Standing},
};
use crate::media::unix_us;

impl Runner {
    /// Carries out a wish and says how the call stands then.
    pub(super) async fn obey(&mut self, asked: Asked<CallControl>, inbox: &mut Inbox) {
        let meant = &asked.request.recording_id;
        if !meant.is_empty() && *meant != self.recording.to_string() {
            // Another leg of the call, which answers for itself.
            return;
        }
        let outcome = match asked.request.what.clone() {
            Some(call_control::What::Describe(_)) => Ok(()),
            Some(call_control::What::DecideAgain(_)) => {
                self.decide_again();
                Ok(())
            }
            Some(call_control::What::Stop(stop)) => self.stop(stop, inbox).await,
            Some(call_control::What::Start(start)) => self.start(start),
            None => Err("ingest does not know this request; are all services of one version?".to_owned()),
        };
        let error = outcome.err().unwrap_or_default();
        asked.answer(&self.describe(error)).await;
    }

    fn describe(&self, error: String) -> CallControlled {
        let standing = match self.state.standing() {
            Standing::Undecided => CallStanding::Undecided,
            Standing::Asking => CallStanding::Asking,
            Standing::Recorded => CallStanding::Recorded,
            Standing::NotRecorded | Standing::Over => CallStanding::NotRecorded,
            Standing::Stopped => CallStanding::Stopped,
        };
        CallControlled {
            recording_id: self.recording.to_string(),
            facts: Some((&*self.facts).into()),
            standing: standing.into(),
            recorded: self.state.how().map(Into::into),
            error,
        }
    }

    /// Something that decisions depend on is another: what rules said before no longer counts.
    fn decide_again(&mut self) {
        self.facts_version += 1;
        self.decisions_from = self.facts_version;
        match self.state.standing() {
            // The answer that is awaited is of before, and asked for again when it is there.
            Standing::Undecided | Standing::Recorded | Standing::Over => {}
            Standing::Asking | Standing::NotRecorded | Standing::Stopped => self.ask(),
        }
    }

    async fn stop(&mut self, stop: Stop, inbox: &mut Inbox) -> Result<(), String> {
        let at_unix_us = unix_us();
        // What was said until now belongs to the recording.
        self.hear_all(inbox).await;
        if !self.state.is_recorded() {
            return Err("the call is not being recorded".to_owned());
        }
        self.step(Input::Stop { by: stop.by.unwrap_or_default(), at_unix_us });
        Ok(())
    }

    fn start(&mut self, start: Start) -> Result<(), String> {
        let refused = match self.state.standing() {
            _ if self.has_ended => "the call is over",
            Standing::Over => "the call is over",
            Standing::Recorded => "the call is being recorded already",
            Standing::Undecided => "rules has not decided about the call yet; try again in a moment",
            Standing::Asking | Standing::NotRecorded | Standing::Stopped => "",
        };
        if !refused.is_empty() {
            return Err(refused.to_owned());
        }
        let decision = start.decision.map(Decision::try_from).transpose();
        let decision = decision.map_err(|e: InvalidMessage| e.to_string())?;
        let Some(decision) = decision.filter(|decision| decision.recorded().is_some()) else {
            return Err("the request to start does not say how to record".to_owned());
        };
        let rule = decision.recorded().map(|recorded| recorded.rule.to_string()).unwrap_or_default();
        let by = StartedBy { at_unix_us: unix_us(), way: start.way.clone(), user: start.user };
        self.step(Input::Start { decision, by });
        self.event(What::Started(event_v1::Started { rule, way: start.way }));
        Ok(())
    }
}
