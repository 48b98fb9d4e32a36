//! The live legs of a call, wherever they are: each ingest node hears what concerns its own.

use std::time::Duration;

use bus::{Bus, BusError, subjects};
use domain::TenantId;
use wire::rules_v1::{CallControl, CallControlled, DecideAgain, call_control::What};

use crate::api::ApiError;

/// How long the first leg may take to answer.
const FIRST: Duration = Duration::from_secs(4);
/// How long further legs may take after the first.
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
        let recording_id = only.unwrap_or_default().to_owned();
        let message = CallControl { what: Some(what), recording_id };
        // One leg is one answer: nobody to wait for after it.
        let further = if only.is_some() { Duration::ZERO } else { FURTHER };
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
