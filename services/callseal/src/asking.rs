//! Where the running services are asked: over NATS, so that nobody's database is opened.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, ensure};
use bus::{Bus, BusOptions};
use wire::Message;

/// How long a service may take for its answer; within it a restart of it is not noticed.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Where the services are asked.
#[derive(Debug, Clone, clap::Args)]
pub struct AskArgs {
    /// NATS server; `callseal up` names it in its ready line.
    #[arg(long, env = "CALLSEAL_NATS", default_value = "nats://127.0.0.1:4222", value_name = "URL")]
    nats: String,
    /// Data folder of a `callseal up` that runs on this machine; counts before --nats.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl AskArgs {
    /// What a command says that has options of its own for it.
    pub const fn new(nats: String, data: Option<PathBuf>) -> Self {
        Self { nats, data }
    }

    /// The bus that the services are on.
    ///
    /// # Errors
    /// Nothing runs with the data folder, or NATS cannot be reached.
    pub async fn connect(&self) -> anyhow::Result<Bus> {
        let url = match &self.data {
            Some(data) => bus::server::address_of_running(&data.join("nats"))
                .context("`callseal up` has to run with this data folder; else give --nats")?,
            None => self.nats.clone(),
        };
        let bus = Bus::connect(BusOptions::new(&url, "callseal-command")).await?;
        ensure!(
            bus.is_connected(),
            "NATS cannot be reached; `callseal up` names its address in the ready line: --nats"
        );
        Ok(bus)
    }

    /// One question to `service` and its answer.
    ///
    /// # Errors
    /// As [`Self::connect`]; or the service does not answer.
    pub async fn ask<Q, A>(&self, service: &str, subject: &str, request: &Q) -> anyhow::Result<A>
    where
        Q: Message,
        A: Message + Default,
    {
        let bus = self.connect().await?;
        bus.request(subject, request, PATIENCE)
            .await
            .with_context(|| format!("the {service} does not answer"))
    }
}
