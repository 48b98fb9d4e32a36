//! Brings sealed recordings to every storage target.
//!
//! ```text
//! SEALED ──► intake ──► work list (SQL) ──► a worker per target: put, verify ──► settle: staging emptied
//! ```
//!
//! Write order, and what a crash leaves behind:
//! 1. one transaction stores the recording and an order for each target; only then is the message
//!    acknowledged. Crash before: it is delivered again. Crash between: delivered again, and found;
//! 2. a worker puts the files, audio first, signature last, and reads each back. Crash: the order is
//!    free again, and what lies at the target already counts as done;
//! 3. the order is noted as done;
//! 4. when no order of the recording is open, its files are deleted from staging, then that is noted.
//!    Crash: the sweep at the next start, or a minute later, deletes what is left.

mod certificates;
pub mod fail_point;
mod intake;
mod options;
mod records;
mod report;
mod settle;
mod ship;
mod staging;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

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
use records::Records;
use report::Reporter;
use settle::Settler;
use ship::Shipping;
use staging::Staging;

/// How often recordings are looked for whose files could have been deleted from staging.
const SWEEP: Duration = Duration::from_secs(60);

/// Runs the shipper until the service is shut down.
///
/// # Errors
/// The configuration folder, the state database or the staging folder cannot be used.
pub async fn run(options: Options, bus: Bus, service: Service) -> anyhow::Result<()> {
    if let Some(step) = &options.fail_at {
        fail_point::arm(step)?;
    }
    let shutdown = service.shutdown();
    let (state_ready, work_ready) = (service.condition("state"), service.condition("targets"));
    let config = config::watch(&options.config, shutdown.clone())?;
    let staging = Staging::open(&options.staging).context("the staging folder cannot be used")?;
    let db = Database::open(&options.state).await.context("the shipper's state cannot be opened")?;
    let list = WorkList::open(db.clone(), options.backoff()).await?;
    let records = Records::open(db).await?;
    state_ready.set_ok();

    let metrics = Metrics::register("shipper", service.registry()).context("metrics of the shipper")?;
    let reporter = Reporter::new(bus.clone());
    let settler = Settler::new(records.clone(), staging.clone(), service.registry())?;
    let intake = Intake::new(list.clone(), records, reporter.clone());
    let shipping = Shipping::new(config.clone(), options.data.clone(), staging, settler.clone(), reporter);
    let engine_options = EngineOptions { concurrency: options.concurrency, ..EngineOptions::default() };
    let engine = Engine::new(list.clone(), Arc::new(shipping), engine_options, metrics);

    let (tell, existing) = watch::channel(destinations(&config.current()));
    work_ready.set_ok();
    tokio::join!(
        follow(config, tell, list, shutdown.clone()),
        engine.run(existing, shutdown.clone()),
        intake.run(bus, shutdown.clone()),
        sweep(settler, shutdown),
    );
    Ok(())
}

fn destinations(resources: &Resources) -> BTreeSet<Destination> {
    let of_tenant = |(tenant, resources): (&domain::TenantId, &domain::resources::TenantResources)| {
        let tenant = tenant.clone();
        let names: Vec<_> = resources.storage_targets.keys().cloned().collect();
        names.into_iter().map(move |name| Destination { tenant: tenant.clone(), name })
    };
    resources.tenants.iter().flat_map(of_tenant).collect()
}

/// Tells the engine which targets there are; a change is a reason to try failed ones again.
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
            tracing::warn!(%error, "targets are not tried at once after the change");
        }
    }
}

async fn sweep(settler: Settler, shutdown: CancellationToken) {
    loop {
        settler.sweep().await;
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => {}
            () = shutdown.cancelled() => return,
        }
    }
}
