//! Sends RTP for all calls that hear something: a packet every 20 ms, at its time.
//!
//! One thread with absolute deadlines. A deadline is that of the packet before plus 20 ms, never
//! *now* plus 20 ms, so that lateness does not add up. Each call begins when it comes, so calls
//! spread over the 20 ms by themselves. Between two pieces of audio silence is sent: the caller's
//! NAT and jitter buffer stay as they are.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    io,
    net::{SocketAddr, UdpSocket},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use bytes::Bytes;
use prometheus::IntCounter;
use tokio::sync::mpsc::UnboundedSender;

use crate::media::unix_us;

/// Time between two packets (RFC 3551, section 4.2: the default of G.711).
pub const PACKET: Duration = Duration::from_millis(20);
/// Samples, and bytes, of G.711 in a packet.
pub const SAMPLES: usize = 160;
/// A packet this much behind its time is counted.
const LATE: Duration = Duration::from_millis(2);
/// After a standstill this long (a paused machine) the clock is set anew instead of caught up.
const STANDSTILL: Duration = Duration::from_millis(200);

/// Where a call's packets go and what they look like.
pub struct Line {
    /// The socket whose address stands in our SDP.
    pub socket: Arc<UdpSocket>,
    /// The caller's address for RTP.
    pub to: SocketAddr,
    /// Payload type of the codec.
    pub payload_type: u8,
    /// One octet of silence in the codec.
    pub silence: u8,
    /// Told of the end of each piece.
    pub played: UnboundedSender<Played>,
}

/// A piece comes to its end. Told twice: before its last packet leaves, and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// Its number.
    pub piece: u64,
    /// When its last packet left. Unix time, microseconds.
    pub at_unix_us: i64,
    /// The last packet is on its way.
    pub has_left: bool,
}

enum Command {
    Open { id: u64, line: Line },
    Play { id: u64, piece: u64, audio: Bytes },
    MoveTo { id: u64, to: SocketAddr },
    Close { id: u64 },
}

/// The thread.
pub struct Pacer {
    commands: mpsc::Sender<Command>,
    next: std::sync::atomic::AtomicU64,
}

impl Pacer {
    /// Starts the thread. `late` counts packets that left more than 2 ms behind their time.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(late: IntCounter) -> io::Result<Self> {
        let (commands, inbox) = mpsc::channel();
        let thread = Thread { inbox, talkers: HashMap::new(), due: BinaryHeap::new(), late };
        std::thread::Builder::new().name("announcements".to_owned()).spawn(move || thread.run())?;
        Ok(Self { commands, next: std::sync::atomic::AtomicU64::new(0) })
    }

    /// Begins to send to a call: silence until something is played.
    pub fn open(&self, line: Line) -> Talker {
        let id = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let _ = self.commands.send(Command::Open { id, line });
        Talker { id, pieces: 0, commands: self.commands.clone() }
    }
}

/// What one call hears. Dropped, nothing more is sent.
pub struct Talker {
    id: u64,
    pieces: u64,
    commands: mpsc::Sender<Command>,
}

impl Talker {
    /// Plays whole frames of 160 octets, at once, instead of what is played now; returns the
    /// piece's number.
    pub fn play(&mut self, audio: Bytes) -> u64 {
        self.pieces += 1;
        let _ = self.commands.send(Command::Play { id: self.id, piece: self.pieces, audio });
        self.pieces
    }

    /// The caller's RTP comes from elsewhere, and so ours goes there.
    pub fn move_to(&self, to: SocketAddr) {
        let _ = self.commands.send(Command::MoveTo { id: self.id, to });
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Close { id: self.id });
    }
}

struct Sending {
    line: Line,
    packet: RtpOut,
    piece: Option<(u64, Bytes)>,
}

struct RtpOut {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    is_first: bool,
}

impl RtpOut {
    /// RFC 3550, section 5.1: SSRC, sequence number and time stamp begin anywhere.
    fn new() -> Self {
        let (ssrc, sequence, timestamp) = (rand::random(), rand::random(), rand::random());
        Self { ssrc, sequence, timestamp, is_first: true }
    }

    fn write(&mut self, payload_type: u8, marker: bool, payload: &[u8], out: &mut [u8; 12 + SAMPLES]) {
        out[0] = 0x80;
        out[1] = payload_type | if marker || self.is_first { 0x80 } else { 0 };
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        out[12..].copy_from_slice(payload);
        self.is_first = false;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES as u32);
    }
}

struct Thread {
    inbox: mpsc::Receiver<Command>,
    talkers: HashMap<u64, Sending>,
    due: BinaryHeap<Reverse<(Instant, u64)>>,
    late: IntCounter,
}

impl Thread {
    fn run(mut self) {
        loop {
            if self.due.is_empty() {
                // Nobody hears anything: wait for the next call, or for the end.
                match self.inbox.recv() {
                    Ok(command) => self.obey(command),
                    Err(_) => return,
                }
            }
            loop {
                match self.inbox.try_recv() {
                    Ok(command) => self.obey(command),
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
            let Some(Reverse((due, _))) = self.due.peek() else { continue };
            let wait = due.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                std::thread::sleep(wait);
            }
            self.send_due();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Open { id, line } => {
                self.talkers.insert(id, Sending { line, packet: RtpOut::new(), piece: None });
                self.due.push(Reverse((Instant::now(), id)));
            }
            Command::Play { id, piece, audio } => {
                if let Some(sending) = self.talkers.get_mut(&id) {
                    sending.packet.is_first = true;
                    sending.piece = Some((piece, audio));
                }
            }
            Command::MoveTo { id, to } => {
                if let Some(sending) = self.talkers.get_mut(&id) {
                    sending.line.to = to;
                }
            }
            Command::Close { id } => drop(self.talkers.remove(&id)),
        }
    }

    fn send_due(&mut self) {
        while let Some(&Reverse((due, id))) = self.due.peek() {
            let now = Instant::now();
            if due > now {
                return;
            }
            self.due.pop();
            let Some(sending) = self.talkers.get_mut(&id) else { continue };
            if now - due > LATE {
                self.late.inc();
            }
            sending.packet();
            let next = if now - due > STANDSTILL { now } else { due } + PACKET;
            self.due.push(Reverse((next, id)));
        }
    }
}

impl Sending {
    fn packet(&mut self) {
        let mut datagram = [0; 12 + SAMPLES];
        let silence = [self.line.silence; SAMPLES];
        let frame = self.piece.as_mut().map(|(_, audio)| audio.split_to(SAMPLES.min(audio.len())));
        let payload = frame.as_deref().filter(|frame| frame.len() == SAMPLES).unwrap_or(&silence);
        self.packet.write(self.line.payload_type, false, payload, &mut datagram);
        let last = self.piece.take_if(|(_, audio)| audio.is_empty());
        let last = last.map(|(piece, _)| Played { piece, at_unix_us: unix_us(), has_left: false });
        // Also before it leaves: on a busy machine the caller hears it, and answers by a key, before
        // this thread gets to say that it was the last.
        if let Some(played) = last {
            let _ = self.line.played.send(played);
        }
        // A full buffer or a caller that is gone: RTP is not repeated, signalling finds out.
        let _ = self.line.socket.send_to(&datagram, self.line.to);
        if let Some(played) = last {
            let _ = self.line.played.send(Played { has_left: true, ..played });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    fn receive(socket: &UdpSocket) -> Vec<u8> {
        let mut datagram = [0; 2048];
        let length = socket.recv(&mut datagram).unwrap();
        datagram[..length].to_vec()
    }

    #[test]
    fn audio_comes_bit_by_bit_with_rising_numbers_between_silence() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let (played, mut ends) = unbounded_channel();
        let pacer = Pacer::start(IntCounter::new("late", "late").unwrap()).unwrap();
        let mut talker = pacer.open(Line {
            socket: Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap()),
            to: receiver.local_addr().unwrap(),
            payload_type: 8,
            silence: 0xd5,
            played,
        });
        let first = receive(&receiver);
        assert_eq!((first.len(), first[0], first[1]), (172, 0x80, 0x88), "a marker begins the silence");
        assert!(first[12..].iter().all(|octet| *octet == 0xd5));

        let audio: Vec<u8> = (0..10 * SAMPLES).map(|i| (i % 251) as u8).collect();
        let piece = talker.play(audio.clone().into());
        let (mut heard, mut last) = (Vec::new(), u16::from_be_bytes([first[2], first[3]]));
        let stamp = |p: &[u8]| u32::from_be_bytes([p[4], p[5], p[6], p[7]]);
        let mut last_stamp = stamp(&first);
        while heard.len() < audio.len() {
            let packet = receive(&receiver);
            let number = u16::from_be_bytes([packet[2], packet[3]]);
            assert_eq!((number, stamp(&packet)), (last.wrapping_add(1), last_stamp.wrapping_add(160)));
            (last, last_stamp) = (number, stamp(&packet));
            let is_audio = packet[12..].iter().any(|octet| *octet != 0xd5);
            if is_audio {
                assert_eq!(packet[1] & 0x80 != 0, heard.is_empty(), "a marker begins each piece");
                heard.extend_from_slice(&packet[12..]);
            }
        }
        assert_eq!(heard, audio);
        for has_left in [false, true] {
            let ended = ends.blocking_recv().unwrap();
            assert_eq!((ended.piece, ended.has_left), (piece, has_left));
            assert!(ended.at_unix_us <= unix_us());
        }

        let elsewhere = UdpSocket::bind("127.0.0.1:0").unwrap();
        elsewhere.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        talker.move_to(elsewhere.local_addr().unwrap());
        assert_eq!(receive(&elsewhere).len(), 172);
    }
}
