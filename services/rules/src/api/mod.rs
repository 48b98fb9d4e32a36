//! The control API: what a PBX, a client or a phone can tell and ask (F-08, F-16, F-17, F-32).
//!
//! ```text
//! HTTP + JSON ─┐ the same      ┌► memberships ─► NATS KV ─► every replica
//!              ├► request  ─► perform ─► overrides, consents ─► NATS KV, live legs
//! gRPC ────────┘ message       └► start, stop ─► live legs
//! ```
//! Each request message is an [`Operation`]: both transports build the message and call the same
//! [`ControlApi::perform`], so there is one meaning, one check of the token and one set of errors.

mod auth;
mod calls;
mod error;
mod grpc;
mod http;
mod members;
mod people;
mod recording;

use std::{future::Future, sync::Arc, time::Duration};

use domain::{Sensitive, TenantId};

pub(crate) use error::ApiError;
pub(crate) use grpc::routes as grpc_routes;
pub(crate) use http::routes as http_routes;

use crate::{
    consent::Answers,
    in_force::{InForce, TenantInForce},
    legs::Legs,
    metrics::Metrics,
    state::{Calls, Memberships},
};

/// Nothing takes longer: a dial plan waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Everything that operations work on.
#[derive(Clone)]
pub(crate) struct ControlApi {
    pub in_force: InForce,
    pub memberships: Memberships,
    pub calls: Calls,
    pub answers: Answers,
    pub legs: Legs,
    pub metrics: Metrics,
}

/// One request message and what it means.
pub(crate) trait Operation: Send + 'static {
    /// Its name in the proto.
    const NAME: &'static str;
    /// The response message.
    type Answer: Send;

    /// Whose calls it is about, as the message says.
    fn tenant(&self) -> &str;

    /// Carries it out for an asker who may.
    fn run(
        self,
        api: &ControlApi,
        tenant: &TenantInForce,
    ) -> impl Future<Output = Result<Self::Answer, ApiError>> + Send;
}

impl ControlApi {
    /// The tenant whose token this is. Error: it is none's, or there is no such tenant; nobody can
    /// tell which.
    pub fn admit(&self, tenant: &str, token: Option<&str>) -> Result<Arc<TenantInForce>, ApiError> {
        const NONE: &[Sensitive<String>] = &[];
        let tenant = tenant.parse::<TenantId>().ok().and_then(|id| self.in_force.tenant(&id));
        let tokens = tenant.as_ref().map_or(NONE, |own| &own.resources().tenant.api.tokens);
        let admitted = auth::is_one_of(tokens, token.unwrap_or_default());
        tenant.filter(|_| admitted).ok_or(ApiError::Unauthenticated)
    }

    /// Checks the token, carries the operation out, and counts it under `transport`.
    pub async fn perform<O: Operation>(
        &self,
        operation: O,
        token: Option<&str>,
        transport: &'static str,
    ) -> Result<O::Answer, ApiError> {
        let performed = match self.admit(operation.tenant(), token) {
            Ok(tenant) => {
                tokio::time::timeout(PATIENCE, operation.run(self, &tenant)).await.unwrap_or_else(|_| {
                    let text = format!("no result within {} s; try again", PATIENCE.as_secs());
                    Err(ApiError::Unavailable(text))
                })
            }
            Err(error) => Err(error),
        };
        self.count::<O>(transport, performed.as_ref().err());
        performed
    }

    /// Counts a request; one that never became an operation, too.
    pub fn count<O: Operation>(&self, transport: &'static str, error: Option<&ApiError>) {
        let status = error.map_or("OK", ApiError::name);
        self.metrics.requests.with_label_values(&[O::NAME, transport, status]).inc();
    }
}
