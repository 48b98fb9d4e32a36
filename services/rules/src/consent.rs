//! Keeps what people answered: for the call itself, which is decided by it, and as an event.

use bus::{Bus, BusError};
use domain::{Consent, ConsentOutcome, ConsentSource, TenantId};
use wire::{
    event_v1::{ConsentAnswered, Event, event::What},
    rules_v1::{StoreConsentRequest, StoreConsentResponse},
};

use crate::{in_force::InForce, legs::Legs, state::Calls};

/// Where answers are kept and told.
#[derive(Clone)]
pub(crate) struct Answers {
    pub bus: Bus,
    pub in_force: InForce,
    pub calls: Calls,
    pub legs: Legs,
}

impl Answers {
    /// Keeps an answer that ingest heard.
    pub async fn store(self, request: StoreConsentRequest) -> StoreConsentResponse {
        let error = self.try_store(request).await.err().unwrap_or_default();
        if !error.is_empty() {
            tracing::warn!(error, "an answer could not be kept");
        }
        StoreConsentResponse { error }
    }

    async fn try_store(&self, request: StoreConsentRequest) -> Result<(), String> {
        let tenant: TenantId = request.tenant.parse().map_err(|e| format!("tenant: {e}"))?;
        self.in_force.tenant(&tenant).ok_or_else(|| format!("there is no Tenant \"{tenant}\" in force"))?;
        if request.call_id.is_empty() {
            return Err("an answer needs the id of the call that it is for".to_owned());
        }
        let consent = request.consent.ok_or("the request holds no answer")?;
        let consent = Consent::try_from(consent).map_err(|e| format!("the answer cannot be read: {e}"))?;
        self.keep(&tenant, &request.call_id, &consent, &request.rule).await.map_err(|e| e.to_string())
    }

    /// Keeps an answer, tells it, and has the live call decided by it. Can be repeated. `rule` is empty
    /// where it is not known which one asked: the PBX asked by itself.
    pub async fn keep(
        &self,
        tenant: &TenantId,
        call_id: &str,
        consent: &Consent,
        rule: &str,
    ) -> Result<(), BusError> {
        self.calls.set_consent(tenant, call_id, consent).await?;
        // A recorded call tells its own answer, under the recording's id.
        if consent.source != ConsentSource::RecordedCall {
            self.bus.event(answered(tenant, call_id, consent, rule));
        }
        if consent.outcome == ConsentOutcome::Denied {
            self.legs.refused(tenant, call_id);
        } else {
            self.legs.decide_again(tenant, call_id);
        }
        Ok(())
    }
}

fn answered(tenant: &TenantId, call_id: &str, consent: &Consent, rule: &str) -> Event {
    Event {
        recording_id: String::new(),
        tenant: tenant.to_string(),
        at_unix_us: jiff::Timestamp::now().as_microsecond(),
        service: "rules".to_owned(),
        what: Some(What::ConsentAnswered(ConsentAnswered::new(consent, call_id, rule))),
    }
}
