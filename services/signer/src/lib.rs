//! Assembles calls from the bus and seals them: hash, chain, signature.
//!
//! Two stages with a durable queue between: [`assemble`] lays the messages of each call on a timeline
//! and ends with a finished recording; [`seal`] makes its files, signs them in the HSM, one chain a
//! lane, and announces them. [`leases`] say which replica does what. Each stage has its write order,
//! and what a crash leaves behind, at the top of its module.

pub mod assemble;
mod context;
pub mod fail_point;
pub mod http;
mod key;
mod leases;
mod metrics;
mod options;
pub mod seal;
pub mod staging;
pub mod state;
mod watch;

use std::sync::Arc;

use anyhow::Context as _;
use bus::Bus;
use jiff::tz::TimeZone;
use keys::SigningKey;
use runtime::Service;

pub use options::Options;

use crate::{
    context::{Context, TimeZones},
    metrics::Metrics,
    staging::Staging,
    state::State,
};

/// Runs the signer with the key that the options name, until the service is shut down.
///
/// # Errors
/// Configuration, state, staging or key cannot be used at the start. What fails later is tried again.
pub async fn run(options: Options, bus: Bus, service: Service) -> anyhow::Result<()> {
    let key = key::open(&options).await?;
    run_with_key(options, bus, service, key).await
}

/// The same with a key that was opened already.
///
/// # Errors
/// As [`run`].
pub async fn run_with_key(
    options: Options,
    bus: Bus,
    service: Service,
    key: Arc<dyn SigningKey>,
) -> anyhow::Result<()> {
    if let Some(step) = &options.fail_at {
        fail_point::arm(step)?;
    }
    let time_zones = time_zones(&options, &service)?;
    let state = State::open(&options.state).await?;
    let staging = Staging::open(&options.staging)?;
    let metrics = Metrics::register(service.registry())?;
    key::publish(&key, &staging).await?;
    let context = Arc::new(Context::new(options, bus, state, staging, key, time_zones, metrics));
    let watch = tokio::spawn(watch::conditions(context.clone(), service.clone()));
    let outcome = leases::run(context, service.shutdown()).await;
    watch.abort();
    outcome.context("the signer cannot share its work with other replicas")
}

fn time_zones(options: &Options, service: &Service) -> anyhow::Result<TimeZones> {
    let watched = config::watch(&options.config, service.shutdown()).context("the configuration folder")?;
    Ok(Arc::new(move |tenant| {
        let resources = watched.current();
        resources.tenants.get(tenant).map_or(TimeZone::UTC, |found| found.tenant.time_zone.clone())
    }))
}
