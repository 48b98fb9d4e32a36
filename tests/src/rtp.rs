//! Sends one RTP stream of known payload, in real time.

use std::{net::SocketAddr, time::Duration};

use media::dtmf;
use tokio::{net::UdpSocket, time::MissedTickBehavior};

/// Payload type of telephone events, as the project's own clients offer it.
pub const EVENT: u8 = 101;

/// Audio in a packet: 20 ms of G.711.
pub const PACKET_BYTES: usize = 160;
/// Time from packet to packet.
pub const PACKET: Duration = Duration::from_millis(20);

/// A sender of RTP. Sequence numbers and time stamps go on over several [`play`](Self::play)s.
#[derive(Debug)]
pub struct RtpSender {
    socket: UdpSocket,
    to: SocketAddr,
    /// Payload type of the packets that follow: 8 is A-law, 0 µ-law.
    pub payload_type: u8,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

impl RtpSender {
    /// Sends from a free port of loopback.
    ///
    /// # Errors
    /// There is none.
    pub async fn new(to: SocketAddr, payload_type: u8) -> anyhow::Result<Self> {
        Self::over(UdpSocket::bind("127.0.0.1:0").await?, to, payload_type)
    }

    /// Sends from a socket that is bound already.
    ///
    /// # Errors
    /// It has no address.
    pub fn over(socket: UdpSocket, to: SocketAddr, payload_type: u8) -> anyhow::Result<Self> {
        let ssrc = 0x5EA1_0000 | u32::from(socket.local_addr()?.port());
        // The sequence wraps early on, so that every test sees it.
        Ok(Self { socket, to, payload_type, ssrc, sequence: 65_520, timestamp: ssrc.rotate_left(7) })
    }

    /// Plays G.711 in packets of 20 ms, one every 20 ms; returns how many there were.
    ///
    /// # Errors
    /// Nobody listens at the other end.
    pub async fn play(&mut self, audio: &[u8]) -> anyhow::Result<u64> {
        let mut tick = tokio::time::interval(PACKET);
        // Late packets are made up for at once, as they would be after a jam.
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut packets = 0;
        for payload in audio.chunks(PACKET_BYTES) {
            tick.tick().await;
            let packet = self.packet(self.payload_type, self.timestamp, payload);
            self.socket.send_to(&packet, self.to).await?;
            self.sequence = self.sequence.wrapping_add(1);
            self.timestamp = self.timestamp.wrapping_add(u32::try_from(payload.len())?);
            packets += 1;
        }
        Ok(packets)
    }

    /// Time has passed without a packet: the RTP clock has gone on.
    pub fn skip(&mut self, packets: u32) {
        self.timestamp = self.timestamp.wrapping_add(packets * PACKET_BYTES as u32);
    }

    /// Presses a key for 100 ms, as telephone events (RFC 4733) of type [`EVENT`], and lets go of it for
    /// as long.
    ///
    /// # Errors
    /// There is no such key, or nobody listens at the other end.
    pub async fn press(&mut self, key: char) -> anyhow::Result<()> {
        let held = PACKET * 5;
        for event in dtmf::sender::key_press(dtmf::Key::try_from(key)?, held, PACKET, 8_000) {
            let marked = if event.marker { EVENT | 0x80 } else { EVENT };
            let timestamp = self.timestamp.wrapping_add(event.timestamp_offset);
            self.socket.send_to(&self.packet(marked, timestamp, &event.payload), self.to).await?;
            self.sequence = self.sequence.wrapping_add(1);
            tokio::time::sleep(PACKET).await;
        }
        self.skip(10);
        Ok(())
    }

    fn packet(&self, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        packet
    }
}

/// `packets` packets of audio that is like no other: the bytes of a xorshift generator begun with `seed`.
pub fn noise(seed: u64, packets: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let byte = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..packets * PACKET_BYTES).map(byte).collect()
}
