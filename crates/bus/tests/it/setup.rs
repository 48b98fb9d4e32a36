//! A server, a bus and calls for the tests.

use std::{future::Future, path::Path, time::Duration};

use bus::{Bus, BusOptions, CallPublisher, CallPublisherOptions, Entry, server};
use domain::{RecordingId, TenantId};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wire::call_v1::{AudioChunk, CallMessage, Packet, call_message::Body};

/// A server with its data in a folder of its own; can be stopped and started on the same port.
pub struct Nats {
    pub dir: TempDir,
    port: u16,
    server: Option<server::NatsServer>,
}

impl Nats {
    pub fn start() -> Self {
        let dir = TempDir::new().unwrap();
        // While it is stopped nobody else may get its port.
        let port = harness::ports::claim().unwrap();
        let mut nats = Self { dir, port, server: None };
        nats.restart();
        nats
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn monitor_url(&self) -> String {
        self.server.as_ref().unwrap().monitor_url().to_owned()
    }

    /// As a crash would.
    pub fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    /// It hangs: connections stay, nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.server.as_ref().unwrap().pid() as i32), signal).unwrap();
    }

    pub fn restart(&mut self) {
        let program = server::find_program().unwrap();
        let server = server::NatsServer::start(&program, &self.dir.path().join("nats"), Some(self.port));
        self.server = Some(server.unwrap());
    }

    pub async fn bus(&self) -> Bus {
        self.bus_with(|_| {}).await
    }

    pub async fn bus_with(&self, change: impl FnOnce(&mut BusOptions)) -> Bus {
        let mut options = BusOptions { calls_max_bytes: 64 << 20, ..BusOptions::new(self.url(), "test") };
        change(&mut options);
        let bus = Bus::connect(options).await.unwrap();
        until("a connection", || bus.is_connected()).await;
        bus.ensure_streams().await.unwrap();
        bus
    }

    pub async fn raw(&self) -> async_nats::jetstream::Context {
        async_nats::jetstream::new(async_nats::connect(self.url()).await.unwrap())
    }

    pub fn spool_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("spool")
    }

    pub async fn publisher(&self, bus: &Bus) -> CallPublisher {
        publisher(bus, &self.spool_dir()).await
    }
}

pub async fn publisher(bus: &Bus, spool: &Path) -> CallPublisher {
    let options = CallPublisherOptions::new("node-1".parse().unwrap(), spool);
    CallPublisher::start(bus.clone(), options, CancellationToken::new()).await.unwrap()
}

pub fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

/// A recording in partition 5.
pub fn recording() -> RecordingId {
    std::iter::repeat_with(RecordingId::new)
        .find(|id| domain::partition::partition_of(&tenant(), id) == PARTITION)
        .unwrap()
}

pub const PARTITION: u16 = 5;

/// Audio of `size` bytes.
pub fn audio(size: usize) -> Body {
    let packet = Packet { data: vec![0xd5; size].into(), ..Packet::default() };
    Body::Audio(AudioChunk { packets: vec![packet] })
}

/// `future`, or a failure after a minute.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("too late: {what}"),
    }
}

pub async fn until(what: &str, mut done: impl FnMut() -> bool) {
    soon(what, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// Reads partition 5 until `wanted` says that all is there; the messages that are not NodeStarted.
pub async fn messages(bus: &Bus, wanted: impl Fn(&[CallMessage]) -> bool) -> Vec<CallMessage> {
    let mut reader = bus.partition(PARTITION).read_from(0).await.unwrap();
    let mut seen = Vec::new();
    while !wanted(&seen) {
        let entry: Entry = soon("the next message", reader.next()).await.unwrap();
        seen.push(entry.content.unwrap());
    }
    seen
}

/// The numbers of the messages of `recording`, sorted, doubles removed.
pub fn numbers(messages: &[CallMessage], recording: RecordingId) -> Vec<u64> {
    let id = recording.to_string();
    let mut numbers: Vec<u64> = messages.iter().filter(|m| m.recording_id == id).map(|m| m.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

pub fn is_node_started(message: &CallMessage) -> bool {
    matches!(message.body, Some(Body::NodeStarted(_)))
}
