//! A cable between client and server: it breaks after so many bytes, delays, stalls, slows down,
//! resets. What each connection meets can be changed while it is open.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::anyhow;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::AbortHandle,
    time::{Instant, sleep_until},
};

/// Bytes carried at once.
const BLOCK: usize = 64 * 1024;
/// Blocks under way in one direction: more than fits into 100 ms at 1 GB/s.
const UNDER_WAY: usize = 4096;

/// When a connection breaks.
struct Break {
    after: u64,
    /// Whether enough of what was sent has arrived behind the server.
    arrived: Box<dyn Fn() -> bool + Send + Sync>,
}

/// How the cable is at a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Condition {
    /// One way.
    delay: Duration,
    bytes_per_second: Option<u32>,
    stalled: bool,
    resets: u32,
}

/// Forwards TCP connections of a free port of loopback to another one. Ends when it is dropped, and
/// its connections with it.
pub struct Cable {
    port: u16,
    breaks: Arc<Mutex<Option<Break>>>,
    connections: Arc<AtomicU32>,
    condition: watch::Sender<Condition>,
    listening: AbortHandle,
}

impl Cable {
    /// One that holds, to this port of 127.0.0.1.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn to(to: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (breaks, connections) = (Arc::<Mutex<Option<Break>>>::default(), Arc::<AtomicU32>::default());
        let (condition, watched) = watch::channel(Condition::default());
        let (next_break, counted) = (Arc::clone(&breaks), Arc::clone(&connections));
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let cut = next_break.lock().unwrap_or_else(PoisonError::into_inner).take();
                let watched = watched.clone();
                tokio::spawn(async move {
                    // A server that is away closes the connection to the client.
                    if let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await {
                        carry(client, server, cut, watched).await;
                    }
                });
            }
        });
        Ok(Self { port, breaks, connections, condition, listening: listening.abort_handle() })
    }

    /// Where to connect, on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The next connection is cut when the client has sent so many bytes and the server has taken in
    /// as much of them as `arrived` wants. Neither side hears a farewell from the other.
    pub fn cut_after(&self, bytes: u64, arrived: impl Fn() -> bool + Send + Sync + 'static) {
        let cut = Break { after: bytes, arrived: Box::new(arrived) };
        *self.breaks.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }

    /// Makes each round trip so much longer from now on, also on connections that are open.
    pub fn delay(&self, round_trip: Duration) {
        self.condition.send_modify(|condition| condition.delay = round_trip / 2);
    }

    /// Lets so many bytes a second through, in each direction of each connection; `None`: all.
    pub fn slow(&self, bytes_per_second: Option<u32>) {
        self.condition.send_modify(|condition| condition.bytes_per_second = bytes_per_second);
    }

    /// Nothing goes through any more, and nobody is told, until [`flow`](Self::flow).
    pub fn stall(&self) {
        self.condition.send_modify(|condition| condition.stalled = true);
    }

    /// What was stalled goes on.
    pub fn flow(&self) {
        self.condition.send_modify(|condition| condition.stalled = false);
    }

    /// Resets all open connections (TCP RST to both sides); new ones hold.
    pub fn reset(&self) {
        self.condition.send_modify(|condition| condition.resets += 1);
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Both directions, until both have ended or the cable breaks.
async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    cut: Option<Break>,
    condition: watch::Receiver<Condition>,
) {
    let before = condition.borrow().resets;
    let _slower_at_worst = (client.set_nodelay(true), server.set_nodelay(true));
    let reset = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let (there, back) = (condition.clone(), condition.clone());
        let both = async {
            tokio::try_join!(
                direction(from_client, to_server, there, cut),
                direction(from_server, to_client, back, None),
            )
        };
        let (mut reset, mut dropped) = (condition.clone(), condition.clone());
        tokio::select! {
            _ended = both => false,
            reset = reset.wait_for(|now| now.resets > before) => reset.is_ok(),
            // The cable was dropped.
            () = async { while dropped.changed().await.is_ok() {} } => false,
        }
    };
    if reset {
        for stream in [client, server] {
            // Closing discards what is under way and says so by RST.
            let _closed_already = stream.set_zero_linger();
        }
    }
}

/// One direction until its end, which is passed on. An error breaks the other one, too.
async fn direction(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut condition: watch::Receiver<Condition>,
    cut: Option<Break>,
) -> anyhow::Result<()> {
    let after = cut.as_ref().map_or(u64::MAX, |cut| cut.after);
    let (under_way, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let delays = condition.clone();
    let reading = async move {
        let (mut sent, mut block) = (0, vec![0; BLOCK]);
        while sent < after {
            let most = usize::try_from(after - sent).unwrap_or(BLOCK).min(BLOCK);
            let read = from.read(&mut block[..most]).await?;
            if read == 0 {
                return Ok(());
            }
            let due = Instant::now() + delays.borrow().delay;
            under_way.send((due, block[..read].to_vec())).await?;
            sent += read as u64;
        }
        // What is on its way reaches the server's disk, so that there is something to resume. A server
        // that hears of the break first throws away what it has not read.
        while cut.as_ref().is_some_and(|cut| !(cut.arrived)()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(anyhow!("cut"))
    };
    let writing = async move {
        while let Some((due, block)) = arriving.recv().await {
            // Most blocks of a bulk are due already: no timer for them.
            if due > Instant::now() {
                sleep_until(due).await;
            }
            condition.wait_for(|now| !now.stalled).await?;
            let begun = Instant::now();
            to.write_all(&block).await?;
            let rate = condition.borrow().bytes_per_second;
            if let Some(rate) = rate {
                sleep_until(begun + Duration::from_secs_f64(block.len() as f64 / f64::from(rate))).await;
            }
        }
        to.shutdown().await?;
        Ok(())
    };
    tokio::try_join!(reading, writing).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// A server that sends back what it gets, behind a cable.
    async fn echo() -> (Cable, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cable = Cable::to(listener.local_addr().unwrap().port()).await.unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = client.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let client = TcpStream::connect(("127.0.0.1", cable.port())).await.unwrap();
        (cable, client)
    }

    async fn round_trip(client: &mut TcpStream, bytes: usize) -> io::Result<Duration> {
        let begun = Instant::now();
        let (mut from, mut to) = client.split();
        let mut answer = vec![0; bytes];
        let sent = vec![7; bytes];
        tokio::try_join!(to.write_all(&sent), from.read_exact(&mut answer))?;
        assert!(answer == sent);
        Ok(begun.elapsed())
    }

    #[tokio::test]
    async fn a_delay_lengthens_a_round_trip_and_not_each_block_of_a_bulk() {
        let (cable, mut client) = echo().await;
        round_trip(&mut client, 1).await.unwrap();
        cable.delay(Duration::from_millis(200));
        assert!(round_trip(&mut client, 1).await.unwrap() >= Duration::from_millis(200));
        // 160 blocks, one after the other, would take half a minute.
        assert!(round_trip(&mut client, 10 << 20).await.unwrap() < Duration::from_secs(15));
    }

    #[tokio::test]
    async fn a_slow_cable_takes_its_time() {
        let (cable, mut client) = echo().await;
        cable.slow(Some(1 << 20));
        assert!(round_trip(&mut client, 512 << 10).await.unwrap() >= Duration::from_millis(400));
        assert_eq!(cable.connections(), 1);
    }

    #[tokio::test]
    async fn what_was_stalled_arrives_when_it_flows_again() {
        let (cable, mut client) = echo().await;
        cable.stall();
        let trip = round_trip(&mut client, 1000);
        tokio::pin!(trip);
        let early = tokio::time::timeout(Duration::from_millis(100), &mut trip).await;
        assert!(early.is_err());
        cable.flow();
        trip.await.unwrap();
    }

    #[tokio::test]
    async fn a_reset_is_felt_as_one() {
        let (cable, mut client) = echo().await;
        round_trip(&mut client, 1).await.unwrap();
        cable.reset();
        let error = client.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let mut next = TcpStream::connect(("127.0.0.1", cable.port())).await.unwrap();
        round_trip(&mut next, 1).await.unwrap();
    }

    #[tokio::test]
    async fn a_cut_connection_has_carried_what_was_asked_for() {
        let (cable, mut first) = echo().await;
        // Else that one, connected and not yet accepted, would be the next connection.
        round_trip(&mut first, 1).await.unwrap();
        cable.cut_after(1000, || true);
        let mut client = TcpStream::connect(("127.0.0.1", cable.port())).await.unwrap();
        assert!(round_trip(&mut client, 2000).await.is_err());
    }
}
