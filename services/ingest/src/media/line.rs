//! The ports of a call that is spoken to: one socket sends and receives, as NATs want it.

use std::{
    cell::RefCell,
    io,
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::io::Interest;

use super::{PortPool, socket::Batch, sweeper::StreamSockets};

thread_local! {
    /// Memory for `recvmmsg`: used within one poll only, so one for each thread will do.
    static BATCH: RefCell<Batch> = RefCell::new(Batch::new());
}

/// A bound pair of ports. Dropped, the ports rest like all others.
pub struct Line {
    /// For RTP, both ways; does not block.
    pub rtp: Arc<UdpSocket>,
    /// The port that stands in our SDP.
    pub port: u16,
    /// Taken so that nobody else gets the port that the caller's RTCP goes to.
    _rtcp: Option<UdpSocket>,
    pool: Arc<Mutex<PortPool>>,
}

impl Line {
    pub(super) fn new(sockets: StreamSockets, port: u16, pool: Arc<Mutex<PortPool>>) -> Self {
        Self { rtp: Arc::new(sockets.rtp), port, _rtcp: sockets.rtcp, pool }
    }
}

/// Takes what comes to the RTP port of a line.
pub struct Ear {
    socket: tokio::net::UdpSocket,
    rtp: Arc<UdpSocket>,
}

/// A packet that came.
#[derive(Clone)]
pub struct Heard {
    /// Who sent it.
    pub source: Option<SocketAddr>,
    /// When the kernel had it. Unix time, microseconds.
    pub arrival_unix_us: i64,
    /// All of it.
    pub data: Vec<u8>,
}

impl Ear {
    /// What has come since the last time, in order; waits for some. Nothing is lost when the future is
    /// dropped.
    pub async fn hear(&self) -> io::Result<Vec<Heard>> {
        let take = || {
            let mut heard = Vec::new();
            let mut empty = || {
                BATCH.with_borrow_mut(|batch| {
                    batch.empty(&self.rtp, |datagram| {
                        heard.push(Heard {
                            source: datagram.source,
                            arrival_unix_us: datagram.arrival_unix_us,
                            data: datagram.data.to_vec(),
                        });
                    })
                })
            };
            // Nothing may be an ICMP message about an earlier packet, with packets behind it.
            if empty() == 0 && empty() == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(heard) }
        };
        self.socket.async_io(Interest::READABLE, take).await
    }
}

impl Line {
    /// An ear at the RTP port.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn ear(&self) -> io::Result<Ear> {
        Ok(Ear { socket: tokio::net::UdpSocket::from_std(self.rtp.try_clone()?)?, rtp: self.rtp.clone() })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).give_back(self.port, Instant::now());
    }
}
