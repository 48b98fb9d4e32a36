//! A whole installation: NATS and the five services, each a process of its own, over one folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{process::Process, programs, wait};

/// The services, in the order in which they are started.
pub const SERVICES: [&str; 5] = ["rules", "signer", "shipper", "journal", "ingest"];

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
}

impl Installation {
    /// Prepares a folder: configuration in `config/`, a SoftHSM token with a key.
    ///
    /// # Errors
    /// A port or a program is missing.
    pub fn new(dir: &Path, resources: &str) -> anyhow::Result<Self> {
        let sip = programs::free_sip_port()?;
        let ports = Ports {
            sip,
            // A range of its own for each test process, away from the ephemeral ports.
            rtp: 10_000 + (std::process::id() % 100) as u16 * 200,
            nats: programs::free_tcp_port()?,
            nats_monitor: programs::free_tcp_port()?,
        };
        fs::create_dir_all(dir.join("config"))?;
        fs::create_dir_all(dir.join("data"))?;
        fs::write(dir.join("config/resources.yaml"), resources)?;
        Ok(Self { dir: dir.to_owned(), ports, extra: Vec::new() })
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
        let process = Process::start("nats", &self.path("logs"), Command::new(program).arg("-c").arg(&config))?;
        let port = self.ports.nats;
        wait::until("NATS to listen", Duration::from_secs(20), || async move {
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
