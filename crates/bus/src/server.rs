//! A NATS server of our own, as a child process on 127.0.0.1: for `callseal up` and for tests.
//!
//! A parent that is killed leaves its server behind. The next start in the same folder recognises
//! it by the pid file and stops it first: two servers on one store would damage it.

use std::{
    fs::{self, File},
    io,
    os::unix::{fs::OpenOptionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Deserialize;
use tracing::{info, warn};

use crate::BusError;

pub use crate::monitoring::sync_always;

/// The oldest release that can be used.
pub const OLDEST: (u32, u32) = (2, 11);
/// Environment variable with the path of the program.
pub const PROGRAM_VARIABLE: &str = "CALLSEAL_NATS_SERVER";

const PROGRAM: &str = "nats-server";
const CONFIG_FILE: &str = "nats-server.conf";
const PID_FILE: &str = "nats-server.pid";
const LOG_FILE: &str = "nats-server.log";
/// A large store is read through before the server is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// What streams may reserve together. Left to itself, NATS allows three quarters of the disk space
/// that was free when it started, and with little of it makes no stream at all: no call is recorded
/// because the disk *might* be full one day. How large the streams are is decided by
/// [`BusOptions::within`](crate::BusOptions::within).
const MAX_FILE_STORE: &str = "64GB";
/// Variable by which Go's runtime learns how much memory it should keep to.
const MEMORY_VARIABLE: &str = "GOMEMLIMIT";
/// What NATS should keep to (a soft limit: it collects more often above, and takes more if it needs it).
/// Purging loads whole blocks of 8 MiB, after which Go would let its heap double without a look back:
/// from 130 to 380 MiB within minutes of a hundred calls.
const MEMORY_LIMIT: &str = "256MiB";

/// The configuration of a server of our own. A port of 0 means any free one.
///
/// `sync_interval: always` is what makes an acknowledgement mean *on disk*.
pub fn config_text(port: u16, monitor_port: u16, store_dir: &Path) -> String {
    let any = |port: u16| if port == 0 { "-1".to_owned() } else { port.to_string() };
    // JSON's quoting is understood by NATS' configuration.
    let quoted = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
    let beside = store_dir.parent().unwrap_or(store_dir);
    format!(
        "# Written by Callseal at each start.\n\
         listen: \"127.0.0.1:{}\"\n\
         http: \"127.0.0.1:{}\"\n\
         pid_file: {}\n\
         ports_file_dir: {}\n\
         jetstream {{\n  store_dir: {}\n  max_file_store: {MAX_FILE_STORE}\n  sync_interval: always\n}}\n",
        any(port),
        any(monitor_port),
        quoted(&beside.join(PID_FILE)),
        quoted(beside),
        quoted(store_dir),
    )
}

/// Runs `program` on the configuration that lies in the file `config`. A memory limit in the environment
/// (`GOMEMLIMIT`) goes before the one that is set here.
pub fn command(program: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--config").arg(config);
    if std::env::var_os(MEMORY_VARIABLE).is_none() {
        command.env(MEMORY_VARIABLE, MEMORY_LIMIT);
    }
    command
}

/// Finds the program: `$CALLSEAL_NATS_SERVER`, else `.tools/bin/nats-server` in a folder above this
/// executable or above the current folder, else on the `PATH`.
///
/// Error: there is none; the text says what to do.
pub fn find_program() -> Result<PathBuf, BusError> {
    if let Some(program) = std::env::var_os(PROGRAM_VARIABLE) {
        let program = PathBuf::from(program);
        let problem = || format!("${PROGRAM_VARIABLE} names no file");
        return if program.is_file() { Ok(program) } else { Err(BusError::server(problem(), None)) };
    }
    let starts = [std::env::current_exe().ok(), std::env::current_dir().ok()];
    let tools = starts.iter().flatten().flat_map(|start| start.ancestors()).map(|a| a.join(".tools/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = tools.chain(std::env::split_paths(&path)).map(|dir| dir.join(PROGRAM)).find(|p| p.is_file());
    found.ok_or_else(|| {
        let problem = format!("not found; run scripts/install-tools.sh or set ${PROGRAM_VARIABLE}");
        BusError::server(problem, None)
    })
}

/// Address for clients of the server that runs on the data in `dir`, as the process that started it
/// knows it: another process finds it here.
///
/// Error: none runs there.
pub fn address_of_running(dir: &Path) -> Result<String, BusError> {
    let none = |e| BusError::server(format!("none runs on {}", dir.display()), Some(e));
    let pid = fs::read_to_string(dir.join(PID_FILE)).map_err(none)?;
    let ports = fs::read(dir.join(format!("nats-server_{}.ports", pid.trim()))).map_err(none)?;
    let ports: Ports = serde_json::from_slice(&ports).map_err(|e| none(e.into()))?;
    ports.nats.into_iter().next().ok_or_else(|| none(io::ErrorKind::NotFound.into()))
}

/// A running server. Stopped when dropped.
#[derive(Debug)]
pub struct NatsServer {
    child: Child,
    url: String,
    monitor_url: String,
    port: u16,
}

#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
    monitoring: Vec<String>,
}

impl NatsServer {
    /// Starts `program` with its data in `dir` (made when missing) on 127.0.0.1, on `port` or on any
    /// free one, and waits until it is ready; blocks for that long. To start again where an earlier
    /// one stood, give the same `dir` and its port.
    ///
    /// Errors: older than 2.11, does not start (with the last line of its log), port in use.
    pub fn start(program: &Path, dir: &Path, port: Option<u16>) -> Result<Self, BusError> {
        check_version(program)?;
        let failed = |what: &str| {
            let problem = format!("{what} in {}", dir.display());
            move |e| BusError::server(problem, Some(e))
        };
        fs::create_dir_all(dir).map_err(failed("cannot make its folder"))?;
        let dir = dir.canonicalize().map_err(failed("cannot use its folder"))?;
        let config = dir.join(CONFIG_FILE);
        stop_orphan(&dir.join(PID_FILE), &config)?;
        // A process id may come again, with a file of its first life.
        for entry in fs::read_dir(&dir).map_err(failed("cannot use its folder"))?.flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "ports") {
                let _ = fs::remove_file(entry.path());
            }
        }
        let text = config_text(port.unwrap_or(0), 0, &dir.join("jetstream"));
        fs::write(&config, text).map_err(failed("cannot write its configuration"))?;
        let log = File::options().append(true).create(true).mode(0o600).open(dir.join(LOG_FILE));
        let log = log.map_err(failed("cannot write its log"))?;
        let child = command(program, &config)
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C goes to the whole group of a terminal; NATS has to outlive our draining.
            .process_group(0)
            .spawn()
            .map_err(failed("cannot start it"))?;
        let mut server = Self { child, url: String::new(), monitor_url: String::new(), port: 0 };
        let ports = server.wait_until_ready(&dir)?;
        let first = |urls: Vec<String>| urls.into_iter().next().unwrap_or_default();
        (server.url, server.monitor_url) = (first(ports.nats), first(ports.monitoring));
        server.port = server.url.rsplit(':').next().and_then(|p| p.parse().ok()).unwrap_or_default();
        info!(url = server.url, "nats-server is ready");
        Ok(server)
    }

    /// For clients: `nats://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Of its monitoring: `http://127.0.0.1:PORT`.
    pub fn monitor_url(&self) -> &str {
        &self.monitor_url
    }

    /// The port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it: asks first (SIGTERM), kills it after 20 s. Blocks until it is gone.
    pub fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let deadline = Instant::now() + STOP_WITHIN;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            sleep(POLL);
        }
        warn!("nats-server does not stop and is killed");
        self.kill();
    }

    /// Kills it without warning (SIGKILL), as a crash would; for fault tests.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn wait_until_ready(&mut self, dir: &Path) -> Result<Ports, BusError> {
        // Written when all listeners are up, which is after the store has been read.
        let file = dir.join(format!("nats-server_{}.ports", self.child.id()));
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            if let Some(ports) = fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
                return Ok(ports);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                let log = fs::read_to_string(dir.join(LOG_FILE)).unwrap_or_default();
                let said = log.lines().last().unwrap_or("nothing in its log");
                return Err(BusError::server(format!("ended at once ({status}): {said}"), None));
            }
            sleep(POLL);
        }
        Err(BusError::server(format!("is not ready after {} s", READY_WITHIN.as_secs()), None))
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn check_version(program: &Path) -> Result<(), BusError> {
    let run = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let output =
        run.map_err(|e| BusError::server(format!("{} cannot be run", program.display()), Some(e)))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match parse_version(&text) {
        Some(version) if version >= OLDEST => Ok(()),
        Some((major, minor)) => Err(BusError::server(
            format!("release {major}.{minor} is too old; {}.{} or newer is needed", OLDEST.0, OLDEST.1),
            None,
        )),
        None => Err(BusError::server(format!("{} does not tell its version", program.display()), None)),
    }
}

/// Of "nats-server: v2.15.1".
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().rsplit_once('v')?.1.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Stops the server that a killed parent left on this folder, if there is one.
fn stop_orphan(pid_file: &Path, config: &Path) -> Result<(), BusError> {
    let Ok(text) = fs::read_to_string(pid_file) else { return Ok(()) };
    let Ok(pid) = text.trim().parse::<i32>() else { return Ok(()) };
    // Process ids are used again: only a process with our own configuration is ours.
    let ours = || {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|b| *b == 0).any(|argument| argument == config.as_os_str().as_encoded_bytes())
    };
    let deadline = Instant::now() + STOP_WITHIN;
    let mut signal = Signal::SIGTERM;
    while ours() {
        if Instant::now() > deadline {
            let io = io::Error::from(io::ErrorKind::TimedOut);
            return Err(BusError::server(format!("process {pid} of an earlier run does not stop"), Some(io)));
        }
        info!(pid, "stopping the nats-server that an earlier run left behind");
        let _ = kill(Pid::from_raw(pid), signal);
        let patience = Instant::now() + STOP_WITHIN / 2;
        while ours() && Instant::now() < patience {
            sleep(POLL);
        }
        signal = Signal::SIGKILL;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_by_number() {
        assert_eq!(parse_version("nats-server: v2.15.1\n"), Some((2, 15)));
        assert!(parse_version("nats-server: v2.9.10").unwrap() < OLDEST);
        assert!(parse_version("nats-server: v2.11.0-RC.1").unwrap() >= OLDEST);
        assert_eq!(parse_version("bash"), None);
    }

    #[test]
    fn the_configuration_syncs_before_it_acknowledges_and_binds_to_loopback_only() {
        let text = config_text(4222, 0, Path::new("/data/nats/jetstream"));
        assert!(text.contains("sync_interval: always") && text.contains("max_file_store: 64GB"));
        assert!(text.contains("listen: \"127.0.0.1:4222\"") && text.contains("http: \"127.0.0.1:-1\""));
    }
}
