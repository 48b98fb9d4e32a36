//! Sends RTP as a recording client does.

use std::{net::SocketAddr, time::Duration};

use tokio::net::UdpSocket;
use wire::call_v1::Packet;

/// Sends one stream.
pub struct Sender {
    socket: UdpSocket,
    to: SocketAddr,
    ssrc: u32,
    payload_type: u8,
    next: u16,
}

impl Sender {
    pub async fn to(port: u16, payload_type: u8) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = SocketAddr::from(([127, 0, 0, 1], port));
        Self { socket, to, ssrc: u32::from(port), payload_type, next: 0 }
    }

    /// Sends `count` packets of 20 ms as fast as 1 ms each.
    pub async fn send(&mut self, count: u16) {
        for _ in 0..count {
            self.socket.send_to(&self.packet(self.next), self.to).await.unwrap();
            self.next += 1;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn packet(&self, n: u16) -> Vec<u8> {
        let mut packet = vec![0x80, self.payload_type];
        packet.extend(n.to_be_bytes());
        packet.extend((u32::from(n) * 160).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        // Each payload is unlike any other of the test.
        packet.extend((0..160_u32).map(|i| (u32::from(n) * 7 + self.ssrc * 13 + i) as u8));
        packet
    }

    /// Asserts that `heard` is exactly what was sent, in order.
    pub fn assert_all(&self, heard: &[&Packet]) {
        assert_eq!(heard.len(), usize::from(self.next), "packets");
        for (n, packet) in (0..self.next).zip(heard) {
            assert_eq!(packet.data, self.packet(n), "packet {n}");
        }
    }
}
