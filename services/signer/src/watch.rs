//! Conditions of readiness: the key, the bus, the state database, staging.

use std::{sync::Arc, time::Duration};

use bus::with_sources;
use runtime::Service;

use crate::{context::Context, state::Phase};

/// How often the bus and the database are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// How often the key signs a test message (F-57), in rounds.
const KEY_EVERY: u32 = 30;

/// Keeps the conditions of `service` true to life, for as long as the task runs.
pub async fn conditions(context: Arc<Context>, service: Service) {
    let nats = service.condition("nats");
    let key = service.condition("key");
    let database = service.condition("state");
    let mut tick = tokio::time::interval(EVERY);
    for round in 0_u32.. {
        tick.tick().await;
        if context.bus.is_connected() {
            nats.set_ok()
        } else {
            nats.set_failed("no connection to NATS")
        }
        match context.state.count(Phase::Open).await {
            Ok(_) => database.set_ok(),
            Err(error) => database.set_failed(with_sources(&error)),
        }
        if round.is_multiple_of(KEY_EVERY) {
            let checked = context.key.clone();
            match tokio::task::spawn_blocking(move || checked.check()).await {
                Ok(Ok(())) => key.set_ok(),
                Ok(Err(error)) => key.set_failed(with_sources(&error)),
                Err(_) => key.set_failed("the check of the key was stopped"),
            }
        }
    }
}
