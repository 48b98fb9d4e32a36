//! Decides which calls are recorded, and says why.
//!
//! Ingest asks for each new call (`rpc.rules.decide`); the answer is the decision of the pure core
//! in crate `policy` over the configuration in force and over what the PBX has told at run time:
//! who is logged on, what is wished for this call, what its parties answered. That comes through
//! the control API (gRPC and HTTP) and from consent calls (`rpc.rules.store-consent`), and lies in
//! NATS KV. Any number of replicas share the requests: each knows the same folder and the same
//! state, and keeps nothing of its own.

mod api;
mod api_address;
mod configuration;
mod consent;
mod decide;
mod in_force;
mod legs;
mod metrics;
mod state;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use axum::Router;
use bus::{
    Bus,
    subjects::{RULES_DECIDE, RULES_STORE_CONSENT},
};
use config::Watched;
use futures::FutureExt;
use runtime::Service;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use crate::api_address::ApiAddress;
use crate::{
    api::ControlApi,
    consent::Answers,
    decide::Decider,
    in_force::InForce,
    legs::Legs,
    metrics::Metrics,
    state::{Calls, Memberships},
};

/// Replicas with this name share the requests.
const QUEUE: &str = "rules";
/// Changes of memberships that are put in force at a time.
const BATCH: usize = 1_000;

/// What rules is started with.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Folder of resources: YAML files, sub-folders for tenants.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    pub config: PathBuf,
    /// File with the key that opens sealed values of Secrets.
    #[arg(long, env = "CALLSEAL_VAULT_KEY", default_value = "vault.key", value_name = "FILE")]
    pub vault_key: PathBuf,
    /// Where the control API is served, gRPC and HTTP both; `none` switches it off.
    #[arg(long, env = "CALLSEAL_API", default_value = "127.0.0.1:8081", value_name = "HOST:PORT")]
    pub api: ApiAddress,
}

/// The service, started: it answers once [`run`](Self::run) is.
pub struct Rules {
    bus: Bus,
    service: Service,
    watched: Watched,
    api: ControlApi,
    listener: Option<TcpListener>,
}

/// Starts the service and answers requests until it is shut down.
///
/// # Errors
/// Those of [`Rules::start`] and [`Rules::run`].
pub async fn run(options: Options, bus: Bus, service: Service) -> anyhow::Result<()> {
    Box::pin(Rules::start(options, bus, service).await?.run()).await
}

impl Rules {
    /// Reads the configuration and takes the API's port.
    ///
    /// # Errors
    /// The configuration folder does not exist, or the API's address cannot be listened on.
    pub async fn start(options: Options, bus: Bus, service: Service) -> anyhow::Result<Self> {
        let metrics = Metrics::register(service.registry()).context("metrics")?;
        let watched = config::watch_with_key(&options.config, &options.vault_key, service.shutdown())?;
        let listener = match options.api.0 {
            None => None,
            Some(address) => Some(
                TcpListener::bind(address)
                    .await
                    .with_context(|| format!("{address} cannot be listened on for the control API"))?,
            ),
        };
        let memberships = Memberships::new(&bus);
        let (calls, legs) = (Calls::new(&bus), Legs::new(&bus));
        let in_force = InForce::new(memberships.clone());
        let answers = Answers {
            bus: bus.clone(),
            in_force: in_force.clone(),
            calls: calls.clone(),
            legs: legs.clone(),
        };
        let api = ControlApi { in_force, memberships, calls, answers, legs, metrics };
        Ok(Self { bus, service, watched, api, listener })
    }

    /// Where the API is served by this service itself.
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// The API, to be served on a port that is there already. gRPC needs HTTP/2 there.
    pub fn routes(&self) -> Router {
        api::http_routes(self.api.clone()).merge(api::grpc_routes(self.api.clone()))
    }

    /// Answers until the service is shut down.
    ///
    /// # Errors
    /// A subject cannot be subscribed to, or a bucket of NATS KV would forget what it is told.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let shutdown = self.service.shutdown();
        let routes = self.routes();
        let serving =
            self.listener.take().map(|listener| tokio::spawn(serve(listener, routes, shutdown.clone())));
        configuration::follow(&self.service, self.watched, &self.api);

        let (first_seen, seen) = tokio::sync::oneshot::channel();
        let following = follow_state(&self.service, &self.api, first_seen);
        let requests = async {
            // A decision without knowing who is logged on would be a guess; ingest asks again.
            if seen.await.is_err() {
                return Ok(());
            }
            let decider = Decider {
                in_force: self.api.in_force.clone(),
                calls: self.api.calls.clone(),
                memberships: self.api.memberships.clone(),
                metrics: self.api.metrics.clone(),
            };
            let answers = self.api.answers.clone();
            let decide = move |request| decider.clone().answer(request);
            let store = move |request| answers.clone().store(request);
            tokio::try_join!(
                self.bus.serve(RULES_DECIDE, QUEUE, shutdown.clone(), decide),
                self.bus.serve(RULES_STORE_CONSENT, QUEUE, shutdown.clone(), store),
            )
            .map(drop)
        };
        tokio::try_join!(following, async { requests.await.map_err(anyhow::Error::from) })?;
        if let Some(serving) = serving {
            serving.await?;
        }
        Ok(())
    }
}

async fn serve(listener: TcpListener, routes: Router, shutdown: CancellationToken) {
    let served = axum::serve(listener, routes).with_graceful_shutdown(shutdown.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "the port of the control API failed");
    }
}

/// Follows memberships until shutdown; says on `first_seen` when they are known.
async fn follow_state(
    service: &Service,
    api: &ControlApi,
    first_seen: tokio::sync::oneshot::Sender<()>,
) -> anyhow::Result<()> {
    let current = service.condition("run-time state");
    let mut follower = api.memberships.follow();
    let mut first_seen = Some(first_seen);
    let shutdown = service.shutdown();
    while let Some(news) = shutdown.run_until_cancelled(follower.next()).await {
        // In the morning all log on: what has come meanwhile is put in force together.
        let mut batch = vec![news?];
        while batch.len() < BATCH
            && let Some(more) = follower.next().now_or_never()
        {
            batch.push(more?);
        }
        let is_current = api.memberships.take(batch, |changed| api.in_force.members_changed(changed));
        api.metrics.memberships.set(i64::try_from(api.memberships.count()).unwrap_or(i64::MAX));
        api.metrics.state_current.set(i64::from(is_current));
        if !is_current {
            current.set_failed("NATS is away: what the PBX tells is neither taken nor known");
            continue;
        }
        if let Some(first_seen) = first_seen.take() {
            if let Err(error) = api.calls.ensure().await {
                tracing::warn!(%error, "the buckets of overrides and answers are made when they are needed");
            }
            // Nobody waits any more: the service is being shut down.
            let _ = first_seen.send(());
        }
        current.set_ok();
    }
    Ok(())
}
