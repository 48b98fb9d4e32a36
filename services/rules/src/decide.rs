//! Answers ingest's question about a call: facts and run-time state in, decision out.

use bus::BusError;
use domain::{CallFacts, Decision, TenantId, Verdict};
use wire::{
    InvalidMessage,
    call_v1::Side,
    rules_v1::{DecideRequest, DecideResponse},
};

use crate::{
    in_force::InForce,
    metrics::Metrics,
    state::{Calls, Memberships},
};

/// Why there is no decision.
#[derive(Debug, thiserror::Error)]
enum Undecidable {
    #[error("the request holds no facts of the call")]
    NoFacts,
    #[error("the facts of the call cannot be read: {0}")]
    Facts(InvalidMessage),
    #[error("there is no Tenant \"{0}\" in force")]
    UnknownTenant(TenantId),
    /// Not knowing is no answer: an override or a refusal may be there. Ingest asks again, and
    /// then acts by `Tenant.whenUndecided`.
    #[error("what the PBX has told cannot be read: {0}")]
    State(BusError),
}

/// Decides.
#[derive(Clone)]
pub(crate) struct Decider {
    pub in_force: InForce,
    pub calls: Calls,
    pub memberships: Memberships,
    pub metrics: Metrics,
}

impl Decider {
    pub async fn answer(self, request: DecideRequest) -> DecideResponse {
        let timer = self.metrics.seconds.start_timer();
        let recording = request.recording_id.clone();
        let response = match self.decide(request).await {
            Ok((decision, own_sides)) => {
                let verdict = match &decision.verdict {
                    Verdict::Record(_) => "recorded",
                    Verdict::AskConsent(_) => "asks_consent",
                    Verdict::DoNotRecord(_) => "not_recorded",
                };
                self.metrics.decisions.with_label_values(&[verdict]).inc();
                tracing::debug!(recording, verdict, "decided");
                DecideResponse { decision: Some((&decision).into()), own_sides, error: String::new() }
            }
            Err(error) => {
                self.metrics.decisions.with_label_values(&["undecidable"]).inc();
                tracing::warn!(recording, %error, "a call could not be decided");
                DecideResponse { error: error.to_string(), ..DecideResponse::default() }
            }
        };
        timer.observe_duration();
        response
    }

    /// The decision, and the sides that are the tenant's own.
    async fn decide(&self, request: DecideRequest) -> Result<(Decision, Vec<i32>), Undecidable> {
        let facts = request.facts.ok_or(Undecidable::NoFacts)?;
        let facts = CallFacts::try_from(facts).map_err(Undecidable::Facts)?;
        let unknown = || Undecidable::UnknownTenant(facts.tenant.clone());
        self.in_force.tenant(&facts.tenant).ok_or_else(unknown)?;
        let state = self.calls.of(&facts.tenant, &facts.call_id).await.map_err(Undecidable::State)?;
        self.memberships.current().await.map_err(Undecidable::State)?;
        // After the state was read: what is in force now, not what was when the request came.
        let tenant = self.in_force.tenant(&facts.tenant).ok_or_else(unknown)?;
        let state = tenant.run_time(state);
        let decided = tenant.policy().decide(&facts, &state, jiff::Timestamp::now());
        let own_sides = decided.own_sides().iter().map(|side| i32::from(Side::from(*side))).collect();
        Ok((decided.into_decision(), own_sides))
    }
}
