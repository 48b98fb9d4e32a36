//! Media: sockets and the threads that empty them.
//!
//! A recorder forwards nothing, so it need not wake up for each packet: threads of their own sweep
//! all their sockets a few times a second, the kernel keeps the packets and their arrival times
//! until then. Nothing in here waits for anything but the next sweep.

pub mod chunk;
mod line;
mod ports;
mod socket;
mod sweeper;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use tokio::sync::{mpsc::UnboundedSender, oneshot};

pub use line::Line;
pub use ports::{InvalidPortRange, PortPool, PortRange};
pub use socket::unix_us;

use crate::{media::chunk::RawChunk, metrics::Metrics};
use sweeper::{Command, StreamSockets, Sweeper};

/// Most streams of one call; further m-lines are refused.
pub const MAX_STREAMS: usize = 16;

/// How media is received.
#[derive(Debug, Clone)]
pub struct MediaOptions {
    /// Address that the sockets are bound to; unspecified: all.
    pub bind: IpAddr,
    /// Ports for RTP and RTCP.
    pub ports: PortRange,
    /// How long a used pair of ports rests.
    pub cool_down: Duration,
    /// How many threads sweep.
    pub threads: usize,
    /// Time between two sweeps.
    pub sweep_every: Duration,
}

/// Why a stream got no ports.
#[derive(Debug, thiserror::Error)]
pub enum NoPorts {
    /// Every pair of the range is taken or rests.
    #[error("all ports of the range for RTP are in use: widen --rtp-ports")]
    Exhausted,
    /// Those that are left are not for a call that is not recorded.
    #[error("the ports for RTP that are left are kept for recordings: widen --rtp-ports")]
    Kept,
    /// The operating system refuses.
    #[error("cannot open a socket for RTP: raise the limit of open files")]
    Refused(#[source] io::Error),
    /// The call has too many streams.
    #[error("a call may have at most {MAX_STREAMS} streams")]
    TooManyStreams,
}

/// Counters of one call that its thread writes and everybody may read.
#[derive(Debug, Default)]
pub struct CallCounters {
    last_arrival_unix_us: AtomicI64,
    datagrams: [AtomicU64; MAX_STREAMS],
    source_changes: AtomicU64,
}

impl CallCounters {
    /// When the last datagram of any stream came. Unix time, microseconds; 0: none yet.
    pub fn last_arrival_unix_us(&self) -> i64 {
        self.last_arrival_unix_us.load(Ordering::Relaxed)
    }

    /// Datagrams taken from the network, RTP and RTCP, by stream index, for `streams` streams.
    pub fn datagrams(&self, streams: usize) -> Vec<u64> {
        self.datagrams.iter().take(streams).map(|n| n.load(Ordering::Relaxed)).collect()
    }

    /// How often the sender of a stream changed its address: an SBC that failed over.
    pub fn source_changes(&self) -> u64 {
        self.source_changes.load(Ordering::Relaxed)
    }
}

/// Local ports of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPorts {
    /// RTP, even.
    pub rtp: u16,
    /// RTCP: the next port, or that of RTP if both share it (RFC 5761).
    pub rtcp: u16,
}

/// All media threads of the process.
pub struct Media {
    options: MediaOptions,
    pool: Arc<Mutex<PortPool>>,
    threads: Vec<Thread>,
    next_call: AtomicU64,
}

struct Thread {
    commands: mpsc::Sender<Command>,
    sockets: Arc<AtomicU64>,
    handle: Option<std::thread::JoinHandle<()>>,
}

impl Media {
    /// Starts the threads.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(options: MediaOptions, metrics: &Metrics) -> io::Result<Self> {
        let pool = Arc::new(Mutex::new(PortPool::new(&options.ports, options.cool_down)));
        let thread = |number: usize| {
            let (commands, inbox) = mpsc::channel();
            let sockets = Arc::new(AtomicU64::new(0));
            let (every, pool, counted, metrics) =
                (options.sweep_every, pool.clone(), sockets.clone(), metrics.clone());
            let builder = std::thread::Builder::new().name(format!("media-{number}"));
            let handle = builder.spawn(move || Sweeper::new(inbox, every, pool, counted, metrics).run())?;
            Ok(Thread { commands, sockets, handle: Some(handle) })
        };
        let threads = (0..options.threads.max(1)).map(thread).collect::<io::Result<_>>()?;
        Ok(Self { options, pool, threads, next_call: AtomicU64::new(0) })
    }

    /// Begins to receive for one call; its chunks go to `sink`. Streams are added afterwards.
    pub fn call(&self, sink: UnboundedSender<RawChunk>) -> CallMedia {
        let quietest = self.threads.iter().min_by_key(|t| t.sockets.load(Ordering::Relaxed));
        let thread = quietest.expect("there is at least one media thread");
        let id = self.next_call.fetch_add(1, Ordering::Relaxed);
        let counters = Arc::new(CallCounters::default());
        // A thread ends only after all calls: nobody is there to read a refusal.
        let _ = thread.commands.send(Command::Open { id, sink, counters: counters.clone() });
        CallMedia {
            id,
            commands: thread.commands.clone(),
            pool: self.pool.clone(),
            bind: self.options.bind,
            streams: BTreeMap::new(),
            counters,
        }
    }

    /// A pair of ports for a call that is spoken to; it is not swept.
    ///
    /// # Errors
    /// No ports are left but those that are kept for recordings, or the operating system refuses.
    pub fn line(&self) -> Result<Line, NoPorts> {
        if !self.pool.lock().unwrap_or_else(PoisonError::into_inner).has_spare() {
            return Err(NoPorts::Kept);
        }
        let (sockets, ports) = open_pair(&self.pool, self.options.bind, false)?;
        Ok(Line::new(sockets, ports.rtp, self.pool.clone()))
    }

    /// True if a call of `streams` streams would find ports now or after their rest.
    pub fn has_room_for(&self, streams: usize) -> bool {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).unused() >= streams
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        for thread in &self.threads {
            let _ = thread.commands.send(Command::Quit);
        }
        for thread in &mut self.threads {
            if let Some(handle) = thread.handle.take() {
                let _ = handle.join();
            }
        }
    }
}

/// The media of one call. Dropping it closes its sockets.
pub struct CallMedia {
    id: u64,
    commands: mpsc::Sender<Command>,
    pool: Arc<Mutex<PortPool>>,
    bind: IpAddr,
    streams: BTreeMap<u32, StreamPorts>,
    counters: Arc<CallCounters>,
}

impl CallMedia {
    /// Ports for the stream `index`; the same ones when it has some already. Packets are taken
    /// from now on. `shared_rtcp`: RTCP comes to the port of RTP.
    ///
    /// # Errors
    /// No ports are left, or the operating system refuses.
    pub fn stream(&mut self, index: u32, shared_rtcp: bool) -> Result<StreamPorts, NoPorts> {
        if let Some(ports) = self.streams.get(&index) {
            return Ok(*ports);
        }
        if index as usize >= MAX_STREAMS {
            return Err(NoPorts::TooManyStreams);
        }
        let (sockets, ports) = open_pair(&self.pool, self.bind, shared_rtcp)?;
        let _ = self.commands.send(Command::Add { id: self.id, index, sockets });
        self.streams.insert(index, ports);
        Ok(ports)
    }

    /// From now on whatever comes is thrown away, and what was not handed over yet is wiped.
    pub fn discard(&self) {
        let _ = self.commands.send(Command::Discard { id: self.id });
    }

    /// Whatever came at `from_unix_us` or later is taken (again), as far as it still waits at a socket.
    pub fn resume(&self, from_unix_us: i64) {
        let _ = self.commands.send(Command::Resume { id: self.id, from_unix_us });
    }

    /// Takes what waits at the sockets and hands it over; what is returned is answered when that is
    /// done.
    pub fn sweep(&self) -> oneshot::Receiver<()> {
        let (done, swept) = oneshot::channel();
        let _ = self.commands.send(Command::Sweep { id: self.id, done });
        swept
    }

    /// Closes the sockets; their ports rest. What was not handed over yet is wiped.
    pub fn close(&self) {
        let _ = self.commands.send(Command::Close { id: self.id });
    }

    /// The call's counters.
    pub fn counters(&self) -> Arc<CallCounters> {
        self.counters.clone()
    }

    /// How many streams have ports, counted up to the highest index.
    pub fn stream_count(&self) -> usize {
        self.streams.last_key_value().map_or(0, |(index, _)| *index as usize + 1)
    }
}

/// Takes a pair of ports that rested long enough, and binds them.
fn open_pair(
    pool: &Mutex<PortPool>,
    bind: IpAddr,
    shared_rtcp: bool,
) -> Result<(StreamSockets, StreamPorts), NoPorts> {
    let mut refused = None;
    // A port of the range may belong to somebody else: it rests, and the next one is tried.
    for _ in 0..64 {
        let now = Instant::now();
        let taken = pool.lock().unwrap_or_else(PoisonError::into_inner).take(now);
        let Some(port) = taken else { break };
        let rtcp_port = if shared_rtcp { port } else { port + 1 };
        let open = || {
            let rtp = socket::bind(SocketAddr::new(bind, port))?;
            let rtcp = (!shared_rtcp).then(|| socket::bind(SocketAddr::new(bind, rtcp_port))).transpose()?;
            io::Result::Ok(StreamSockets { port, rtp, rtcp })
        };
        match open() {
            Ok(sockets) => return Ok((sockets, StreamPorts { rtp: port, rtcp: rtcp_port })),
            Err(error) => {
                pool.lock().unwrap_or_else(PoisonError::into_inner).give_back(port, now);
                let in_use = error.kind() == io::ErrorKind::AddrInUse;
                refused = Some(error);
                if !in_use {
                    break;
                }
            }
        }
    }
    Err(refused.map_or(NoPorts::Exhausted, NoPorts::Refused))
}

impl Drop for CallMedia {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
