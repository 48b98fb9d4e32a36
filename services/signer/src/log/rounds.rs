//! Round after round, each log that is due is signed: beside the others, so that one that waits for its key,
//! its witnesses or a slow disk holds up no other.

use std::{collections::BTreeSet, time::Duration};

use bus::with_sources;
use domain::TenantId;
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    LogError,
    checkpoint::{AT_ONCE, advance, halt},
};
use crate::{
    context::Context,
    state::{Held, log::LogHead},
};

/// How long what is under way may take to end in order.
const TO_END: Duration = Duration::from_secs(2);

/// Signs and publishes until `stop`, or until the lease is lost.
pub(super) async fn run(context: &Context, lease: &Held, stop: &CancellationToken) {
    let every = context.options.checkpoint_every();
    let at_once = Semaphore::new(AT_ONCE);
    let work = |head: LogHead| {
        let at_once = &at_once;
        async move {
            let outcome = advance(context, lease, &head, at_once).await;
            (head.tenant, outcome)
        }
    };
    let (mut busy, mut working) = (BTreeSet::new(), FuturesUnordered::new());
    'rounds: while !stop.is_cancelled() {
        let begun = Instant::now();
        match due(context, &busy).await {
            Ok(heads) => {
                for head in heads {
                    busy.insert(head.tenant.clone());
                    working.push(work(head));
                }
            }
            Err(error) => context.fault("log", "", "", &error),
        }
        // Not more often than that, and at once when somebody has waited for it since.
        let mut next = std::pin::pin!(async {
            tokio::time::sleep_until(begun + every).await;
            let _ = tokio::time::timeout(every, context.logs.grown.notified()).await;
        });
        loop {
            tokio::select! {
                Some((tenant, outcome)) = working.next() => {
                    busy.remove(&tenant);
                    if !settle(context, lease, &tenant, outcome).await {
                        break 'rounds;
                    }
                }
                () = stop.cancelled() => break 'rounds,
                () = &mut next => break,
            }
        }
    }
    let end = async {
        while let Some((tenant, outcome)) = working.next().await {
            if !settle(context, lease, &tenant, outcome).await {
                break;
            }
        }
    };
    // What is not done by then is found by the next start, as after a crash.
    let _ = tokio::time::timeout(TO_END, end).await;
    context.logs.troubles.forget();
}

async fn due(context: &Context, busy: &BTreeSet<TenantId>) -> Result<Vec<LogHead>, LogError> {
    let troubles = &context.logs.troubles;
    let mut heads = context.state.logs().await?;
    let halted = heads.iter().filter(|head| !head.halted.is_empty()).count();
    context.metrics.logs_halted.set(i64::try_from(halted).unwrap_or(i64::MAX));
    heads.retain(|head| {
        let is_free = !busy.contains(&head.tenant) && !troubles.is_paused(&head.tenant);
        head.halted.is_empty() && head.size() > 0 && is_free
    });
    Ok(heads)
}

/// Notes and tells what became of one log. False: another replica seals now.
async fn settle(context: &Context, lease: &Held, tenant: &TenantId, outcome: Result<(), LogError>) -> bool {
    let troubles = &context.logs.troubles;
    match outcome {
        Ok(()) => {
            if troubles.is_over(tenant) {
                tracing::warn!(%tenant, "checkpoints of the log are signed again");
            }
        }
        Err(error) if error.is_fenced() => return false,
        Err(LogError::Refused(refusal)) => {
            troubles.is_over(tenant);
            if let Err(error) = halt(context, lease, tenant, &refusal).await {
                context.fault("log", tenant.as_str(), "", &error);
            }
        }
        Err(error) => {
            if let LogError::Key(fault) = &error {
                context.keys.lost(tenant, fault).await;
            }
            if troubles.note(tenant, &with_sources(&error), error.is_key()) {
                context.fault("log", tenant.as_str(), "", &error);
            }
        }
    }
    true
}
