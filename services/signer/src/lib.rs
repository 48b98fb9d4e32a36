//! Assembles calls from the bus and seals them: hash, chain, signature.
//!
//! Two stages with a durable queue between: [`assemble`] lays the messages of each call on a timeline
//! and ends with a finished recording; [`seal`] makes its files, signs them in the HSM, one chain a
//! lane, and announces them. [`leases`] say which replica does what. Each stage has its write order,
//! and what a crash leaves behind, at the top of its module.

mod answering;
pub mod assemble;
mod context;
mod cost;
pub mod fail_point;
pub mod http;
pub mod key;
mod leases;
pub mod log;
mod metrics;
mod options;
pub mod seal;
pub mod staging;
pub mod state;
mod watch;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bus::Bus;
use domain::{
    Class, ResourceName, TenantId,
    resources::{Retention, tenant::evidence::Evidence},
};
use jiff::tz::TimeZone;
use runtime::Service;

pub use options::Options;

use crate::{
    context::{Context, OfTenants},
    key::{KeyRing, KeySource, KeyWishes},
    metrics::Metrics,
    staging::Staging,
    state::State,
};

/// A database that does not close by then is left to the operating system.
const LONGEST_CLOSING: Duration = Duration::from_secs(5);

/// Runs the signer with the keys that the options name, until the service is shut down.
///
/// # Errors
/// Configuration, state or staging cannot be used at the start. What fails later is tried again, and so
/// is a key that is not there.
pub async fn run(options: Options, bus: Bus, service: Service) -> anyhow::Result<()> {
    let keys = Arc::new(options.keys.clone());
    run_with_keys(options, bus, service, keys).await
}

/// The same with keys that are opened in another way.
///
/// # Errors
/// As [`run`].
pub async fn run_with_keys(
    options: Options,
    bus: Bus,
    service: Service,
    keys: Arc<dyn KeySource>,
) -> anyhow::Result<()> {
    if let Some(step) = &options.fail_at {
        fail_point::arm(step)?;
    }
    let configuration = Configuration::watch(&options, &service)?;
    let state = State::open(&options.state).await?;
    let staging = Staging::open(&options.staging)?;
    let metrics = Metrics::register(service.registry())?;
    let keys = KeyRing::new(
        keys,
        configuration.clone(),
        options.keys.key.clone(),
        (state.clone(), staging.clone(), bus.clone(), metrics.clone()),
    );
    let evidence = configuration.clone();
    let wishes: log::Wishes = Arc::new(move |tenant| evidence.evidence(tenant));
    let of_tenants = configuration.of_tenants();
    let context = Arc::new(Context::new(options, bus, state.clone(), staging, keys, of_tenants, metrics));
    context.logs.set_wishes(wishes);
    let watch = tokio::spawn(watch::conditions(context.clone(), service.clone()));
    let outcome = leases::run(context, service.shutdown()).await;
    watch.abort();
    // Whoever copies a SQLite file after an orderly end finds all of it in that one file.
    let _ = tokio::time::timeout(LONGEST_CLOSING, state.database().close()).await;
    outcome.context("the signer cannot share its work with other replicas")
}

/// What the signer reads in the resources.
struct Configuration(config::Watched);

impl Configuration {
    fn watch(options: &Options, service: &Service) -> anyhow::Result<Arc<Self>> {
        let watched =
            config::watch(&options.config, service.shutdown()).context("the configuration folder")?;
        Ok(Arc::new(Self(watched)))
    }

    fn of_tenants(self: Arc<Self>) -> OfTenants {
        let of_rules = Arc::clone(&self);
        OfTenants {
            time_zone: Box::new(move |tenant| self.time_zone(tenant)),
            retention: Box::new(move |tenant, rule, class| of_rules.retention(tenant, rule, class)),
        }
    }

    /// `None`, for ever, where the rule is not known any more.
    fn retention(&self, tenant: &TenantId, rule: &str, class: Class) -> Option<Retention> {
        let resources = self.0.current();
        let rules = &resources.tenants.get(tenant)?.rules;
        rules.iter().find(|known| known.name.as_str() == rule)?.retention_of(class)
    }

    /// UTC for a tenant that is not known.
    fn time_zone(&self, tenant: &TenantId) -> TimeZone {
        let resources = self.0.current();
        resources.tenants.get(tenant).map_or(TimeZone::UTC, |found| found.tenant.time_zone.clone())
    }
}

impl Configuration {
    /// Nothing for a tenant that is not known.
    fn evidence(&self, tenant: &TenantId) -> Evidence {
        let resources = self.0.current();
        resources.tenants.get(tenant).map(|found| found.tenant.evidence.clone()).unwrap_or_default()
    }
}

impl KeyWishes for Configuration {
    fn tenants(&self) -> Vec<TenantId> {
        self.0.current().tenants.keys().cloned().collect()
    }

    fn label(&self, tenant: &TenantId) -> Option<ResourceName> {
        self.0.current().tenants.get(tenant)?.tenant.evidence.signing_key.clone()
    }
}
