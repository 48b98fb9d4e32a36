//! One media thread: it owns the sockets of its calls and empties them in turn.

use std::{
    collections::HashMap,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use tokio::sync::{mpsc::UnboundedSender, oneshot};

use super::{
    CallCounters, PortPool,
    chunk::RawChunk,
    socket::{Batch, Datagram},
};
use crate::metrics::Metrics;

/// A chunk is handed on when its first packet was taken this long ago, so that with the time of
/// one sweep it spans less than a second.
const CHUNK_AGE: Duration = Duration::from_millis(850);
/// Sockets that hold no speech (RTCP) and those of calls that are not recorded are looked at in
/// every so many sweeps only.
const SELDOM: u64 = 10;

/// The sockets of one stream.
pub(super) struct StreamSockets {
    /// The even port, to be given back.
    pub port: u16,
    pub rtp: UdpSocket,
    /// None: RTCP comes to the port of RTP.
    pub rtcp: Option<UdpSocket>,
}

/// What a media thread is told.
pub(super) enum Command {
    Open { id: u64, sink: UnboundedSender<RawChunk>, counters: Arc<CallCounters> },
    Add { id: u64, index: u32, sockets: StreamSockets },
    Discard { id: u64 },
    Resume { id: u64, from_unix_us: i64 },
    Sweep { id: u64, done: oneshot::Sender<()> },
    Close { id: u64 },
    Quit,
}

struct Stream {
    index: u32,
    sockets: StreamSockets,
    source: Option<SocketAddr>,
    /// The kernel's own counts of what it dropped, of RTP and RTCP.
    kernel_drops: [u32; 2],
}

struct Call {
    sink: UnboundedSender<RawChunk>,
    counters: Arc<CallCounters>,
    streams: Vec<Stream>,
    chunk: Option<(Instant, RawChunk)>,
    expected_bytes: usize,
    discards: bool,
    /// What still waited in the kernel when media was taken again came before the decision: not for us.
    from_unix_us: i64,
}

pub(super) struct Sweeper {
    inbox: Receiver<Command>,
    every: Duration,
    pool: Arc<Mutex<PortPool>>,
    sockets: Arc<AtomicU64>,
    metrics: Metrics,
    calls: HashMap<u64, Call>,
    batch: Batch,
    round: u64,
}

impl Sweeper {
    pub fn new(
        inbox: Receiver<Command>,
        every: Duration,
        pool: Arc<Mutex<PortPool>>,
        sockets: Arc<AtomicU64>,
        metrics: Metrics,
    ) -> Self {
        Self { inbox, every, pool, sockets, metrics, calls: HashMap::new(), batch: Batch::new(), round: 0 }
    }

    /// The thread: sweeps at every tick, obeys in between.
    pub fn run(mut self) {
        let mut next = Instant::now() + self.every;
        loop {
            match self.inbox.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Command::Quit) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if now >= next {
                self.sweep_all(now);
                // Sweeps that were missed are not made up for: the kernel kept the packets.
                next = (next + self.every).max(Instant::now());
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open { id, sink, counters } => {
                let call = Call {
                    sink,
                    counters,
                    streams: Vec::new(),
                    chunk: None,
                    expected_bytes: 0,
                    discards: false,
                    from_unix_us: i64::MIN,
                };
                self.calls.insert(id, call);
            }
            Command::Add { id, index, sockets } => {
                let count = 1 + i64::from(sockets.rtcp.is_some());
                if let Some(call) = self.calls.get_mut(&id) {
                    call.streams.push(Stream { index, sockets, source: None, kernel_drops: [0; 2] });
                    self.count_sockets(count);
                } else {
                    self.give_back(sockets);
                }
            }
            Command::Discard { id } => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.discards = true;
                    if let Some((_, chunk)) = call.chunk.take() {
                        chunk.wipe();
                    }
                }
            }
            Command::Resume { id, from_unix_us } => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.from_unix_us = from_unix_us;
                    call.discards = false;
                }
            }
            Command::Sweep { id, done } => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.sweep(&mut self.batch, true, &self.metrics);
                    call.hand_on();
                }
                let _ = done.send(());
            }
            Command::Close { id } => {
                if let Some(call) = self.calls.remove(&id) {
                    if let Some((_, chunk)) = call.chunk {
                        chunk.wipe();
                    }
                    for stream in call.streams {
                        self.count_sockets(-1 - i64::from(stream.sockets.rtcp.is_some()));
                        self.give_back(stream.sockets);
                    }
                }
            }
            Command::Quit => {}
        }
    }

    fn sweep_all(&mut self, now: Instant) {
        self.round += 1;
        for (id, call) in &mut self.calls {
            let seldom = (self.round + id).is_multiple_of(SELDOM);
            if seldom || !call.discards {
                call.sweep(&mut self.batch, seldom, &self.metrics);
            }
            if call.chunk.as_ref().is_some_and(|(began, _)| now.duration_since(*began) >= CHUNK_AGE) {
                call.hand_on();
            }
        }
        self.metrics.sweep_seconds.observe(now.elapsed().as_secs_f64());
    }

    fn count_sockets(&self, change: i64) {
        self.metrics.sockets.add(change);
        self.sockets.fetch_add(change.cast_unsigned(), Ordering::Relaxed);
    }

    fn give_back(&self, sockets: StreamSockets) {
        let port = sockets.port;
        // Closed first: whoever takes the port next must be able to bind it.
        drop(sockets);
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).give_back(port, Instant::now());
    }
}

impl Call {
    /// Empties the sockets of RTP, and those of RTCP if `all`.
    fn sweep(&mut self, batch: &mut Batch, all: bool, metrics: &Metrics) {
        let mut streams = std::mem::take(&mut self.streams);
        for stream in &mut streams {
            let Stream { index, sockets, source, kernel_drops } = stream;
            let shared = sockets.rtcp.is_none();
            batch.empty(&sockets.rtp, |datagram| {
                let rtcp = shared && is_rtcp(datagram.data);
                count_drops(&mut kernel_drops[0], datagram, metrics);
                if !rtcp && changed(source, datagram.source) {
                    self.counters.source_changes.fetch_add(1, Ordering::Relaxed);
                    metrics.source_changes.inc();
                }
                self.take(*index, rtcp, datagram, metrics);
            });
            if let Some(socket) = sockets.rtcp.as_ref().filter(|_| all) {
                batch.empty(socket, |datagram| {
                    count_drops(&mut kernel_drops[1], datagram, metrics);
                    self.take(*index, true, datagram, metrics);
                });
            }
        }
        self.streams = streams;
    }

    fn take(&mut self, index: u32, rtcp: bool, datagram: &Datagram<'_>, metrics: &Metrics) {
        self.counters.last_arrival_unix_us.fetch_max(datagram.arrival_unix_us, Ordering::Relaxed);
        if self.discards || datagram.arrival_unix_us < self.from_unix_us {
            metrics.datagrams_discarded.inc();
            return;
        }
        if datagram.cut {
            metrics.datagrams_cut.inc();
        }
        metrics.datagrams.inc();
        metrics.bytes.inc_by(datagram.data.len() as u64);
        if let Some(count) = self.counters.datagrams.get(index as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        while !self.current_chunk().push(index, rtcp, datagram.arrival_unix_us, datagram.data) {
            self.hand_on();
        }
    }

    fn current_chunk(&mut self) -> &mut RawChunk {
        let expected = self.expected_bytes;
        &mut self.chunk.get_or_insert_with(|| (Instant::now(), RawChunk::with_capacity(expected))).1
    }

    fn hand_on(&mut self) {
        if let Some((_, chunk)) = self.chunk.take() {
            self.expected_bytes = chunk.len().max(self.expected_bytes / 2);
            if let Err(refused) = self.sink.send(chunk) {
                // The call's task is gone, so nobody decided to keep this.
                refused.0.wipe();
            }
        }
    }
}

/// RTP and RTCP on one port: RFC 5761, section 4.
fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|second| (192..=223).contains(second))
}

/// Remembers who sends; true if it was somebody else until now.
fn changed(known: &mut Option<SocketAddr>, now: Option<SocketAddr>) -> bool {
    let before = std::mem::replace(known, now.or(*known));
    before.is_some() && before != *known
}

/// The kernel counts from the socket's beginning, as a number that wraps.
fn count_drops(counted: &mut u32, datagram: &Datagram<'_>, metrics: &Metrics) {
    if let Some(drops) = datagram.dropped_before {
        metrics.kernel_drops.inc_by(u64::from(drops.wrapping_sub(*counted)));
        *counted = drops;
    }
}
