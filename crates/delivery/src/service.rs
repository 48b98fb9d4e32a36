//! What all services that deliver have in common: announcements in, orders carried out by workers,
//! the configuration followed, questions answered.

use std::{collections::BTreeMap, sync::Arc};

use bus::Bus;
use config::Watched;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Destination, Engine, EngineOptions, Intake, Metrics, Role, Terms, Work, WorkList, desk, intake};

/// The parts of a service that delivers.
pub struct Delivering<W, I> {
    /// Its words, and which resources are its destinations.
    pub role: Role,
    /// Where announcements come from and questions are asked.
    pub bus: Bus,
    /// Says which destinations there are.
    pub config: Watched,
    /// Its work list.
    pub list: WorkList,
    /// What it makes of an announcement.
    pub intake: I,
    /// What it does with an order.
    pub work: Arc<W>,
    /// How it works.
    pub options: EngineOptions,
    /// What it counts.
    pub metrics: Metrics,
}

impl<W: Work, I: Intake> Delivering<W, I> {
    /// Delivers until `shutdown`; what is under way then is broken off and free for the next start.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { role, bus, config, list, intake, work, options, metrics } = self;
        let (tell, existing) = watch::channel(role.destinations(&config.current()));
        let engine = Engine::new(list.clone(), work, options, metrics).described_in(config.clone());
        tokio::join!(
            follow(role, config, tell, list.clone(), shutdown.clone()),
            engine.run(existing.clone(), shutdown.clone()),
            intake::run(role, bus.clone(), list.clone(), intake, shutdown.clone()),
            desk::serve(role, bus, list, existing, shutdown),
        );
    }
}

/// Tells which destinations there are; a change is a reason to try failed ones again.
async fn follow(
    role: Role,
    mut config: Watched,
    tell: watch::Sender<BTreeMap<Destination, Terms>>,
    list: WorkList,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = config.changed() => {}
            () = shutdown.cancelled() => return,
        }
        tell.send_replace(role.destinations(&config.current()));
        if let Err(error) = list.retry_now(Timestamp::now()).await {
            tracing::warn!(%error, "destinations that failed are not tried at once after the change");
        }
    }
}
