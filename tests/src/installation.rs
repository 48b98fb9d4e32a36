//! A whole installation: NATS and the five services, each a process of its own, over one folder.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{ports, process::Process, programs, wait};

/// The services, in the order in which they are started.
pub const SERVICES: [&str; 5] = ["rules", "signer", "shipper", "journal", "ingest"];

/// Ports for RTP.
const RTP_PORTS: u16 = 2_000;

/// Ports of an installation, chosen once so that a restarted process takes the same ones.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// SIP over UDP and TCP.
    pub sip: u16,
    /// First of the RTP ports.
    pub rtp: u16,
    /// NATS.
    pub nats: u16,
    /// NATS monitoring.
    pub nats_monitor: u16,
}

/// A folder with configuration, data and logs of one installation.
#[derive(Debug)]
pub struct Installation {
    /// The folder.
    pub dir: PathBuf,
    /// Its ports.
    pub ports: Ports,
    /// Further arguments by service: `("signer", "--lease=2")`.
    pub extra: Vec<(&'static str, String)>,
    http_ports: Mutex<BTreeMap<String, u16>>,
}

impl Installation {
    /// Prepares a folder: configuration in `config/`, a SoftHSM token with a key.
    ///
    /// # Errors
    /// A port or a program is missing.
    pub fn new(dir: &Path, resources: &str) -> anyhow::Result<Self> {
        let ports = Ports {
            sip: ports::claim()?,
            rtp: *ports::claim_rtp(RTP_PORTS)?.start(),
            nats: ports::claim()?,
            nats_monitor: ports::claim()?,
        };
        fs::create_dir_all(dir.join("config"))?;
        fs::create_dir_all(dir.join("data"))?;
        let made = Self { dir: dir.to_owned(), ports, extra: Vec::new(), http_ports: Mutex::default() };
        made.configure(resources)?;
        Ok(made)
    }

    /// Puts other resources in the place of those that are there, in one step as editors do.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn configure(&self, resources: &str) -> anyhow::Result<()> {
        fs::write(self.path("config/resources.new"), resources)?;
        Ok(fs::rename(self.path("config/resources.new"), self.path("config/resources.yaml"))?)
    }

    /// A path below the folder.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.join(relative)
    }

    /// Starts NATS on its port, with its store in this folder.
    ///
    /// # Errors
    /// It is missing or does not answer.
    pub async fn start_nats(&self) -> anyhow::Result<Process> {
        let store = self.path("data/nats");
        fs::create_dir_all(&store)?;
        let config = self.path("nats.conf");
        fs::write(&config, bus::server::config_text(self.ports.nats, self.ports.nats_monitor, &store))?;
        let program = bus::server::find_program().context("nats-server is missing: make test installs it")?;
        let process =
            Process::start("nats", &self.path("logs"), &mut bus::server::command(&program, &config))?;
        let port = self.ports.nats;
        wait::until("NATS to listen", Duration::from_secs(60), || async move {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await?;
        Ok(process)
    }
}

/// `GET http://127.0.0.1:<port><path>`: status and body.
///
/// # Errors
/// Nobody listens, or the answer is no HTTP.
pub async fn http_get(port: u16, path: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let status = head.split(' ').nth(1).context("no HTTP status")?.parse()?;
    Ok((status, body.to_owned()))
}

impl Installation {
    /// Makes the token and the signing key, with `callseal key init`.
    ///
    /// # Errors
    /// SoftHSM is missing, or a key is there already.
    pub fn make_key(&self) -> anyhow::Result<()> {
        let made = Command::new(programs::own("callseal")?)
            .args(["key", "init", "--softhsm"])
            .arg(self.path("data"))
            .output()?;
        anyhow::ensure!(made.status.success(), "no key: {}", String::from_utf8_lossy(&made.stderr));
        fs::write(self.path("data/callseal.pem"), made.stdout)?;
        Ok(())
    }

    /// Starts one service as a process of its own. What it prints goes to `logs/<name>.log`.
    ///
    /// # Errors
    /// It is not built.
    pub fn start_service(&self, service: &str) -> anyhow::Result<Process> {
        self.start_replica(service, service, &[])
    }

    /// Starts one replica of a service, with further arguments.
    ///
    /// # Errors
    /// It is not built.
    pub fn start_replica(&self, service: &str, name: &str, arguments: &[String]) -> anyhow::Result<Process> {
        let data = self.path("data");
        let sqlite = |file: &str| format!("sqlite:{}", data.join(file).display());
        let mut command = Command::new(programs::own(&format!("callseal-{service}"))?);
        command
            .env("CALLSEAL_NATS", format!("nats://127.0.0.1:{}", self.ports.nats))
            .env("CALLSEAL_NATS_MONITOR", format!("http://127.0.0.1:{}", self.ports.nats_monitor))
            .env("CALLSEAL_CONFIG", self.path("config"))
            .env("CALLSEAL_STAGING", data.join("staging"))
            .env("CALLSEAL_DATA", &data)
            .env("CALLSEAL_SIP", format!("127.0.0.1:{}", self.ports.sip))
            .env("CALLSEAL_RTP_PORTS", format!("{}-{}", self.ports.rtp, self.ports.rtp + RTP_PORTS - 1))
            .env("CALLSEAL_SPOOL", data.join("spool"))
            .env("CALLSEAL_SIGNER_STATE", sqlite("signer.sqlite"))
            .env("CALLSEAL_SHIPPER_STATE", sqlite("shipper.sqlite"))
            .env("CALLSEAL_JOURNAL_STATE", sqlite("journal.sqlite"))
            .env("SOFTHSM2_CONF", data.join("keys/softhsm2.conf"))
            .env("CALLSEAL_PKCS11_PIN_FILE", data.join("keys/pin"))
            .env("CALLSEAL_HTTP", format!("127.0.0.1:{}", self.http_port(name)?))
            // Of rules alone; ask for its port by `http_port("rules-api")`.
            .env("CALLSEAL_API", format!("127.0.0.1:{}", self.http_port(&format!("{name}-api"))?))
            .args(self.extra.iter().filter(|(of, _)| *of == service).map(|(_, argument)| argument))
            .args(arguments);
        Process::start(name, &self.path("logs"), &mut command)
    }

    /// The port for metrics and health of a service or replica; the same over its restarts.
    ///
    /// # Errors
    /// The machine has no port left.
    pub fn http_port(&self, name: &str) -> anyhow::Result<u16> {
        let mut ports = self.http_ports.lock().map_err(|_| anyhow::anyhow!("a test panicked before"))?;
        if let Some(port) = ports.get(name) {
            return Ok(*port);
        }
        let port = ports::claim()?;
        ports.insert(name.to_owned(), port);
        Ok(port)
    }

    /// Waits until a service says that it is ready.
    ///
    /// # Errors
    /// It does not within a minute; the text holds what it printed.
    pub async fn wait_until_ready(&self, name: &str, process: &Process) -> anyhow::Result<()> {
        let port = self.http_port(name)?;
        wait::until(&format!("{name} to be ready"), Duration::from_secs(60), || async move {
            http_get(port, "/readyz").await.ok().filter(|(status, _)| *status == 200)
        })
        .await
        .map(drop)
        .with_context(|| process.output())
    }
}
