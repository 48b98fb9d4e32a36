//! From `main` to exit: logs, bus, HTTP, the service, a signal, drain.

use std::{future::Future, net::SocketAddr, process::ExitCode, time::Duration};

use axum::Router;
use bus::{Bus, BusOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Service, http, logs};

/// Exit code for a configuration that cannot work (EX_USAGE of sysexits.h).
const EXIT_CONFIGURATION: u8 = 64;

/// What every service of its own process takes.
#[derive(Debug, Clone, clap::Args)]
pub struct RuntimeArgs {
    /// NATS server.
    #[arg(long, env = "CALLSEAL_NATS", default_value = "nats://127.0.0.1:4222", value_name = "URL")]
    pub nats: String,
    /// NATS monitoring address, to check that writes are synced before they are acknowledged.
    #[arg(long, env = "CALLSEAL_NATS_MONITOR", value_name = "URL")]
    pub nats_monitor: Option<String>,
    /// Copies of each stream in the NATS cluster.
    #[arg(long, env = "CALLSEAL_NATS_REPLICAS", default_value_t = 1, value_name = "N")]
    pub nats_replicas: usize,
    /// Upper bound of the stream CALLS; when it is full, calls go on through the spool.
    #[arg(long, env = "CALLSEAL_CALLS_MAX_BYTES", default_value_t = 8 << 30, value_name = "BYTES")]
    pub calls_max_bytes: i64,
    /// Upper bound of the stream EVENTS; when it is full, the oldest events go.
    #[arg(long, env = "CALLSEAL_EVENTS_MAX_BYTES", default_value_t = bus::EVENTS_MAX_BYTES, value_name = "BYTES")]
    pub events_max_bytes: i64,
    /// Address for /metrics, /livez and /readyz.
    #[arg(long, env = "CALLSEAL_HTTP", default_value = "127.0.0.1:9464", value_name = "HOST:PORT")]
    pub http: SocketAddr,
    /// How log lines look.
    #[arg(long, env = "CALLSEAL_LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: logs::Format,
    /// How long running work may take to finish after a stop signal, in seconds.
    #[arg(long, env = "CALLSEAL_DRAIN", default_value_t = 30, value_name = "SECONDS")]
    pub drain: u64,
}

impl RuntimeArgs {
    /// How to reach the bus under the name `callseal-<service>`.
    pub fn bus_options(&self, service: &str) -> BusOptions {
        BusOptions {
            url: self.nats.clone(),
            name: format!("callseal-{service}"),
            replicas: self.nats_replicas,
            calls_max_bytes: self.calls_max_bytes,
            events_max_bytes: self.events_max_bytes,
            monitor_url: self.nats_monitor.clone(),
        }
    }
}

/// Runs one service as the whole process: until it ends, or until SIGTERM or SIGINT and the drain
/// that follows.
pub fn run_service<F, Fut>(name: &'static str, args: RuntimeArgs, start: F) -> ExitCode
where
    F: FnOnce(Service, Bus) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    run_service_beside(name, args, Router::new(), start)
}

/// As [`run_service`], with pages of its own on the port of `--http`.
pub fn run_service_beside<F, Fut>(name: &'static str, args: RuntimeArgs, pages: Router, start: F) -> ExitCode
where
    F: FnOnce(Service, Bus) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    logs::init(args.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the asynchronous runtime cannot start");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(serve(name, args, pages, start));
    // Blocking work that hangs (a dead disk) must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(2));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(service = name, error = format!("{error:#}"), "stopped");
            ExitCode::from(EXIT_CONFIGURATION)
        }
    }
}

async fn serve<F, Fut>(name: &'static str, args: RuntimeArgs, pages: Router, start: F) -> anyhow::Result<()>
where
    F: FnOnce(Service, Bus) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let service = Service::new(name);
    let http_up = tokio_util::sync::CancellationToken::new();
    let address = http::serve_beside(args.http, vec![service.clone()], pages, http_up.clone()).await?;
    let bus = Bus::connect(args.bus_options(name)).await?;
    bus.register_metrics(service.registry());
    // Ingest must take calls while NATS is away, so nobody waits for the streams to be there.
    let streams = {
        let (bus, shutdown) = (bus.clone(), service.shutdown());
        tokio::spawn(async move { bus.ensure_streams_when_reachable(shutdown).await })
    };
    tracing::info!(service = name, version = env!("CARGO_PKG_VERSION"), http = %address, "started");

    let mut running = tokio::spawn(start(service.clone(), bus));
    let unsafe_streams = async {
        match streams.await {
            Ok(Err(error)) => error,
            // Good streams, or none asked for any more: nothing to report, ever.
            _ => std::future::pending().await,
        }
    };
    let outcome = tokio::select! {
        ended = &mut running => ended,
        error = unsafe_streams => return Err(error.into()),
        () = wait_for_stop_signal() => {
            tracing::info!(service = name, "draining");
            service.shutdown().cancel();
            tokio::time::timeout(Duration::from_secs(args.drain), &mut running).await.unwrap_or_else(|_| {
                tracing::warn!(service = name, "stopped before the drain was complete");
                Ok(Ok(()))
            })
        }
    };
    http_up.cancel();
    outcome?
}

/// Waits for SIGTERM or SIGINT (Ctrl-C).
pub async fn wait_for_stop_signal() {
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be waited for");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
