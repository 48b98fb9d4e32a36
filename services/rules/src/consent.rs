//! Keeps what people answered: for the call itself, which is decided by it, and as an event.

use std::time::Duration;

use bus::{Bus, BusError};
use domain::{Consent, ConsentOutcome, ConsentSource, TenantId};
use wire::{
    event_v1::{ConsentAnswered, Event, event::What},
    rules_v1::{StoreConsentRequest, StoreConsentResponse},
};

use crate::{in_force::InForce, legs::Legs, state::Calls};

/// How long the next leg of a call may take to say how it stands, after a refusal: prompt ones are told at
/// once, and one on a node that has much to do is heard as well.
const BY_AND_BY: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(5)];

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
        // First: what was decided before and is still under way counts no longer.
        self.legs.decide_again(tenant, call_id);
        if consent.outcome == ConsentOutcome::Denied {
            let (answers, tenant, call_id) = (self.clone(), tenant.clone(), call_id.to_owned());
            tokio::spawn(async move { answers.end_what_rested_on_consent(&tenant, &call_id).await });
        }
        Ok(())
    }

    /// Somebody refused to be recorded: ends those recordings that rest on consent. Nobody waits for it.
    async fn end_what_rested_on_consent(&self, tenant: &TenantId, call_id: &str) {
        for further in BY_AND_BY {
            let recordings = self.legs.resting_on_consent(further, tenant, call_id).await;
            // Whoever has agreed in the meantime is recorded again. What cannot be read has not.
            let known = self.calls.consent_of(tenant, call_id).await.ok().flatten();
            if known.is_some_and(|known| known.outcome != ConsentOutcome::Denied) {
                return;
            }
            for recording in recordings {
                self.legs.end_by_refusal(tenant, call_id, &recording).await;
            }
        }
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
