//! The services of one process: started in the order of the data, stopped from the source on.

use std::{fmt, net::SocketAddr, time::Duration};

use anyhow::Context;
use bus::{
    Bus, BusOptions,
    server::{NatsServer, find_program},
};
use runtime::Service;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{UpArgs, command_line, data_folder::DataFolder, key_store};

/// How long the start may take until every service is ready.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// Where a running installation can be reached.
#[derive(Debug, Clone)]
pub struct Ready {
    /// SIP, UDP and TCP.
    pub sip: SocketAddr,
    /// Metrics and health.
    pub http: SocketAddr,
    /// The bus.
    pub nats: String,
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sip, http, nats } = self;
        write!(f, "ready sip={sip} http=http://{http} metrics=http://{http}/metrics nats={nats}")
    }
}

struct Part {
    service: Service,
    task: JoinHandle<anyhow::Result<()>>,
}

struct Parts {
    registry: prometheus::Registry,
    parts: Vec<Part>,
}

impl Parts {
    fn start<F>(&mut self, name: &'static str, run: impl FnOnce(Service) -> F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let service = Service::beside(name, self.registry.clone());
        self.parts.push(Part { service: service.clone(), task: tokio::spawn(run(service)) });
    }
}

/// All services, running.
pub struct Running {
    ready: Ready,
    bus: Bus,
    /// In the order of the data: ingest first.
    parts: Vec<Part>,
    http_up: CancellationToken,
    // Dropped last: the services' final words go through it.
    _nats: Option<NatsServer>,
    _data: DataFolder,
}

impl Running {
    /// Starts everything and returns when a call can be taken.
    ///
    /// # Errors
    /// Something is missing, taken or wrong; the text says what.
    pub async fn start(args: &UpArgs) -> anyhow::Result<Self> {
        let data = DataFolder::take(&args.data)?;
        let keys = {
            let args = args.clone();
            tokio::task::spawn_blocking(move || key_store::prepare(&args)).await??
        };
        let nats = match &args.nats {
            Some(_) => None,
            None => Some(start_nats(&data).await?),
        };
        let (url, monitor_url) = match (&nats, &args.nats) {
            (Some(server), _) => (server.url().to_owned(), Some(server.monitor_url().to_owned())),
            (None, url) => (url.clone().unwrap_or_default(), None),
        };
        let options = BusOptions { monitor_url, ..BusOptions::new(&url, "callseal") };
        // Of a server of our own: it must not fill the disk that everything else lies on.
        let options = if nats.is_some() { options.within(data.free_bytes()?) } else { options };
        let bus = Bus::connect(options).await?;
        let reachable = bus.ensure_streams_when_reachable(CancellationToken::new());
        if timeout(START_PATIENCE, reachable).await.map(|made| made.is_err()).unwrap_or(true) {
            // The error of a last try says why.
            bus.ensure_streams().await?;
        }

        let registry = prometheus::Registry::new();
        bus.register_metrics(&registry);
        let (sip_sender, sip_listens) = oneshot::channel();
        let mut parts = Parts { registry, parts: Vec::new() };
        // Each service reads the same words as in a process of its own.
        let options = command_line::ingest(args, &data)?;
        parts
            .start("ingest", |service| callseal_ingest::run(options, bus.clone(), service, Some(sip_sender)));
        let options = command_line::rules(args, &data)?;
        let (api_sender, api) = oneshot::channel();
        parts.start("rules", |service| {
            let bus = bus.clone();
            async move {
                let rules = callseal_rules::Rules::start(options, bus, service).await?;
                // Nobody takes it: the start is broken off.
                let _ = api_sender.send(rules.routes());
                Box::pin(rules.run()).await
            }
        });
        let options = callseal_signer::Options { keys, ..command_line::signer(args, &data)? };
        parts.start("signer", |service| callseal_signer::run(options, bus.clone(), service));
        let options = command_line::shipper(args, &data)?;
        parts.start("shipper", |service| callseal_shipper::run(options, bus.clone(), service));
        let options = command_line::journal(args, &data)?;
        parts.start("journal", |service| callseal_journal::run(options, bus.clone(), service));
        let mut parts = parts.parts;
        let Ok(api) = api.await else { return Err(first_failure(&mut parts).await) };
        let pages = api.merge(callseal_signer::http::routes(&data.staging()));

        let http_up = CancellationToken::new();
        let services = parts.iter().map(|part| part.service.clone()).collect();
        let http =
            runtime::http::serve_beside(args.http, services, pages, http_up.clone()).await.with_context(
                || format!("{} cannot be listened on for metrics, health, API and logs", args.http),
            )?;
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let ready = Ready { sip: unknown, http, nats: url };
        let mut running = Self { ready, bus, parts, http_up, _nats: nats, _data: data };
        running.wait_until_ready(sip_listens).await?;
        Ok(running)
    }

    async fn wait_until_ready(
        &mut self,
        sip_listens: oneshot::Receiver<callseal_ingest::Started>,
    ) -> anyhow::Result<()> {
        let services: Vec<Service> = self.parts.iter().map(|part| part.service.clone()).collect();
        let everything = async {
            let started = sip_listens.await.ok();
            while services.iter().any(|service| !can_begin(service)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            started
        };
        let started = tokio::select! {
            failure = first_failure(&mut self.parts) => return Err(failure),
            started = timeout(START_PATIENCE, everything) => started,
        };
        match started {
            Ok(Some(started)) => self.ready.sip = started.sip_udp,
            Ok(None) => return Err(first_failure(&mut self.parts).await),
            Err(_) => {
                let missing: Vec<String> =
                    services.iter().filter_map(|s| s.health().ready().err()).flatten().collect();
                anyhow::bail!("not ready after {START_PATIENCE:?}: {}", missing.join("; "));
            }
        }
        Ok(())
    }

    /// Where it can be reached.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The bus, to watch what happens.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Waits until a service fails. Never returns while all are well.
    pub async fn failed(&mut self) -> anyhow::Error {
        first_failure(&mut self.parts).await
    }

    /// Drains: ingest first, then each service after the one that feeds it.
    ///
    /// # Errors
    /// A service failed while it stopped.
    pub async fn stop(self, patience: Duration) -> anyhow::Result<()> {
        for Part { service, task } in self.parts {
            service.shutdown().cancel();
            match timeout(patience, task).await {
                Ok(ended) => ended?.with_context(|| format!("{} failed while it stopped", service.name()))?,
                Err(_) => tracing::warn!(service = service.name(), "stopped before its drain was complete"),
            }
        }
        self.http_up.cancel();
        Ok(())
    }
}

/// What keeps recordings waiting (the key is lost, a log is halted) keeps no call waiting: it stands on
/// `/readyz`, and the start goes on.
fn can_begin(service: &Service) -> bool {
    let only_waits = |reason: &String| {
        (reason.starts_with("key: ") || reason.starts_with("log: ")) && !reason.ends_with(": not yet")
    };
    service.health().ready().err().is_none_or(|reasons| reasons.iter().all(only_waits))
}

async fn first_failure(parts: &mut [Part]) -> anyhow::Error {
    let ends = parts.iter_mut().map(|part| {
        let name = part.service.name();
        Box::pin(async move { (name, (&mut part.task).await) })
    });
    let ((name, ended), _, _) = futures::future::select_all(ends).await;
    match ended {
        Ok(Ok(())) => anyhow::anyhow!("{name} ended unasked"),
        Ok(Err(error)) => error.context(format!("{name} failed")),
        Err(panic) => anyhow::anyhow!("{name} ended with a fault of its own: {panic}"),
    }
}

async fn start_nats(data: &DataFolder) -> anyhow::Result<NatsServer> {
    let folder = data.nats();
    tokio::task::spawn_blocking(move || Ok(NatsServer::start(&find_program()?, &folder, None)?)).await?
}
