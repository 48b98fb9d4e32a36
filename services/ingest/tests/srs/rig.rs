//! A running ingest with its NATS, a rules service that says what a test wants, and the bus' view.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bus::{Bus, BusOptions, server::NatsServer};
use callseal_ingest::{Options, Started};
use clap::Parser;
use domain::{Channels, Class, Decision, Direction, NotRecorded, Recorded, Verdict};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use wire::{
    call_v1::{CallMessage, Packet, call_message::Body},
    rules_v1::{DecideRequest, DecideResponse},
};

/// Nothing in these tests takes longer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What rules does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    Record,
    DoNotRecord,
    /// Records calls whose callee is `+493022`, no others.
    RecordDesk,
    /// Records, after so many milliseconds.
    Slowly(u64),
}

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    options: Options,
}

pub struct Rig {
    pub nats: NatsServer,
    pub sip: SocketAddr,
    pub service: runtime::Service,
    pub requests: Arc<Mutex<Vec<DecideRequest>>>,
    pub dir: TempDir,
    running: Option<JoinHandle<anyhow::Result<()>>>,
    messages: mpsc::UnboundedReceiver<CallMessage>,
    seen: BTreeMap<String, BTreeMap<u64, CallMessage>>,
    stop: CancellationToken,
}

/// Everything that the bus holds of one recording.
#[derive(Debug, Default)]
pub struct Heard {
    /// Number of each message and what it is, in order.
    pub messages: Vec<(u64, Body)>,
}

/// The end is there and every number before it.
fn is_whole(messages: &BTreeMap<u64, CallMessage>) -> bool {
    let last = messages.last_key_value();
    last.is_some_and(|(n, m)| matches!(m.body, Some(Body::Ended(_))) && messages.len() as u64 == n + 1)
}

impl Heard {
    fn of(messages: &BTreeMap<u64, CallMessage>) -> Self {
        Self { messages: messages.iter().map(|(number, m)| (*number, m.body.clone().unwrap())).collect() }
    }

    pub fn started(&self) -> &wire::call_v1::CallStarted {
        match &self.messages[0].1 {
            Body::Started(started) => started,
            other => panic!("the first message is {other:?}"),
        }
    }

    pub fn ended(&self) -> &wire::call_v1::CallEnded {
        match &self.messages.last().unwrap().1 {
            Body::Ended(ended) => ended,
            other => panic!("the last message is {other:?}"),
        }
    }

    /// RTP packets of a stream, in order.
    pub fn rtp(&self, stream: u32) -> Vec<&Packet> {
        self.packets().filter(|p| p.stream == stream && !p.rtcp).collect()
    }

    pub fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.messages
            .iter()
            .filter_map(|(_, b)| if let Body::Audio(a) = b { Some(&a.packets) } else { None })
            .flatten()
    }

    /// Reasons of the changes.
    pub fn changes(&self) -> Vec<&str> {
        self.changed().map(|c| c.reason.as_str()).collect()
    }

    pub fn changed(&self) -> impl Iterator<Item = &wire::call_v1::CallChanged> {
        self.messages.iter().filter_map(|(_, b)| if let Body::Changed(c) = b { Some(c) } else { None })
    }
}

/// A tenant with a legal duty.
pub const TENANT: &str = "\
apiVersion: callseal.io/v1alpha1
kind: RecordingRule
metadata: {name: duty, namespace: acme}
spec:
  profile: legalDuty
  scope: all
---
apiVersion: callseal.io/v1alpha1
kind: Tenant
metadata: {name: acme}
spec: {country: DE, timeZone: Europe/Berlin, whenUndecided: record}
";

impl Rig {
    pub async fn start(rules: Rules) -> Self {
        Self::with(Some(rules), TENANT, &[]).await
    }

    /// With further options of the command line. Without rules nobody decides.
    pub async fn with(rules: Option<Rules>, config: &str, more: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = bus::server::find_program().unwrap();
        // Its own port: a test may stop it and start it again.
        let port = harness::ports::claim().unwrap();
        let nats = NatsServer::start(&program, &dir.path().join("nats"), Some(port)).unwrap();
        let bus = Bus::connect(BusOptions::new(nats.url(), "test")).await.unwrap();
        harness::streams::ensure(&bus).await.unwrap();
        let stop = CancellationToken::new();
        let requests = Arc::new(Mutex::new(Vec::new()));
        if let Some(rules) = rules {
            tokio::spawn(decide(bus.clone(), rules, requests.clone(), stop.clone()));
        }
        std::fs::create_dir_all(dir.path().join("config")).unwrap();
        std::fs::write(dir.path().join("config/tenant.yaml"), config).unwrap();
        let messages = follow(&bus);
        let service = runtime::Service::new("ingest");
        let options = options(dir.path().into(), more);
        let (started, told) = tokio::sync::oneshot::channel();
        let own_bus = Bus::connect(BusOptions::new(nats.url(), "ingest")).await.unwrap();
        let running = tokio::spawn(callseal_ingest::run(options, own_bus, service.clone(), Some(started)));
        let Started { sip_udp, sip_tcp } = match tokio::time::timeout(PATIENCE, told).await.unwrap() {
            Ok(started) => started,
            Err(_) => panic!("ingest did not start: {:?}", running.await),
        };
        assert_eq!(sip_udp, sip_tcp);
        let seen = BTreeMap::new();
        Self { nats, sip: sip_udp, service, requests, dir, running: Some(running), messages, seen, stop }
    }

    /// All messages of the only recording, when its end and every number before it are there.
    pub async fn recording(&mut self) -> Heard {
        self.recordings(1).await.remove(0)
    }

    /// The same for `count` recordings, in the order in which they began.
    pub async fn recordings(&mut self, count: usize) -> Vec<Heard> {
        let waiting = async {
            while self.seen.len() < count || !self.seen.values().all(is_whole) {
                self.take_one().await;
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(outcome.is_ok(), "not all is on the bus: {:?}", self.numbers());
        assert_eq!(self.seen.len(), count, "too many recordings");
        self.seen.values().map(Heard::of).collect()
    }

    /// The recording of a call among others, when it is whole.
    pub async fn recording_of(&mut self, call_id: &str) -> Heard {
        let is_it = |m: &CallMessage| match &m.body {
            Some(Body::Started(s)) => s.facts.as_ref().is_some_and(|f| f.call_id == call_id),
            _ => false,
        };
        let waiting = async {
            loop {
                let found = self.seen.values().find(|messages| messages.values().any(is_it));
                if let Some(messages) = found.filter(|m| is_whole(m)) {
                    return Heard::of(messages);
                }
                self.take_one().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the call is not whole on the bus")
    }

    /// Waits until the bus has heard of a call.
    pub async fn any_call(&mut self) {
        while self.seen.is_empty() {
            tokio::time::timeout(PATIENCE, self.take_one()).await.expect("a message should have come");
        }
    }

    /// Waits until so many messages of calls are on the bus.
    pub async fn messages(&mut self, count: usize) {
        let waiting = async {
            while self.seen.values().map(BTreeMap::len).sum::<usize>() < count {
                self.take_one().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{:?}", self.numbers());
    }

    /// Waits until so many RTP packets are on the bus.
    pub async fn packets(&mut self, count: usize) {
        let on_bus = |seen: &BTreeMap<String, BTreeMap<u64, CallMessage>>| -> usize {
            let packets =
                |m: &CallMessage| if let Some(Body::Audio(a)) = &m.body { a.packets.len() } else { 0 };
            seen.values().flat_map(BTreeMap::values).map(packets).sum()
        };
        let waiting = async {
            while on_bus(&self.seen) < count {
                self.take_one().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{:?}", self.numbers());
    }

    /// Looks for `time`, and asserts that nothing of any call gets to the bus.
    pub async fn nothing_for(&mut self, time: Duration) {
        let _ = tokio::time::timeout(time, async {
            loop {
                self.take_one().await;
            }
        })
        .await;
        assert!(self.seen.is_empty(), "{:?}", self.numbers());
    }

    async fn take_one(&mut self) {
        let message = self.messages.recv().await.unwrap();
        if !message.recording_id.is_empty() {
            self.seen.entry(message.recording_id.clone()).or_default().insert(message.number, message);
        }
    }

    fn numbers(&self) -> Vec<(&String, Vec<&u64>)> {
        self.seen.iter().map(|(id, messages)| (id, messages.keys().collect())).collect()
    }

    /// A metric's value as shown; of a histogram, how often something was observed.
    pub fn metric(&self, name: &str) -> f64 {
        let families = self.service.registry().gather();
        let family = families.iter().find(|f| f.name() == format!("callseal_ingest_{name}"));
        family.map_or(0.0, |f| {
            let value = |m: &prometheus::proto::Metric| {
                let observed = m.get_histogram().get_sample_count() as f64;
                m.get_counter().get_value() + m.get_gauge().get_value() + observed
            };
            f.get_metric().iter().map(value).sum()
        })
    }

    /// Waits until a metric has a value that `good` likes.
    pub async fn metric_becomes(&self, name: &str, good: impl Fn(f64) -> bool) {
        let until = tokio::time::Instant::now() + PATIENCE;
        while !good(self.metric(name)) {
            assert!(tokio::time::Instant::now() < until, "{name} is {}", self.metric(name));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops ingest and waits for its end.
    pub async fn shut_down(&mut self) {
        self.service.shutdown().cancel();
        let running = self.running.take().unwrap();
        tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

fn options(dir: PathBuf, more: &[&str]) -> Options {
    let ports = harness::ports::claim_rtp(100).unwrap();
    let ports = format!("{}-{}", ports.start(), ports.end());
    let (config, spool) = (dir.join("config"), dir.join("spool"));
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let mut args = vec!["ingest", "--sip", "127.0.0.1:0", "--rtp-ports", &ports, "--port-cooldown", "0"];
    args.extend(["--grace", "1"]);
    let (config, spool) = (text(&config), text(&spool));
    args.extend(["--config", &config, "--spool", &spool]);
    let mut args: Vec<String> = args.into_iter().map(str::to_owned).collect();
    for pair in more.chunks(2) {
        args.retain({
            let mut drop_next = false;
            move |arg| {
                let dropped = drop_next || arg == pair[0];
                drop_next = arg == pair[0];
                !dropped
            }
        });
        args.extend(pair.iter().map(ToString::to_string));
    }
    Args::try_parse_from(args).unwrap().options
}

async fn decide(bus: Bus, rules: Rules, requests: Arc<Mutex<Vec<DecideRequest>>>, stop: CancellationToken) {
    let answer = move |request: DecideRequest| {
        requests.lock().unwrap().push(request.clone());
        async move {
            if let Rules::Slowly(ms) = rules {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            let callee = request.facts.and_then(|f| f.callee).unwrap_or_default().number;
            let record = match rules {
                Rules::Record | Rules::Slowly(_) => true,
                Rules::DoNotRecord => false,
                Rules::RecordDesk => callee == "+493022",
            };
            DecideResponse { decision: Some((&decision(record)).into()), ..DecideResponse::default() }
        }
    };
    bus.serve("rpc.rules.decide", "rules", stop, answer).await.unwrap();
}

fn decision(record: bool) -> Decision {
    let recorded = Recorded {
        rule: "desk".parse().unwrap(),
        class: Class::Regulated,
        channels: Channels::Stereo,
        targets: vec!["archive".parse().unwrap()],
        journals: vec![],
        consent: None,
        stop_keys: None,
    };
    let not = NotRecorded { reason: "no rule matches".into() };
    let verdict = if record { Verdict::Record(recorded) } else { Verdict::DoNotRecord(not) };
    Decision { direction: Direction::In, verdict, trace: vec![] }
}

fn follow(bus: &Bus) -> mpsc::UnboundedReceiver<CallMessage> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for partition in 0..domain::partition::PARTITIONS {
        let (bus, sender) = (bus.clone(), sender.clone());
        tokio::spawn(async move {
            let mut reader = bus.partition(partition).read_from(0).await.unwrap();
            while let Ok(entry) = reader.next().await {
                if sender.send(entry.content.unwrap()).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}
