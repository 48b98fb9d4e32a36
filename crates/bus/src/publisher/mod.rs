//! The way of a call's messages from ingest to the stream CALLS: to JetStream directly while it
//! takes them, else through the [spool](crate::spool).
//!
//! A message goes straight to the spool when there is no connection, when JetStream has just refused
//! or been late, or when too many are on their way. Otherwise it has `ack_timeout` to be
//! acknowledged, and goes to the spool when it is not, or when the connection is lost. So what is in
//! memory only is bounded in number and in age.
//!
//! As long as something in the spool waits, live messages queue up behind it. They must not overtake:
//! signer keeps in the stream whatever waits for an earlier message, and all behind it, so a stream
//! full of later ones would never have room for the earlier one. Those that were on their way when it
//! became full may stand before others; signer sorts by number.

mod delivery;
mod live;
mod settled;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use domain::{EpochId, NodeId, RecordingId, TenantId, partition::PARTITIONS};
use prost::Message;
use tokio::{runtime::Handle, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::info;
use wire::call_v1::{CallMessage, NodeStarted, call_message::Body};

use crate::{
    Bus, BusError,
    spool::{Record, Spool},
    subjects,
};
use settled::Settled;

/// A chunk of audio and what belongs to it, bytes.
const LARGEST_MESSAGE: u32 = 64 << 10;

/// How an ingest node publishes.
#[derive(Debug, Clone)]
pub struct CallPublisherOptions {
    /// The node; keeps its name over restarts.
    pub node: NodeId,
    /// Folder of the spool; used by one process at a time. Made when missing.
    pub spool_dir: PathBuf,
    /// How large the spool may get, bytes. At 80 % of it new calls are refused; calls that run are
    /// written beyond it for as long as the disk takes them.
    pub spool_max_bytes: u64,
    /// What JetStream has not acknowledged after this long goes to the spool. Not much over 1 s: it
    /// is what a crash of this process may lose while NATS hangs.
    pub ack_timeout: Duration,
    /// How many messages may be on their way to JetStream, a quarter of the stream CALLS at most; more go
    /// to the spool.
    pub max_in_flight: usize,
}

impl CallPublisherOptions {
    /// 4 GiB of spool in `spool_dir`, 1 s until spooling, 2,048 messages in flight.
    pub fn new(node: NodeId, spool_dir: impl Into<PathBuf>) -> Self {
        Self {
            node,
            spool_dir: spool_dir.into(),
            spool_max_bytes: 4 << 30,
            ack_timeout: Duration::from_secs(1),
            max_in_flight: 2_048,
        }
    }
}

/// Where call messages go at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// To JetStream; the spool is empty.
    Normal,
    /// Through the spool, or something still lies in it.
    Spooling,
    /// The spool is nearly full or its disk fails: answer new calls with 503.
    Full,
}

/// Takes messages of calls and brings them to JetStream or to the spool. Cheap to clone.
#[derive(Clone)]
pub struct CallPublisher {
    inner: Arc<Inner>,
}

struct Inner {
    bus: Bus,
    options: CallPublisherOptions,
    epoch: EpochId,
    spool: Spool,
    settled: Arc<Settled>,
    /// False after JetStream has refused a message or been late, until it takes one from the spool.
    /// Whoever sets it to false has put something into the spool.
    healthy: AtomicBool,
    /// True from when a message goes to the spool until all of the spool is on its way: live messages
    /// queue up behind it.
    behind: AtomicBool,
    in_flight: Arc<Semaphore>,
    /// Messages may come from a thread that knows no runtime.
    runtime: Handle,
}

impl std::fmt::Debug for CallPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CallPublisher({}, epoch {})", self.inner.options.node, self.inner.epoch)
    }
}

impl CallPublisher {
    /// Opens the spool and begins to deliver what an earlier run left there. Takes new calls at once.
    /// When all of the old spool is acknowledged, `NodeStarted` with this epoch goes to every
    /// partition. NATS need not be reachable.
    ///
    /// After `shutdown` the spool is no longer delivered (the next run does); messages are still
    /// taken. Await [`Self::drained`] before the process ends.
    ///
    /// Errors: the spool folder cannot be used, or another process uses it.
    pub async fn start(
        bus: Bus,
        options: CallPublisherOptions,
        shutdown: CancellationToken,
    ) -> Result<Self, BusError> {
        let settled = Arc::new(Settled::default());
        let durable = settled.clone();
        let on_durable = Box::new(move |tickets: &[u64]| durable.settle(tickets));
        let spool = Spool::open(&options.spool_dir, bus.metrics().clone(), on_durable)?;
        let inner = Arc::new(Inner {
            in_flight: Arc::new(Semaphore::new(options.max_in_flight.clamp(1, share_of_stream(&bus)))),
            epoch: EpochId::new(),
            settled,
            healthy: AtomicBool::new(true),
            behind: AtomicBool::new(false),
            runtime: Handle::current(),
            bus,
            options,
            spool,
        });
        tokio::spawn(delivery::deliver_spool(inner.clone(), shutdown.clone()));
        tokio::spawn(inner.clone().say_started(shutdown));
        Ok(Self { inner })
    }

    /// This run of the node.
    pub fn epoch(&self) -> EpochId {
        self.inner.epoch
    }

    /// A writer for one recording; numbers its messages from 0. One writer per recording and epoch.
    pub fn call(&self, tenant: &TenantId, recording: RecordingId) -> CallWriter {
        CallWriter {
            inner: self.inner.clone(),
            subject: subjects::call(tenant, &recording),
            tenant: tenant.to_string(),
            recording: recording.to_string(),
            number: 0,
        }
    }

    /// How far back the bus presses.
    pub fn pressure(&self) -> Pressure {
        let inner = &self.inner;
        let size = inner.spool.size_bytes();
        if inner.spool.is_failing() || size >= inner.options.spool_max_bytes / 5 * 4 {
            Pressure::Full
        } else if size > 0 || !inner.takes_messages() {
            Pressure::Spooling
        } else {
            Pressure::Normal
        }
    }

    /// Waits until everything sent so far is acknowledged by JetStream or synced to the spool.
    pub async fn drained(&self) {
        self.inner.settled.all_so_far().await;
    }
}

/// Sends the messages of one recording, numbered 0, 1, 2, …
pub struct CallWriter {
    inner: Arc<Inner>,
    subject: String,
    tenant: String,
    recording: String,
    number: u64,
}

impl std::fmt::Debug for CallWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CallWriter({}, next {})", self.recording, self.number)
    }
}

impl CallWriter {
    /// Sends the next message. Never blocks and never waits for the network; works from any thread.
    pub fn send(&mut self, body: Body) {
        let inner = &self.inner;
        let message = CallMessage {
            recording_id: self.recording.clone(),
            tenant: self.tenant.clone(),
            node: inner.options.node.to_string(),
            epoch: inner.epoch.to_string(),
            number: self.number,
            body: Some(body),
        };
        inner.clone().accept(Record {
            subject: self.subject.clone(),
            id: format!("{}/{}/{}", self.recording, inner.epoch, self.number),
            payload: message.encode_to_vec().into(),
        });
        self.number += 1;
    }
}

/// How many of the largest messages are a quarter of the stream CALLS. When it becomes full, of those on
/// their way small ones may still get in and large ones not, and signer keeps the small ones in the
/// stream until it has the large ones: these must always find room, so they must be few.
fn share_of_stream(bus: &Bus) -> usize {
    let largest = i64::from(LARGEST_MESSAGE);
    let share = bus.options().calls_max_bytes / 4 / largest;
    // No bound at all is stated as -1.
    if share < 0 { usize::MAX } else { usize::try_from(share).unwrap_or(usize::MAX).max(1) }
}

impl Inner {
    /// Takes responsibility for a message.
    fn accept(self: Arc<Self>, record: Record) {
        let ticket = self.settled.accept();
        let permit =
            if self.takes_messages() { self.in_flight.clone().try_acquire_owned().ok() } else { None };
        match permit {
            Some(permit) => {
                let runtime = self.runtime.clone();
                runtime.spawn(self.publish_live(record, ticket, permit));
            }
            None => self.to_spool(record, ticket),
        }
    }

    fn takes_messages(&self) -> bool {
        self.bus.is_connected()
            && self.healthy.load(Ordering::Relaxed)
            && !self.behind.load(Ordering::Relaxed)
    }

    fn to_spool(&self, record: Record, ticket: u64) {
        // Before the append: the delivery of what is appended sets it to false again.
        self.behind.store(true, Ordering::Relaxed);
        if let Err(record) = self.spool.append(record, ticket) {
            self.bus.metrics().lost.inc();
            tracing::error!(
                id = record.id,
                "a call message is lost: NATS is away, and too much waits for the disk of the spool"
            );
            self.settled.settle(&[ticket]);
        }
    }

    /// Tells every partition that earlier epochs of this node are over.
    async fn say_started(self: Arc<Self>, shutdown: CancellationToken) {
        tokio::select! {
            () = self.spool.old_delivered() => {}
            () = shutdown.cancelled() => return,
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let node = self.options.node.to_string();
        for partition in 0..PARTITIONS {
            let message = CallMessage {
                node: node.clone(),
                epoch: self.epoch.to_string(),
                body: Some(Body::NodeStarted(NodeStarted { at_unix_us: now.as_micros() as i64 })),
                ..CallMessage::default()
            };
            self.clone().accept(Record {
                subject: subjects::node(partition, &self.options.node),
                id: format!("{node}/{}/{partition}", self.epoch),
                payload: message.encode_to_vec().into(),
            });
        }
        info!(node, epoch = %self.epoch, "earlier runs have delivered all they had");
    }
}
