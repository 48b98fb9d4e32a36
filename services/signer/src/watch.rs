//! Conditions of readiness: the keys, the bus, the state database, the logs.

use std::{sync::Arc, time::Duration};

use bus::with_sources;
use jiff::Timestamp;
use runtime::{Condition, Service};
use tokio::task::JoinSet;

use crate::{context::Context, key::Look, state::Phase};

/// How often the bus and the database are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// How often each key signs a test message (F-57), in rounds.
const KEY_EVERY: u32 = 30;
/// How often it is looked for a certificate that was imported, in rounds.
const CERTIFICATE_EVERY: u32 = 5;

/// Keeps the conditions of `service` true to life, for as long as the task runs.
pub async fn conditions(context: Arc<Context>, service: Service) {
    let nats = service.condition("nats");
    let key = service.condition("key");
    let database = service.condition("state");
    let log = service.condition("log");
    // Ends with this task.
    let mut looking = JoinSet::new();
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
        let look = match round {
            round if round.is_multiple_of(KEY_EVERY) => Look::Signing,
            round if round.is_multiple_of(CERTIFICATE_EVERY) => Look::Certificate,
            _ => Look::Brief,
        };
        if looking.is_empty() {
            let context = context.clone();
            looking.spawn(async move {
                if let Err(error) = context.keys.look_after_all(look).await {
                    tracing::debug!(error = with_sources(&error), "the keys were not looked after");
                }
            });
        }
        // A key service that is slow to answer does not make the rest look stale.
        let _ = tokio::time::timeout(EVERY, looking.join_next()).await;
        match context.keys.problems().as_slice() {
            [] => key.set_ok(),
            problems => key.set_failed(problems.join("; ")),
        }
        look_at_logs(&context, &log).await;
    }
}

/// A log that is halted stops its tenant's recordings; one that nobody watches should be looked at.
async fn look_at_logs(context: &Context, condition: &Condition) {
    // Without the database nothing can be said; that is another condition.
    let Ok(heads) = context.state.logs().await else { return };
    if let (Ok(oldest), Ok(waiting)) =
        (context.state.oldest_newest_checkpoint().await, context.state.uncovered_count().await)
    {
        let now = Timestamp::now().as_millisecond();
        context.metrics.checkpoint_age.set(oldest.map_or(0, |at| (now - at).max(0) / 1_000));
        context.metrics.unannounced.set(waiting);
    }
    let mut halted: Vec<String> = heads
        .iter()
        .filter(|head| !head.halted.is_empty())
        .map(|head| format!("{}: {}", head.tenant, head.halted))
        .collect();
    let troubles = context.logs.troubles.now().into_iter().filter(|(_, trouble)| !trouble.is_key);
    halted.extend(troubles.map(|(tenant, trouble)| format!("{tenant}: {trouble}")));
    let remarks: Vec<String> = context
        .logs
        .witnesses
        .lacking()
        .into_iter()
        .chain(context.logs.stamps.failing())
        .map(|(tenant, problem)| format!("{tenant}: {problem}"))
        .collect();
    if !halted.is_empty() {
        condition.set_failed(halted.join("; "));
    } else if !remarks.is_empty() {
        condition.set_degraded(remarks.join("; "));
    } else {
        condition.set_ok();
    }
}
