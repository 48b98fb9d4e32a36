//! What is known of single calls: the override that was set for it, and the answer that was given.

use std::time::Duration;

use bus::{
    Bus, BusError,
    kv::{Bucket, Kv},
    subjects::call_token,
};
use domain::{Consent, Override, TenantId};
use wire::{
    InvalidMessage,
    state_v1::{CallConsent, CallOverride},
};

use super::{STORE_TIMEOUT, now_unix_us};

/// No call takes longer; a PBX that counts its ids from 1 may use one again.
const KEEP: Duration = Duration::from_secs(24 * 3600);
/// About 150 bytes each: 400,000 calls a day. NATS sets the space aside, so not more than is needed.
const MAX_BYTES: i64 = 64 << 20;

const OVERRIDES: Bucket = Bucket { name: "overrides", keep: Some(KEEP), max_bytes: MAX_BYTES };
const CONSENTS: Bucket = Bucket { name: "consents", keep: Some(KEEP), max_bytes: MAX_BYTES };

/// Overrides and answers of all calls.
#[derive(Clone)]
pub(crate) struct Calls {
    overrides: Kv<CallOverride>,
    consents: Kv<CallConsent>,
}

/// What is known of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CallState {
    /// As set through the API; `auto` if it was not.
    pub override_: Override,
    pub consent: Option<Consent>,
}

impl Calls {
    pub fn new(bus: &Bus) -> Self {
        Self { overrides: bus.kv(OVERRIDES), consents: bus.kv(CONSENTS) }
    }

    /// Makes the buckets.
    pub async fn ensure(&self) -> Result<(), BusError> {
        self.overrides.ensure(STORE_TIMEOUT).await?;
        self.consents.ensure(STORE_TIMEOUT).await
    }

    /// All that is known of a call. A call without an id has nothing that could be known.
    pub async fn of(&self, tenant: &TenantId, call_id: &str) -> Result<CallState, BusError> {
        if call_id.is_empty() {
            return Ok(CallState::default());
        }
        let (override_, consent) =
            futures::future::try_join(self.override_of(tenant, call_id), self.consent_of(tenant, call_id))
                .await?;
        Ok(CallState { override_, consent })
    }

    /// The override that was set for a call; `auto` if none was.
    ///
    /// Errors: it cannot be read, or not be understood: a later release may have stored it. Taken for
    /// `auto`, a `deny` would be a recording.
    pub async fn override_of(&self, tenant: &TenantId, call_id: &str) -> Result<Override, BusError> {
        let stored = self.overrides.get(&key(tenant, call_id), STORE_TIMEOUT).await?;
        let Some(stored) = stored else { return Ok(Override::Auto) };
        stored.r#override.parse().map_err(|e: domain::InvalidId| unintelligible("an override", e))
    }

    /// The answer that is known for a call.
    ///
    /// Errors: it cannot be read, or not be understood. Taken for none, with opt-out a refusal would be
    /// followed by a question, and silence to that by a recording.
    pub async fn consent_of(&self, tenant: &TenantId, call_id: &str) -> Result<Option<Consent>, BusError> {
        let stored = self.consents.get(&key(tenant, call_id), STORE_TIMEOUT).await?;
        let consent = stored.and_then(|stored| stored.consent).map(Consent::try_from).transpose();
        consent.map_err(|e: InvalidMessage| unintelligible("an answer", e))
    }

    /// Keeps the override of a call. When this returns every replica finds it.
    pub async fn set_override(
        &self,
        tenant: &TenantId,
        call_id: &str,
        override_: Override,
    ) -> Result<(), BusError> {
        let value = CallOverride { r#override: override_.to_string(), changed_unix_us: now_unix_us() };
        self.overrides.put(&key(tenant, call_id), &value, STORE_TIMEOUT).await.map(drop)
    }

    /// Keeps the answer for a call. When this returns every replica finds it.
    pub async fn set_consent(
        &self,
        tenant: &TenantId,
        call_id: &str,
        consent: &Consent,
    ) -> Result<(), BusError> {
        let value = CallConsent { consent: Some(consent.into()) };
        self.consents.put(&key(tenant, call_id), &value, STORE_TIMEOUT).await.map(drop)
    }
}

fn unintelligible(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> BusError {
    BusError::JetStream {
        action: format!("give back {what} that this release understands"),
        source: error.into(),
    }
}

fn key(tenant: &TenantId, call_id: &str) -> String {
    format!("{tenant}.{}", call_token(call_id))
}
