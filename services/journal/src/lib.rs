//! Writes a row for every recording into every journal database (F-90…F-92).
//!
//! ```text
//! SEALED ──► intake ──► work list (SQL) ──► a worker per journal: look, insert
//! ```
//!
//! Write order, and what a crash leaves behind:
//! 1. an order for each journal is stored; only then is the message acknowledged. Crash between: it
//!    is delivered again, and found to be on the list;
//! 2. the row is inserted in a transaction that first looks whether it is there. Crash after it: the
//!    order is carried out again, finds the row, and writes none;
//! 3. the order is noted as done.

pub mod database;
pub mod fail_point;
mod intake;
mod options;
mod report;
mod write;

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Context;
use bus::Bus;
use config::Watched;
use delivery::{Destination, Engine, EngineOptions, Metrics, WorkList};
use domain::resources::Resources;
use runtime::Service;
use sql::Database;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use options::Options;

use intake::Intake;
use report::Reporter;
use write::Writing;

/// Runs the journal until the service is shut down.
///
/// # Errors
/// The configuration folder or the state database cannot be used.
pub async fn run(options: Options, bus: Bus, service: Service) -> anyhow::Result<()> {
    if let Some(step) = &options.fail_at {
        fail_point::arm(step)?;
    }
    let shutdown = service.shutdown();
    let (state_ready, work_ready) = (service.condition("state"), service.condition("journals"));
    let config = config::watch(&options.config, shutdown.clone())?;
    let db = Database::open(&options.state).await.context("the journal's state cannot be opened")?;
    let list = WorkList::open(db, options.backoff()).await?;
    state_ready.set_ok();

    let metrics = Metrics::register("journal", service.registry()).context("metrics of the journal")?;
    let reporter = Reporter::new(bus.clone());
    let intake = Intake::new(list.clone());
    let writing = Writing::new(config.clone(), options.data.clone(), reporter);
    // Rows of one journal are written one after the other: they are small, and their order is kept.
    let engine_options = EngineOptions { concurrency: 1, ..EngineOptions::default() };
    let engine = Engine::new(list.clone(), Arc::new(writing), engine_options, metrics);

    let (tell, existing) = watch::channel(destinations(&config.current()));
    work_ready.set_ok();
    tokio::join!(
        follow(config, tell, list, shutdown.clone()),
        engine.run(existing, shutdown.clone()),
        intake.run(bus, shutdown),
    );
    Ok(())
}

fn destinations(resources: &Resources) -> BTreeSet<Destination> {
    let of_tenant = |(tenant, resources): (&domain::TenantId, &domain::resources::TenantResources)| {
        let tenant = tenant.clone();
        let names: Vec<_> = resources.journal_targets.keys().cloned().collect();
        names.into_iter().map(move |name| Destination { tenant: tenant.clone(), name })
    };
    resources.tenants.iter().flat_map(of_tenant).collect()
}

/// Tells the engine which journals there are; a change is a reason to try failed ones again.
async fn follow(
    mut config: Watched,
    tell: watch::Sender<BTreeSet<Destination>>,
    list: WorkList,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = config.changed() => {}
            () = shutdown.cancelled() => return,
        }
        tell.send_replace(destinations(&config.current()));
        if let Err(error) = list.retry_now(jiff::Timestamp::now()).await {
            tracing::warn!(%error, "journals are not tried at once after the change");
        }
    }
}
