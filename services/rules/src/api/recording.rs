//! Starting and stopping the recording of a live call (F-17, F-32). How each leg stands is asked
//! first; what may be done to it is for the policy to say.

use std::fmt::Display;

use domain::{CallFacts, Class, Decision, Recorded, Verdict};
use policy::{ManualRefused, RunTime, StopRefused, may_resume};
use wire::{
    call_v1::StoppedBy,
    control_v1::{
        Leg, PressPhoneButtonRequest, PressPhoneButtonResponse, StartRecordingRequest,
        StartRecordingResponse, StopRecordingRequest, StopRecordingResponse,
    },
    rules_v1::{CallControlled, CallStanding, Describe, Start, Stop, call_control::What},
};

use super::{ApiError, ControlApi, Operation, people::call_id};
use crate::in_force::TenantInForce;

/// Where wishes come from, as it stands in events and in `_info.txt`.
const API: &str = "API";
const PHONE_BUTTON: &str = "phone button";

impl Operation for StartRecordingRequest {
    const NAME: &'static str = "StartRecording";
    type Answer = StartRecordingResponse;

    fn tenant(&self) -> &str {
        &self.tenant
    }

    async fn run(self, api: &ControlApi, tenant: &TenantInForce) -> Result<StartRecordingResponse, ApiError> {
        let call = LiveCall::find(api, tenant, &self.call_id, &self.user, API).await?;
        Ok(StartRecordingResponse { legs: call.start().await? })
    }
}

impl Operation for StopRecordingRequest {
    const NAME: &'static str = "StopRecording";
    type Answer = StopRecordingResponse;

    fn tenant(&self) -> &str {
        &self.tenant
    }

    async fn run(self, api: &ControlApi, tenant: &TenantInForce) -> Result<StopRecordingResponse, ApiError> {
        let call = LiveCall::find(api, tenant, &self.call_id, &self.user, API).await?;
        Ok(StopRecordingResponse { legs: call.stop().await? })
    }
}

impl Operation for PressPhoneButtonRequest {
    const NAME: &'static str = "PressPhoneButton";
    type Answer = PressPhoneButtonResponse;

    fn tenant(&self) -> &str {
        &self.tenant
    }

    async fn run(
        self,
        api: &ControlApi,
        tenant: &TenantInForce,
    ) -> Result<PressPhoneButtonResponse, ApiError> {
        let call = LiveCall::find(api, tenant, &self.call_id, &self.user, PHONE_BUTTON).await?;
        let (shown, legs) = if call.legs.iter().any(|leg| leg.recorded_by_duty()) {
            return Err(refused(
                "this call is recorded by legal duty: the phone button leaves that as it is",
            ));
        } else if call.legs.iter().any(LiveLeg::is_recorded) {
            ("stopped", call.stop().await?)
        } else {
            ("recording", call.start().await?)
        };
        Ok(PressPhoneButtonResponse { shown: shown.to_owned(), legs })
    }
}

/// A call as it stands now, and who wants something of it.
struct LiveCall<'a> {
    api: &'a ControlApi,
    tenant: &'a TenantInForce,
    call_id: &'a str,
    /// Name of the user.
    user: String,
    way: &'static str,
    state: RunTime,
    legs: Vec<LiveLeg>,
}

/// One leg, as its ingest node describes it.
struct LiveLeg {
    recording_id: String,
    facts: CallFacts,
    standing: CallStanding,
    recorded: Option<Recorded>,
}

impl<'a> LiveCall<'a> {
    async fn find(
        api: &'a ControlApi,
        tenant: &'a TenantInForce,
        id: &'a str,
        user: &str,
        way: &'static str,
    ) -> Result<Self, ApiError> {
        let call_id = call_id(id)?;
        let user = tenant.user_named(user)?;
        let described = api.legs.tell(tenant.id(), call_id, None, What::Describe(Describe {})).await?;
        let legs = described.into_iter().filter_map(LiveLeg::read).collect();
        let state = api.calls.of(tenant.id(), call_id).await.map_err(|e| ApiError::state(&e))?;
        Ok(Self { api, tenant, call_id, user, way, state: tenant.run_time(state), legs })
    }

    /// Starts each leg that may be started. Error: none may, and why the first may not.
    async fn start(&self) -> Result<Vec<Leg>, ApiError> {
        let mut decided = Vec::new();
        let mut first_refusal = None;
        for leg in &self.legs {
            match self.decision(leg) {
                Ok(Some(decision)) => decided.push((leg, decision)),
                Ok(None) => {}
                // A call that the law has recorded is not recorded by hand in another leg.
                Err(error) if leg.recorded_by_duty() => return Err(error),
                Err(error) => {
                    first_refusal.get_or_insert(error);
                }
            }
        }
        let running = self.legs.iter().any(LiveLeg::is_recorded);
        if decided.is_empty() && !running {
            return Err(first_refusal.unwrap_or_else(|| refused("no leg of this call can be recorded")));
        }
        let mut wishes = Vec::new();
        for (leg, decision) in decided {
            let (user, way) = (self.user.clone(), self.way.to_owned());
            wishes.push((leg, What::Start(Start { decision: Some((&decision).into()), user, way })));
        }
        self.carry_out(wishes).await
    }

    /// How `leg` is to be recorded; `None`: it is already.
    fn decision(&self, leg: &LiveLeg) -> Result<Option<Decision>, ApiError> {
        if let Some(before) = &leg.recorded {
            may_resume(before.class).map_err(refused)?;
        }
        if leg.is_recorded() {
            return Ok(None);
        }
        let (policy, time) = (self.tenant.policy(), jiff::Timestamp::now());
        let by_rules = policy.decide(&leg.facts, &self.state, time);
        let direction = by_rules.direction();
        // Consent stands: after a stop the rule's own recording goes on, for whoever is in the call.
        if leg.recorded.as_ref().is_some_and(|before| before.class == Class::Consent)
            && by_rules.recorded().is_some_and(|recorded| recorded.class == Class::Consent)
            && policy.may_stop(&leg.facts, &self.user, &self.state).is_ok()
        {
            return Ok(Some(by_rules.into_decision()));
        }
        let recorded =
            policy.manual_recording(&leg.facts, &self.user, &self.state, time).map_err(|e| match e {
                ManualRefused::UnknownUser => ApiError::NotFound(e.to_string()),
                e => refused(&e),
            })?;
        let trace = vec![format!("{}: recorded by hand, asked for by {}", recorded.rule, self.way)];
        Ok(Some(Decision { direction, verdict: Verdict::Record(recorded), trace }))
    }

    /// Stops each recorded leg that the user may stop. Error: none is recorded, or none may be.
    async fn stop(&self) -> Result<Vec<Leg>, ApiError> {
        let (mut wishes, mut first_refusal) = (Vec::new(), None);
        for leg in self.legs.iter().filter(|leg| leg.is_recorded()) {
            match self.tenant.policy().may_stop(&leg.facts, &self.user, &self.state) {
                Ok(()) => {
                    let by = StoppedBy { way: self.way.to_owned(), user: self.user.clone() };
                    wishes.push((leg, What::Stop(Stop { by: Some(by) })));
                }
                Err(error) => {
                    first_refusal.get_or_insert(match error {
                        StopRefused::UnknownUser => ApiError::NotFound(error.to_string()),
                        StopRefused::NotAParty => refused(&error),
                    });
                }
            }
        }
        if wishes.is_empty() {
            return Err(first_refusal.unwrap_or_else(|| refused("this call is not being recorded")));
        }
        self.carry_out(wishes).await
    }

    /// Tells each leg its wish. Error: no leg carried it out.
    async fn carry_out(&self, wishes: Vec<(&LiveLeg, What)>) -> Result<Vec<Leg>, ApiError> {
        let told = wishes.into_iter().map(async |(leg, what)| {
            let (tenant, only) = (self.tenant.id(), Some(leg.recording_id.as_str()));
            self.api.legs.tell(tenant, self.call_id, only, what).await
        });
        let mut answers: Vec<CallControlled> = Vec::new();
        let mut first_failure = None;
        for told in futures::future::join_all(told).await {
            match told {
                Ok(legs) => answers.extend(legs),
                Err(error) => {
                    first_failure.get_or_insert(error);
                }
            }
        }
        for answer in answers.iter().filter(|answer| !answer.error.is_empty()) {
            first_failure.get_or_insert_with(|| refused(&answer.error));
        }
        let mut changed: Vec<Leg> = answers
            .into_iter()
            .filter(|answer| answer.error.is_empty())
            .map(|answer| shown(&answer))
            .collect();
        match first_failure {
            Some(failure) if changed.is_empty() => return Err(failure),
            _ => {}
        }
        // Nothing was to be done to them.
        if changed.is_empty() {
            changed = self.legs.iter().filter(|leg| leg.is_recorded()).map(LiveLeg::shown).collect();
        }
        Ok(changed)
    }
}

impl LiveLeg {
    /// A leg whose facts cannot be read is not touched.
    fn read(described: CallControlled) -> Option<Self> {
        let standing = described.standing();
        let recorded = described.recorded.and_then(|recorded| recorded.try_into().ok());
        let facts = CallFacts::try_from(described.facts?).ok()?;
        Some(Self { recording_id: described.recording_id, facts, standing, recorded })
    }

    fn is_recorded(&self) -> bool {
        self.standing == CallStanding::Recorded
    }

    /// Now, or until it was stopped.
    fn recorded_by_duty(&self) -> bool {
        self.recorded.as_ref().is_some_and(|recorded| recorded.class == Class::Regulated)
    }

    fn shown(&self) -> Leg {
        Leg {
            recording_id: self.recording_id.clone(),
            standing: standing(self.standing).to_owned(),
            rule: self.recorded.as_ref().map(|recorded| recorded.rule.to_string()).unwrap_or_default(),
            class: self.recorded.as_ref().map(|recorded| recorded.class.to_string()).unwrap_or_default(),
        }
    }
}

fn shown(leg: &CallControlled) -> Leg {
    Leg {
        recording_id: leg.recording_id.clone(),
        standing: standing(leg.standing()).to_owned(),
        rule: leg.recorded.as_ref().map(|recorded| recorded.rule.clone()).unwrap_or_default(),
        class: leg.recorded.as_ref().map(|recorded| recorded.class.clone()).unwrap_or_default(),
    }
}

const fn standing(standing: CallStanding) -> &'static str {
    match standing {
        CallStanding::Unspecified | CallStanding::Undecided => "undecided",
        CallStanding::Asking => "asking",
        CallStanding::Recorded => "recorded",
        CallStanding::NotRecorded => "not recorded",
        CallStanding::Stopped => "stopped",
    }
}

fn refused(why: impl Display) -> ApiError {
    ApiError::Refused(why.to_string())
}
