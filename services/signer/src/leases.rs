//! Who does what: sixteen partitions and the sealing, each a lease, shared evenly by the replicas.
//!
//! A replica renews its leases three times within their length. One that stops doing so loses them
//! when they run out, and every commit that it still tries fails at the fence. A replica with more
//! than its fair share stops work on the surplus in order (flush, then release), so nobody waits.

use std::{collections::HashMap, sync::Arc};

use bus::with_sources;
use domain::partition::PARTITIONS;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    assemble,
    context::Context,
    seal,
    state::{Held, StateError},
};

const SEAL: &str = "seal";

/// Work under a lease.
struct Running {
    held: Held,
    /// Ends the work in order.
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Takes this replica's share of the work, and does it until `shutdown`.
///
/// # Errors
/// The leases' rows cannot be made.
pub async fn run(context: Arc<Context>, shutdown: CancellationToken) -> Result<(), StateError> {
    let names: Vec<String> = (0..PARTITIONS).map(partition_name).chain([SEAL.to_owned()]).collect();
    context.state.create_leases(&names).await?;
    let mut share = Share { context, running: HashMap::new(), first_round: true };
    let mut tick = tokio::time::interval(share.context.options.lease() / 3);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            _ = tick.tick() => {
                if let Err(error) = share.round().await {
                    share.context.metrics.faults.with_label_values(&["leases"]).inc();
                    tracing::error!(error = with_sources(&error), "the leases cannot be renewed; trying again");
                }
            }
        }
    }
    share.give_back_all().await;
    Ok(())
}

fn partition_name(part: u16) -> String {
    format!("partition-{part:02}")
}

struct Share {
    context: Arc<Context>,
    running: HashMap<String, Running>,
    /// In its first round a replica takes over what an earlier run under its name left behind.
    first_round: bool,
}

impl Share {
    async fn round(&mut self) -> Result<(), StateError> {
        let (lease, replica) = (self.context.options.lease(), self.context.options.replica.to_string());
        let state = self.context.state.clone();
        let held: Vec<Held> = self.running.values().map(|running| running.held.clone()).collect();
        let mut lost: Vec<String> =
            state.renew_leases(&held, lease).await?.into_iter().map(|held| held.name.clone()).collect();
        lost.extend(
            self.running.iter().filter(|(_, one)| one.task.is_finished()).map(|(name, _)| name.clone()),
        );
        for name in lost {
            tracing::warn!(lease = name, "a lease was lost");
            if let Some(running) = self.running.remove(&name) {
                // Nothing it could still do would be committed.
                running.task.abort();
            }
        }
        let replicas = state.live_replicas(&replica, lease).await?;
        let fair = usize::from(PARTITIONS).div_ceil(replicas);
        for name in state.free_leases(&replica, self.first_round).await? {
            let is_enough = name != SEAL && self.partitions() >= fair;
            if is_enough || self.running.contains_key(&name) {
                continue;
            }
            if let Some(held) = state.take_lease(&name, &replica, self.first_round, lease).await? {
                self.start(held);
            }
        }
        self.first_round = false;
        let surplus: Vec<String> = self
            .running
            .keys()
            .filter(|name| *name != SEAL)
            .take(self.partitions().saturating_sub(fair))
            .cloned()
            .collect();
        if !surplus.is_empty() {
            tracing::info!(count = surplus.len(), replicas, "handing partitions to another replica");
            self.give_back(surplus).await;
        }
        self.context.metrics.partitions.set(i64::try_from(self.partitions()).unwrap_or(i64::MAX));
        Ok(())
    }

    fn partitions(&self) -> usize {
        self.running.keys().filter(|name| *name != SEAL).count()
    }

    fn start(&mut self, held: Held) {
        let stop = CancellationToken::new();
        let (context, lease, token) = (self.context.clone(), held.clone(), stop.clone());
        let part = held.name.strip_prefix("partition-").and_then(|part| part.parse().ok());
        let task = match part {
            Some(part) => tokio::spawn(assemble::partition::run(context, part, lease, token)),
            None => tokio::spawn(seal::run(context, lease, token)),
        };
        self.running.insert(held.name.clone(), Running { held, stop, task });
    }

    /// Ends work in order and releases its leases. All at once: a flush takes its time.
    async fn give_back(&mut self, names: Vec<String>) {
        let ending: Vec<Running> = names.iter().filter_map(|name| self.running.remove(name)).collect();
        ending.iter().for_each(|running| running.stop.cancel());
        for running in ending {
            // A lease that runs out while its work ends is no harm: the fence sees to that.
            let ended = tokio::time::timeout(self.context.options.lease(), running.task).await;
            let released = self.context.state.release_lease(&running.held).await;
            if ended.is_err() || released.is_err() {
                tracing::warn!(
                    lease = running.held.name,
                    "a lease was not handed back in order; it will run out"
                );
            }
        }
    }

    async fn give_back_all(&mut self) {
        if let Err(error) = self.context.state.forget_replica(self.context.options.replica.as_str()).await {
            tracing::warn!(error = with_sources(&error), "the replica could not be signed off");
        }
        self.give_back(self.running.keys().cloned().collect()).await;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.running.values().for_each(|running| running.task.abort());
    }
}
