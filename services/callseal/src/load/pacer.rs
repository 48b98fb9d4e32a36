//! Sends the RTP of all calls from one thread, each stream exactly every 20 ms.
//!
//! The thread wakes every 2 ms and serves a tenth of the streams, so that a hundred calls do not
//! send all their packets in the same instant: real calls don't either. When it was held up it sends
//! what is overdue at once; no packet is left out.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::rtp::RtpSource;

const PACKET_INTERVAL: Duration = Duration::from_millis(20);
const PHASES: u32 = 10;

/// A stream that can be played, again and again: RTP from a socket to the recorder.
pub(super) struct Sender {
    pub socket: UdpSocket,
    pub to: SocketAddr,
    pub source: RtpSource,
}

/// One playing of a stream.
struct Job {
    sender: Arc<Mutex<Sender>>,
    /// When its first packet is due.
    start: Instant,
    /// Packets sent and packets to send.
    done: u32,
    total: u32,
    stop: Arc<AtomicBool>,
    finished: Option<oneshot::Sender<()>>,
}

/// The thread's handle; the thread ends when this is dropped.
pub(super) struct Pacer {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    arrivals: Mutex<Vec<Job>>,
    closed: AtomicBool,
    next_phase: AtomicU64,
    worst_delay_us: AtomicU64,
}

impl Pacer {
    /// Starts the thread.
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name("load-pacer".into()).spawn(move || run(&of_thread))?;
        Ok(Self { shared })
    }

    /// Sends `packets` packets of a stream. The receiver hears when the last one is gone, or when
    /// `stop` was set, or when the pacer was dropped.
    pub(super) fn play(
        &self,
        sender: Arc<Mutex<Sender>>,
        packets: u32,
        stop: Arc<AtomicBool>,
    ) -> oneshot::Receiver<()> {
        let (finished, receiver) = oneshot::channel();
        let phase = (self.shared.next_phase.fetch_add(1, Ordering::Relaxed) % u64::from(PHASES)) as u32;
        let start = Instant::now() + PACKET_INTERVAL / PHASES * phase;
        let job = Job { sender, start, done: 0, total: packets, stop, finished: Some(finished) };
        lock(&self.shared.arrivals).push(job);
        receiver
    }

    /// How late a packet was sent at worst.
    pub(super) fn worst_delay(&self) -> Duration {
        Duration::from_micros(self.shared.worst_delay_us.load(Ordering::Relaxed))
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
    }
}

/// A panic of another holder leaves counters that are still worth reading.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(shared: &Shared) {
    let mut jobs: Vec<Job> = Vec::new();
    let mut wake = Instant::now();
    while !shared.closed.load(Ordering::Relaxed) {
        jobs.append(&mut lock(&shared.arrivals));
        let now = Instant::now();
        jobs.retain_mut(|job| {
            job.send_due(now, &shared.worst_delay_us);
            !job.is_finished()
        });
        wake += PACKET_INTERVAL / PHASES;
        match wake.checked_duration_since(Instant::now()) {
            Some(pause) => thread::sleep(pause),
            None => wake = Instant::now(),
        }
    }
}

impl Job {
    fn send_due(&mut self, now: Instant, worst_delay_us: &AtomicU64) {
        let mut sender = lock(&self.sender);
        while self.done < self.total && !self.stop.load(Ordering::Relaxed) {
            let due = self.start + PACKET_INTERVAL * self.done;
            let Some(delay) = now.checked_duration_since(due) else { return };
            worst_delay_us.fetch_max(delay.as_micros() as u64, Ordering::Relaxed);
            for datagram in sender.source.next_packet() {
                sender.send(&datagram);
            }
            self.done += 1;
        }
    }

    fn is_finished(&mut self) -> bool {
        let is_finished = self.done == self.total || self.stop.load(Ordering::Relaxed);
        if is_finished && let Some(finished) = self.finished.take() {
            // Nobody waits for it any more: fine.
            let _ = finished.send(());
        }
        is_finished
    }
}

impl Sender {
    /// Sends one datagram; a full buffer is waited for, since what is counted must have left.
    pub(super) fn send(&mut self, datagram: &[u8]) {
        loop {
            match self.socket.send_to(datagram, self.to) {
                Ok(_) => return,
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    thread::yield_now();
                }
                // An earlier datagram found nobody (ICMP); this one has not been sent yet.
                Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
                    self.source.count_send_error();
                }
                Err(_) => {
                    self.source.count_send_error();
                    return;
                }
            }
        }
    }
}
