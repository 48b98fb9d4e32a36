//! What is told of one call: the override (F-16) and the answer of who was asked (F-20 … F-24).

use domain::{Consent, ConsentMode, ConsentOutcome, ConsentSource, Override};
use wire::control_v1::{
    ConsentProof, GetConsentRequest, GetConsentResponse, GetOverrideRequest, GetOverrideResponse,
    SetConsentRequest, SetConsentResponse, SetOverrideRequest, SetOverrideResponse,
};

use super::{ApiError, ControlApi, Operation, people::call_id};
use crate::in_force::TenantInForce;

impl Operation for SetOverrideRequest {
    const NAME: &'static str = "SetOverride";
    type Answer = SetOverrideResponse;

    fn tenant(&self) -> &str {
        &self.tenant
    }

    async fn run(self, api: &ControlApi, tenant: &TenantInForce) -> Result<SetOverrideResponse, ApiError> {
        let call_id = call_id(&self.call_id)?;
        let override_: Override = word("override", &self.r#override, Override::ALL)?;
        let stored = api.calls.set_override(tenant.id(), call_id, override_).await;
        stored.map_err(|e| ApiError::state(&e))?;
        api.legs.decide_again(tenant.id(), call_id);
        Ok(SetOverrideResponse { r#override: override_.to_string() })
    }
}

impl Operation for GetOverrideRequest {
    const NAME: &'static str = "GetOverride";
    type Answer = GetOverrideResponse;

    fn tenant(&self) -> &str {
        &self.tenant
    }

    async fn run(self, api: &ControlApi, tenant: &TenantInForce) -> Result<GetOverrideResponse, ApiError> {
        let stored = api.calls.override_of(tenant.id(), call_id(&self.call_id)?).await;
        let stored = stored.map_err(|e| ApiError::state(&e))?;
        Ok(GetOverrideResponse { r#override: stored.to_string() })
    }
}

impl Operation for SetConsentRequest {
    const NAME: &'static str = "SetConsent";
    type Answer = SetConsentResponse;

    fn tenant(&self) -> &str {
        &self.tenant
    }

    async fn run(self, api: &ControlApi, tenant: &TenantInForce) -> Result<SetConsentResponse, ApiError> {
        let call_id = call_id(&self.call_id)?;
        let consent = answer(&self, tenant)?;
        api.answers.keep(tenant.id(), call_id, &consent, "").await.map_err(|e| ApiError::state(&e))?;
        let (outcome, permits, proof) = parts(&consent);
        Ok(SetConsentResponse { outcome, permits, proof })
    }
}

impl Operation for GetConsentRequest {
    const NAME: &'static str = "GetConsent";
    type Answer = GetConsentResponse;

    fn tenant(&self) -> &str {
        &self.tenant
    }

    async fn run(self, api: &ControlApi, tenant: &TenantInForce) -> Result<GetConsentResponse, ApiError> {
        let stored = api.calls.consent_of(tenant.id(), call_id(&self.call_id)?).await;
        let none = || ApiError::NotFound("no answer is known for this call".to_owned());
        let (outcome, permits, proof) = parts(&stored.map_err(|e| ApiError::state(&e))?.ok_or_else(none)?);
        Ok(GetConsentResponse { outcome, permits, proof })
    }
}

/// The answer that a PBX tells, made now.
fn answer(request: &SetConsentRequest, tenant: &TenantInForce) -> Result<Consent, ApiError> {
    let outcome: ConsentOutcome = word("outcome", &request.outcome, ConsentOutcome::ALL)?;
    let mode = match request.mode.as_str() {
        // Of the modes with a choice the one that permits least.
        "" => ConsentMode::OptIn,
        mode => word("mode", mode, ConsentMode::ALL)?,
    };
    let mut keys = request.key.chars();
    let key = match (keys.next(), keys.next()) {
        (None, _) => None,
        (Some(key), None) if matches!(key, '0'..='9' | 'A'..='D' | '*' | '#') => Some(key),
        _ => return Err(ApiError::Invalid("field key: one of 0-9, A-D, * and #".to_owned())),
    };
    let played = match request.announcement.as_str() {
        "" => None,
        name => {
            let unknown = || ApiError::NotFound("the tenant has no Announcement of this name".to_owned());
            let name = name.parse().map_err(|_| unknown())?;
            Some(tenant.resources().announcements.get(&name).ok_or_else(unknown)?)
        }
    };
    Ok(Consent {
        mode,
        outcome,
        key,
        at_unix_us: jiff::Timestamp::now().as_microsecond(),
        announcement: played.map(|played| played.name.clone()),
        announcement_sha256: played.map(|played| played.sha256.clone()),
        source: ConsentSource::Api,
    })
}

fn parts(consent: &Consent) -> (String, bool, Option<ConsentProof>) {
    let proof = ConsentProof {
        mode: consent.mode.to_string(),
        key: consent.key.map(String::from).unwrap_or_default(),
        at: rfc3339(consent.at_unix_us),
        announcement: consent.announcement.as_ref().map(ToString::to_string).unwrap_or_default(),
        announcement_sha256: consent.announcement_sha256.clone().unwrap_or_default(),
        source: consent.source.to_string(),
    };
    (consent.outcome.to_string(), consent.permits(), Some(proof))
}

/// A time as RFC 3339 in UTC with milliseconds; empty if it cannot be one.
pub(super) fn rfc3339(unix_us: i64) -> String {
    jiff::Timestamp::from_microsecond(unix_us).map(|at| format!("{at:.3}")).unwrap_or_default()
}

/// One of the words that a field can hold.
fn word<T: std::str::FromStr + std::fmt::Display>(field: &str, text: &str, all: &[T]) -> Result<T, ApiError> {
    text.parse().map_err(|_| {
        let words: Vec<String> = all.iter().map(ToString::to_string).collect();
        ApiError::Invalid(format!("field {field}: has to be one of {}", words.join(", ")))
    })
}
