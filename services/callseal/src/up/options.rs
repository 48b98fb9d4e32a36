//! What `callseal up` is told, and what follows from it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use keys::KeyOptions;

use super::command_line;

/// Arguments of `callseal up`.
#[derive(Debug, Clone, clap::Args)]
pub struct UpArgs {
    /// Folder with the resources (tenants, rules, targets, journals); watched.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    pub config: PathBuf,
    /// Folder for everything Callseal keeps: staging, state, spool, bus, key store.
    #[arg(long, env = "CALLSEAL_DATA", value_name = "DIR")]
    pub data: PathBuf,
    /// Where SIP is taken, UDP and TCP.
    #[arg(long, env = "CALLSEAL_SIP", default_value = "0.0.0.0:5060", value_name = "HOST:PORT")]
    pub sip: SocketAddr,
    /// Where metrics, health and the control API (HTTP and gRPC) are served.
    #[arg(long, env = "CALLSEAL_HTTP", default_value = "127.0.0.1:9464", value_name = "HOST:PORT")]
    pub http: SocketAddr,
    /// Address that SIP and SDP name; needed when --sip listens on all addresses.
    #[arg(long, env = "CALLSEAL_ADVERTISE", value_name = "IP")]
    pub advertise: Option<std::net::IpAddr>,
    /// First and last UDP port for RTP and RTCP.
    #[arg(long, env = "CALLSEAL_RTP_PORTS", default_value = "20000-29999", value_name = "FIRST-LAST")]
    pub rtp_ports: String,
    /// A NATS server that runs already; without it, one is started as a child process.
    #[arg(long, env = "CALLSEAL_NATS", value_name = "URL")]
    pub nats: Option<String>,
    /// Where the signing key lies; without a PKCS#11 library, SoftHSM keeps it under the data folder.
    #[command(flatten)]
    pub keys: KeyOptions,
    /// Who is told of what is wrong.
    #[command(flatten)]
    pub operator: callseal_shipper::OperatorArgs,
    /// How much staging may hold before people are told: bytes of its files (500GiB), or a share of its
    /// disk by whatever it is taken (80%).
    #[arg(long, env = "CALLSEAL_STAGING_QUOTA", default_value = "90%", value_name = "QUOTA")]
    pub staging_quota: String,
    /// Folder of the programs that script targets may run. Without it none is run.
    #[arg(long, env = "CALLSEAL_SCRIPTS", value_name = "DIR")]
    pub scripts: Option<PathBuf>,
    /// Name of this installation, in metadata and in the certificate.
    #[arg(long, env = "CALLSEAL_INSTALLATION", default_value = "callseal", value_name = "NAME")]
    pub installation: String,
    /// How long running calls may take to finish after Ctrl-C, in seconds.
    #[arg(long, env = "CALLSEAL_DRAIN", default_value_t = 30, value_name = "SECONDS")]
    pub drain: u64,
}

impl UpArgs {
    /// The defaults of the command line, over these two folders.
    ///
    /// # Errors
    /// A `CALLSEAL_…` variable of the environment has a value that cannot be.
    pub fn new(config: &Path, data: &Path) -> anyhow::Result<Self> {
        command_line::parse("up", [("--config", config.as_os_str()), ("--data", data.as_os_str())])
    }
}
