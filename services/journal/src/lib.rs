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
mod figures;
mod intake;
mod options;
mod write;

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Context;
use bus::Bus;
use delivery::{Delivering, EngineOptions, Metrics, Reporter, Role, Terms, WorkList};
use domain::{
    ResourceName,
    resources::{JournalTarget, TenantResources},
};
use runtime::Service;
use sql::Database;

pub use options::Options;

use figures::Figures;
use intake::Announcements;
use write::Writing;

const ROLE: Role = Role { service: "journal", destination: "journal", cargo: "rows", terms };

/// The journals of a tenant: rows are written at any time, unless the way there is not described to its end.
fn terms(tenant: &TenantResources) -> Vec<(ResourceName, Terms)> {
    let chosen: BTreeSet<&ResourceName> = tenant.rules.iter().flat_map(|rule| &rule.journals).collect();
    let of = |(name, journal): (&ResourceName, &JournalTarget)| {
        let incomplete = journal.incomplete().map(str::to_owned);
        (name.clone(), Terms { incomplete, chosen: chosen.contains(name), ..Terms::default() })
    };
    tenant.journal_targets.iter().map(of).collect()
}

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
    let config = config::watch_with_key(&options.config, &options.vault_key(), shutdown.clone())?;
    let db = Database::open(&options.state).await.context("the journal's state cannot be opened")?;
    let list = WorkList::open(db, options.retry.backoff()).await?.in_order();
    state_ready.set_ok();

    let metrics = Metrics::register(ROLE.service, service.registry()).context("metrics of the journal")?;
    let reporter = Reporter::new(bus.clone(), ROLE);
    let figures = Figures::register(service.registry()).context("metrics of the journal")?;
    let work = Arc::new(Writing::new(config.clone(), options.data.clone(), reporter, figures.clone()));
    // Rows of one journal are written one after the other: they are small, and their order is kept.
    let options = EngineOptions {
        concurrency: 1,
        // A row is nothing beside a recording: nobody has to wait for a turn.
        transfers: usize::MAX,
        orphan_after: options.retry.orphan_after(),
        ..EngineOptions::default()
    };
    work_ready.set_ok();
    let (forgotten, standing) =
        (Arc::clone(&work), figures.follow(list.clone(), config.clone(), shutdown.clone()));
    let delivering =
        Delivering { role: ROLE, bus, config, list, intake: Announcements, work, options, metrics };
    tokio::join!(delivering.run(shutdown.clone()), standing, forgotten.close_the_forgotten(shutdown));
    Ok(())
}
