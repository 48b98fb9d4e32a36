//! Brings sealed recordings to every storage target.
//!
//! ```text
//! SEALED ──► intake ──► work list (SQL) ──► a worker per target: put, verify ──► settle: staging emptied
//! log/<tenant> in staging ──► a mirror per target: the transparency log beside the recordings
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

mod archive;
mod beside;
mod bookmark;
mod certificates;
pub mod fail_point;
mod faults;
mod hand_over;
mod intake;
mod mirror;
mod notify;
mod open_targets;
mod options;
mod quota;
mod records;
mod settle;
mod ship;
mod small_file;
mod staging;
mod sweep;
mod terms;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use bus::Bus;
use delivery::{Delivering, EngineOptions, Metrics, Reporter, Role, WorkList};
use runtime::Service;
use sql::Database;
use targets::Surroundings;
use tokio_util::sync::CancellationToken;
use vault::Vault;

pub use notify::{NotifyArgs, OperatorArgs};
pub use options::Options;

use archive::{Archive, Keeping, Policy};
use faults::Faults;
use intake::Announcements;
use mirror::Mirrors;
use notify::Notifier;
use open_targets::OpenTargets;
use records::Records;
use settle::Settler;
use ship::{Parts, Shipping};
use staging::Staging;
use sweep::Sweeper;

const ROLE: Role =
    Role { service: "shipper", destination: "target", cargo: "recordings", terms: terms::of_tenant };

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
    let config = config::watch_with_key(&options.config, &options.vault_key(), shutdown.clone())?;
    let staging = Staging::open(&options.staging).context("the staging folder cannot be used")?;
    let db = Database::open(&options.state).await.context("the shipper's state cannot be opened")?;
    let list = WorkList::open(db.clone(), options.retry.backoff()).await?;
    let records = Records::open(db.clone()).await?;
    let archive = Archive::open(list.clone()).await?;
    let findings = sweep::Findings::open(db.clone()).await?;
    state_ready.set_ok();

    let metrics = Metrics::register(ROLE.service, service.registry()).context("metrics of the shipper")?;
    let reporter = Reporter::new(bus.clone(), ROLE);
    let engine = EngineOptions {
        concurrency: options.concurrency,
        transfers: options.transfers,
        lease: Duration::try_from_secs_f64(options.lease).context("--lease")?,
        orphan_after: options.retry.orphan_after(),
        ..EngineOptions::default()
    };
    let settler =
        Settler::new(records.clone(), list.clone(), staging.clone(), engine.done_kept, service.registry())?;
    let targets = Arc::new(OpenTargets::new(
        config.clone(),
        Surroundings::new(&options.data).with_scripts(options.scripts.clone()),
        Faults::at(options.inject_faults),
    ));
    let parts = archive::Parts {
        archive: archive.clone(),
        policy: Policy::new(config.clone()),
        targets: Arc::clone(&targets),
        staging: staging.clone(),
        records: records.clone(),
        bus: bus.clone(),
        reporter: reporter.clone(),
        backoff: options.retry.backoff(),
        answers_within: options.answers_within()?,
    };
    let keeping = Keeping::new(parts, options.rounds()?, service.registry())?;
    let sweeper = Sweeper::new(
        records.clone(),
        list.clone(),
        staging.clone(),
        reporter.clone(),
        (keeping.comparer.clone(), findings),
        service.registry(),
    )?;
    let intake = Announcements::new(records, archive.clone(), reporter.clone());
    let mirrors = Mirrors::new(
        config.clone(),
        Arc::clone(&targets),
        staging.clone(),
        reporter.clone(),
        options.mirror.times(options.retry.backoff()),
        service.registry(),
    )?;
    let vault =
        Vault::open(&options.data.join("vault.key")).context("the key that seals what is kept of uploads")?;
    let (notified_of, staging_of_all, archive_of_all) =
        (Arc::clone(&targets), staging.clone(), archive.clone());
    let work = Arc::new(Shipping::new(Parts {
        targets,
        staging,
        list: list.clone(),
        archive,
        vault,
        settler: settler.clone(),
        reporter,
        mirrors: mirrors.wakes(),
    }));
    let watch = quota::Watch::new(
        &options.staging,
        options.notify.staging_quota,
        (options.notify.every()?, options.notify.forecast_window()?),
        Reporter::new(bus.clone(), ROLE),
        service.registry(),
    )?;
    let (tell_room, room) = tokio::sync::watch::channel(None);
    let parts = notify::Parts {
        args: options.notify,
        db,
        list: list.clone(),
        targets: notified_of,
        staging: staging_of_all,
        config: config.clone(),
        bus: bus.clone(),
        reporter: Reporter::new(bus.clone(), ROLE),
        retry: options.retry.backoff(),
        room,
        archive: archive_of_all,
        comparer: keeping.comparer.clone(),
    };
    let notifier = Notifier::new(parts, &service).await?;
    work_ready.set_ok();
    let list_of_log = list.clone();
    let answering = sweeper.clone().serve(bus.clone(), shutdown.clone());
    let delivering = Delivering { role: ROLE, bus, config, list, intake, work, options: engine, metrics };
    tokio::join!(
        delivering.run(shutdown.clone()),
        mirrors.run(list_of_log, shutdown.clone()),
        answering,
        keeping.run(shutdown.clone()),
        watch.run(tell_room, shutdown.clone()),
        notifier.run(shutdown.clone()),
        sweep(settler, sweeper, shutdown)
    );
    Ok(())
}

async fn sweep(settler: Settler, sweeper: Sweeper, shutdown: CancellationToken) {
    loop {
        settler.sweep().await;
        sweeper.sweep().await;
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => {}
            () = shutdown.cancelled() => return,
        }
    }
}
