//! What ingest can be told on its command line or by its environment.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use domain::NodeId;

use crate::media::PortRange;

/// Options of `callseal-ingest`.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Address for SIP over UDP and TCP; port 0 takes a free one.
    #[arg(long, env = "CALLSEAL_SIP", default_value = "127.0.0.1:5060", value_name = "HOST:PORT")]
    pub sip: SocketAddr,
    /// Our address in SDP and Contact, if it is not the one that packets leave from.
    #[arg(long, env = "CALLSEAL_ADVERTISE", value_name = "IP")]
    pub advertise: Option<IpAddr>,
    /// Ports for RTP (even) and RTCP (odd).
    #[arg(long, env = "CALLSEAL_RTP_PORTS", default_value = "20000-29999", value_name = "FIRST-LAST")]
    pub rtp_ports: PortRange,
    /// How long the ports of a call rest afterwards, in seconds.
    #[arg(long, env = "CALLSEAL_PORT_COOLDOWN", default_value = "30", value_parser = seconds, value_name = "SECONDS")]
    pub port_cooldown: Duration,
    /// Threads that take media from the network.
    #[arg(long, env = "CALLSEAL_MEDIA_THREADS", default_value_t = 1, value_name = "N")]
    pub media_threads: usize,
    /// Name of this node; it must stay the same over restarts, and no two nodes may share one.
    #[arg(long, env = "CALLSEAL_NODE", default_value = "ingest", value_name = "NAME")]
    pub node: NodeId,
    /// Folder for what the bus cannot take at once.
    #[arg(long, env = "CALLSEAL_SPOOL", default_value = "spool", value_name = "DIR")]
    pub spool: PathBuf,
    /// Most that the spool may hold, in bytes; nearly full, new calls are refused.
    #[arg(long, env = "CALLSEAL_SPOOL_MAX_BYTES", default_value_t = 8 << 30, value_name = "BYTES")]
    pub spool_max_bytes: u64,
    /// When media and signalling have both been silent for so long, the client is asked whether the
    /// call still exists, in seconds; ten times as long for a held call.
    #[arg(long, env = "CALLSEAL_SILENCE_TIMEOUT", default_value = "60", value_parser = seconds, value_name = "SECONDS")]
    pub silence_timeout: Duration,
    /// How long rules may take to decide, in seconds; then the tenant's whenUndecided applies.
    #[arg(long, env = "CALLSEAL_DECISION_TIMEOUT", default_value = "30", value_parser = seconds, value_name = "SECONDS")]
    pub decision_timeout: Duration,
    /// Most memory for the undecided audio of one call, in bytes.
    #[arg(long, env = "CALLSEAL_MEMORY_PER_CALL", default_value_t = 4 << 20, value_name = "BYTES")]
    pub memory_per_call: u64,
    /// Most memory for undecided audio on this node, in bytes.
    #[arg(long, env = "CALLSEAL_MEMORY_PER_NODE", default_value_t = 256 << 20, value_name = "BYTES")]
    pub memory_per_node: u64,
    /// How long live calls may go on after a stop signal, in seconds; less than --drain.
    #[arg(long, env = "CALLSEAL_GRACE", default_value = "20", value_parser = seconds, value_name = "SECONDS")]
    pub grace: Duration,
    /// T1 of RFC 3261, the estimated round trip to recording clients, in seconds: answers are
    /// repeated after T1, 2·T1 and so on, and given up after 64·T1.
    #[arg(long, env = "CALLSEAL_SIP_T1", default_value = "0.5", value_parser = seconds, value_name = "SECONDS")]
    pub sip_t1: Duration,
    /// Folder with the resources: tenants and how calls find them.
    #[arg(long, env = "CALLSEAL_CONFIG", value_name = "DIR")]
    pub config: PathBuf,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is expected".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "a number of seconds, 0 or more, is expected".to_owned())
}
