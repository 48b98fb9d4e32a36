//! The live legs of a call, wherever they are: each ingest node hears what concerns its own.

use std::time::Duration;

use bus::{Bus, BusError, subjects};
use domain::{Class, TenantId};
use wire::{
    call_v1::StoppedBy,
    rules_v1::{CallControl, CallControlled, CallStanding, DecideAgain, Describe, Stop, call_control::What},
};

use crate::api::ApiError;

/// How long the first leg may take to answer.
const FIRST: Duration = Duration::from_secs(4);
/// How long further legs may take after the first while somebody waits for what they say.
const FURTHER: Duration = Duration::from_millis(300);

/// Asks and tells live legs.
#[derive(Clone)]
pub(crate) struct Legs(Bus);

impl Legs {
    pub fn new(bus: &Bus) -> Self {
        Self(bus.clone())
    }

    /// Tells the legs of a call `what`, or the one with this recording alone, and gathers how they
    /// stand then.
    pub async fn tell(
        &self,
        tenant: &TenantId,
        call_id: &str,
        only: Option<&str>,
        what: What,
    ) -> Result<Vec<CallControlled>, ApiError> {
        // One leg is one answer: nobody to wait for after it.
        let further = if only.is_some() { Duration::ZERO } else { FURTHER };
        self.tell_within(further, (tenant, call_id), only, what).await
    }

    async fn tell_within(
        &self,
        further: Duration,
        (tenant, call_id): (&TenantId, &str),
        only: Option<&str>,
        what: What,
    ) -> Result<Vec<CallControlled>, ApiError> {
        let recording_id = only.unwrap_or_default().to_owned();
        let message = CallControl { what: Some(what), recording_id };
        match self.0.ask_all(&subjects::control(tenant, call_id), &message, FIRST, further).await {
            Ok(legs) => Ok(legs),
            Err(BusError::NoResponder { .. }) => {
                Err(ApiError::NotFound("there is no live call with this id at Callseal".to_owned()))
            }
            Err(error) => {
                tracing::warn!(%error, "a live call cannot be reached");
                Err(ApiError::Unavailable(format!("the call cannot be reached: {error}")))
            }
        }
    }

    /// The recordings of a call that run and rest on consent, of the legs that answer no later than `further`
    /// after the first.
    pub async fn resting_on_consent(
        &self,
        further: Duration,
        tenant: &TenantId,
        call_id: &str,
    ) -> Vec<String> {
        let describe = What::Describe(Describe {});
        let described = self.tell_within(further, (tenant, call_id), None, describe).await;
        let described = described.unwrap_or_default().into_iter();
        described.filter(rests_on_consent).map(|leg| leg.recording_id).collect()
    }

    /// Ends a recording because somebody refused to be recorded.
    pub async fn end_by_refusal(&self, tenant: &TenantId, call_id: &str, recording: &str) {
        let by = StoppedBy { way: "a refusal of consent".to_owned(), user: String::new() };
        match self.tell(tenant, call_id, Some(recording), What::Stop(Stop { by: Some(by) })).await {
            Ok(_) => tracing::info!(recording, "stopped: consent was refused"),
            Err(error) => tracing::warn!(recording, %error, "goes on though consent was refused"),
        }
    }

    /// Has every leg of a call decided again, if there is one; nobody waits for it. A leg listens
    /// before it asks for its decision, so it either hears this or has read what was stored before.
    pub fn decide_again(&self, tenant: &TenantId, call_id: &str) {
        let (legs, tenant, call_id) = (self.clone(), tenant.clone(), call_id.to_owned());
        tokio::spawn(async move {
            match legs.tell(&tenant, &call_id, None, What::DecideAgain(DecideAgain {})).await {
                Ok(legs) => tracing::debug!(legs = legs.len(), "a live call is decided again"),
                Err(error) => tracing::debug!(%error, "no live call was decided again"),
            }
        });
    }
}

/// What the law has recorded goes on, and what a user started with no consent asked for.
fn rests_on_consent(leg: &CallControlled) -> bool {
    let recorded = leg.recorded.as_ref();
    leg.standing() == CallStanding::Recorded
        && recorded.is_some_and(|how| how.class == Class::Consent.as_str() || how.consent.is_some())
}

#[cfg(test)]
mod tests {
    use wire::call_v1::{Consent, Recorded};

    use super::*;

    #[test]
    fn only_a_running_recording_that_rests_on_consent_ends_by_a_refusal() {
        let recorded = |class: Class| Recorded { class: class.to_string(), ..Recorded::default() };
        let with_proof = Recorded { consent: Some(Consent::default()), ..recorded(Class::Manual) };
        for (standing, recorded, expected) in [
            (CallStanding::Recorded, Some(recorded(Class::Consent)), true),
            (CallStanding::Recorded, Some(with_proof), true),
            (CallStanding::Recorded, Some(recorded(Class::Manual)), false),
            (CallStanding::Recorded, Some(recorded(Class::Regulated)), false),
            (CallStanding::Stopped, Some(recorded(Class::Consent)), false),
            (CallStanding::Asking, None, false),
        ] {
            let leg = CallControlled { standing: standing.into(), recorded, ..CallControlled::default() };
            assert_eq!(rests_on_consent(&leg), expected, "{leg:?}");
        }
    }
}
