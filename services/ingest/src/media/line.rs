//! The ports of a call that is spoken to: one socket sends and receives, as NATs want it.

use std::{
    net::UdpSocket,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use super::{PortPool, sweeper::StreamSockets};

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

impl Drop for Line {
    fn drop(&mut self) {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).give_back(self.port, Instant::now());
    }
}
