//! One UDP socket that media arrives at, and the batch that empties it.

use std::{
    io::{self, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    time::{SystemTime, UNIX_EPOCH},
};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt,
    sockopt::{ReceiveTimestampns, RxqOvfl},
};
use socket2::{Domain, Protocol, Socket, Type};

/// Datagrams taken with one system call.
const BATCH: usize = 16;
/// Batches taken from a socket at one visit: more than its buffer holds. A sender that is faster than
/// we are must not keep the thread from the sockets of other calls.
const BATCHES: usize = 128;
/// Room for one datagram. RTP of 20 ms G.711 has 172 bytes; what is larger than this is not speech.
const DATAGRAM_BYTES: usize = 4096;
/// The kernel keeps this much while nobody looks: over a second of RTP even where it accounts a
/// packet of 172 bytes with 768 and doubles what it is asked for.
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;

/// Opens a socket for media: bound, with kernel time stamps and room for more than a second.
///
/// # Errors
/// The address is taken, or there are too many open files.
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // Only a wish: the kernel caps it at net.core.rmem_max.
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    setsockopt(&socket, ReceiveTimestampns, &true)?;
    setsockopt(&socket, RxqOvfl, &1)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// One datagram as it was taken from a socket.
pub struct Datagram<'a> {
    /// Its payload.
    pub data: &'a [u8],
    /// When the kernel had it. Unix time, microseconds.
    pub arrival_unix_us: i64,
    /// Who sent it.
    pub source: Option<SocketAddr>,
    /// It was larger than [`DATAGRAM_BYTES`] and its end is missing.
    pub cut: bool,
    /// How many datagrams the kernel had to drop at this socket until then, if it said so.
    pub dropped_before: Option<u32>,
}

/// Memory for `recvmmsg`, shared by all sockets of a thread.
pub struct Batch {
    headers: MultiHeaders<SockaddrStorage>,
    memory: Vec<u8>,
}

impl Batch {
    /// Memory for one thread.
    pub fn new() -> Self {
        Self { headers: fresh_headers(), memory: vec![0; BATCH * DATAGRAM_BYTES] }
    }

    /// Takes what waits at `socket`, at most [`BATCHES`] batches, and hands it to `take`, in the order
    /// of arrival. Returns how many datagrams there were.
    pub fn empty(&mut self, socket: &UdpSocket, mut take: impl FnMut(&Datagram<'_>)) -> usize {
        let mut total = 0;
        for _ in 0..BATCHES {
            let (taken, control_was_cut) = self.once(socket, &mut take);
            total += taken;
            if control_was_cut {
                // The kernel leaves in each header the length of the control data it wrote; the
                // count of dropped datagrams, which comes only after a loss, needs more.
                self.headers = fresh_headers();
            }
            if taken < BATCH {
                break;
            }
        }
        total
    }

    fn once(&mut self, socket: &UdpSocket, take: &mut impl FnMut(&Datagram<'_>)) -> (usize, bool) {
        let mut rooms = self.memory.chunks_exact_mut(DATAGRAM_BYTES);
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(rooms.next().unwrap_or_default())]);
        let received = match recvmmsg(
            socket.as_raw_fd(),
            &mut self.headers,
            &mut slices,
            MsgFlags::MSG_DONTWAIT,
            None,
        ) {
            Ok(received) => received,
            // EAGAIN: nothing waits. Any other error belongs to one datagram (an ICMP message about
            // an earlier one): the socket stays good.
            Err(_) => return (0, false),
        };
        let (mut count, mut control_was_cut) = (0, false);
        let mut lengths = [0; BATCH];
        for message in received {
            lengths[count] = message.bytes;
            count += 1;
            let (mut arrival_unix_us, mut dropped_before) = (None, None);
            match message.cmsgs() {
                Ok(controls) => {
                    for control in controls {
                        match control {
                            ControlMessageOwned::ScmTimestampns(t) => {
                                arrival_unix_us = Some(t.tv_sec() * 1_000_000 + t.tv_nsec() / 1_000);
                            }
                            ControlMessageOwned::RxqOvfl(drops) => dropped_before = Some(drops),
                            _ => {}
                        }
                    }
                }
                Err(_) => control_was_cut = true,
            }
            take(&Datagram {
                data: message.iovs().next().unwrap_or_default(),
                arrival_unix_us: arrival_unix_us.unwrap_or_else(unix_us),
                source: message.address.as_ref().and_then(socket_address),
                cut: message.flags.contains(MsgFlags::MSG_TRUNC),
                dropped_before,
            });
        }
        // It may have been of a call that is not recorded, and the next batch may fill fewer rooms.
        for (room, length) in self.memory.chunks_exact_mut(DATAGRAM_BYTES).zip(&lengths[..count]) {
            room[..*length].fill(0);
        }
        (count, control_was_cut)
    }
}

fn fresh_headers() -> MultiHeaders<SockaddrStorage> {
    MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(nix::sys::time::TimeSpec, u32)))
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|a| SocketAddr::from((a.ip(), a.port())));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| SocketAddr::from((a.ip(), a.port()))))
}

/// Now. Unix time, microseconds.
pub fn unix_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Instant;

    use super::*;

    pub fn pair() -> (UdpSocket, UdpSocket, SocketAddr) {
        let receiver = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = receiver.local_addr().unwrap();
        (receiver, UdpSocket::bind("127.0.0.1:0").unwrap(), address)
    }

    /// Waits until the kernel notes when a datagram comes. It begins to a moment after the first socket
    /// of the machine has asked for it; until then it states when a datagram is taken.
    pub fn until_arrivals_are_noted(receiver: &UdpSocket, sender: &UdpSocket, address: SocketAddr) {
        let (mut batch, mut noted) = (Batch::new(), false);
        while !noted {
            sender.send_to(b"?", address).unwrap();
            let sent = unix_us();
            std::thread::sleep(std::time::Duration::from_millis(2));
            batch.empty(receiver, |d| noted = d.arrival_unix_us <= sent);
        }
    }

    #[test]
    fn all_that_waits_is_taken_in_order_with_its_kernel_time_and_source() {
        let (receiver, sender, address) = pair();
        until_arrivals_are_noted(&receiver, &sender, address);
        let before = unix_us();
        (0..100_u32).for_each(|n| assert_eq!(sender.send_to(&n.to_be_bytes(), address).unwrap(), 4));
        let (mut batch, mut seen, mut last) = (Batch::new(), Vec::new(), before);
        let until = Instant::now() + std::time::Duration::from_secs(60);
        while seen.len() < 100 && Instant::now() < until {
            batch.empty(&receiver, |d| {
                seen.push(u32::from_be_bytes(d.data.try_into().unwrap()));
                assert_eq!(d.source, sender.local_addr().ok());
                assert!(d.arrival_unix_us >= last && d.arrival_unix_us <= unix_us());
                last = d.arrival_unix_us;
            });
        }
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn more_than_a_second_of_eight_kilohertz_speech_waits_without_loss() {
        let (receiver, sender, address) = pair();
        (0..100).for_each(|_| assert_eq!(sender.send_to(&[0; 172], address).unwrap(), 172));
        assert_eq!(Batch::new().empty(&receiver, |d| assert_eq!(d.dropped_before, None)), 100);
    }

    #[test]
    fn what_the_kernel_drops_is_told_and_later_packets_keep_their_times() {
        let (receiver, sender, address) = pair();
        let mut batch = Batch::new();
        let round = |batch: &mut Batch| {
            (0..5_000).for_each(|_| assert_eq!(sender.send_to(&[0; 172], address).unwrap(), 172));
            let mut told = 0;
            let taken = batch.empty(&receiver, |d| told = told.max(d.dropped_before.unwrap_or(0)));
            (taken, told)
        };
        let (first, _) = round(&mut batch);
        assert!(first < 5_000, "the kernel keeps {first} datagrams");
        let (_, told) = round(&mut batch);
        assert!(told as usize >= 5_000 - first, "{told} dropped, {first} kept");
    }

    #[test]
    fn nothing_of_what_was_taken_stays_in_the_memory_for_the_next() {
        let (receiver, sender, address) = pair();
        let mut batch = Batch::new();
        for count in [BATCH + 3, 2] {
            (0..count).for_each(|_| assert_eq!(sender.send_to(&[7; 172], address).unwrap(), 172));
            sender.send_to(&[7; DATAGRAM_BYTES + 1], address).unwrap();
            assert_eq!(batch.empty(&receiver, |d| assert!(d.data.iter().all(|byte| *byte == 7))), count + 1);
            assert!(batch.memory.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn a_datagram_that_is_too_large_is_marked_as_cut() {
        let (receiver, sender, address) = pair();
        sender.send_to(&[1; DATAGRAM_BYTES + 1], address).unwrap();
        let mut cut = Vec::new();
        Batch::new().empty(&receiver, |d| cut.push((d.cut, d.data.len())));
        assert_eq!(cut, [(true, DATAGRAM_BYTES)]);
    }

    #[test]
    fn a_sender_that_never_pauses_does_not_keep_the_thread() {
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (to, sender) = (socket.local_addr().unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let send = || assert_eq!(sender.send_to(b"flood", to).unwrap(), 5);
        (0..2 * BATCH).for_each(|_| send());
        // One more comes for each that is taken.
        assert_eq!(Batch::new().empty(&socket, |_| send()), BATCHES * BATCH);
    }
}
