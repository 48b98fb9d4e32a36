//! SIP over UDP as it really comes: line ends of LF alone, no Content-Length, too large.
//!
//! rsipstack reads strictly and into 8192 bytes; what it would drop without a word is put right
//! here where that can be done without guessing. Bodies are never touched.

use std::{borrow::Cow, net::SocketAddr, panic::catch_unwind};

use prometheus::IntCounter;
use rsipstack::{
    platform::net::UdpSocket as StackSocket,
    sip::SipMessage,
    transaction::key::{TransactionKey, TransactionRole},
};

/// The UDP socket under rsipstack.
pub struct DatagramSocket {
    socket: tokio::net::UdpSocket,
    malformed: IntCounter,
}

impl DatagramSocket {
    /// Over a bound socket; `malformed` counts what had to be put right or was no SIP at all.
    pub fn new(socket: tokio::net::UdpSocket, malformed: IntCounter) -> Self {
        Self { socket, malformed }
    }
}

#[async_trait::async_trait]
impl StackSocket for DatagramSocket {
    async fn recv_from(&self, room: &mut [u8]) -> Result<(usize, SocketAddr), rsipstack::Error> {
        loop {
            let (len, source) = self.socket.recv_from(room).await?;
            if let Cow::Owned(tidied) = tidy(&room[..len]) {
                self.malformed.inc();
                // If it no longer fits, the body ends early and the request is answered 513 as any
                // other that was cut.
                let len = tidied.len().min(room.len());
                room[..len].copy_from_slice(&tidied[..len]);
                if is_readable(&room[..len]) {
                    return Ok((len, source));
                }
            } else if is_readable(&room[..len]) {
                return Ok((len, source));
            } else {
                self.malformed.inc();
            }
        }
    }

    async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> Result<usize, rsipstack::Error> {
        Ok(self.socket.send_to(bytes, to).await?)
    }

    fn local_addr(&self) -> Result<SocketAddr, rsipstack::Error> {
        Ok(self.socket.local_addr()?)
    }
}

/// True if the stack can read it. A single task reads all datagrams: one that made the parser
/// panic would silence SIP over UDP for good.
fn is_readable(datagram: &[u8]) -> bool {
    if datagram.trim_ascii().is_empty() {
        // Keep-alive (RFC 5626, section 3.5.1): answered by the stack.
        return true;
    }
    let read = || match SipMessage::try_from(datagram).ok()? {
        SipMessage::Request(request) => TransactionKey::from_request(&request, TransactionRole::Server).ok(),
        SipMessage::Response(response) => {
            TransactionKey::from_response(&response, TransactionRole::Client).ok()
        }
    };
    matches!(catch_unwind(read), Ok(Some(_)))
}

/// The same message with CRLF after each header line and with a Content-Length; borrowed if it is
/// so already, or if it has no end of headers and so is no SIP message.
fn tidy(datagram: &[u8]) -> Cow<'_, [u8]> {
    let Some((headers, body)) = split(datagram) else { return Cow::Borrowed(datagram) };
    let has_crlf = ends_with_crlf(headers);
    let lines = || headers.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let has_length = lines().any(|line| {
        let name = line.split(|b| *b == b':').next().unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l")
    });
    if has_crlf && has_length {
        return Cow::Borrowed(datagram);
    }
    let mut tidied = Vec::with_capacity(datagram.len() + 64);
    for line in lines().filter(|line| !line.is_empty()) {
        tidied.extend_from_slice(line);
        tidied.extend_from_slice(b"\r\n");
    }
    if !has_length {
        // Over UDP the body then ends with the datagram (RFC 3261, section 18.3).
        tidied.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    tidied.extend_from_slice(b"\r\n");
    tidied.extend_from_slice(body);
    Cow::Owned(tidied)
}

/// Headers and body, at the first empty line.
fn split(datagram: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut start = 0;
    while let Some(at) = datagram[start..].iter().position(|b| *b == b'\n').map(|n| start + n) {
        let rest = &datagram[at + 1..];
        let empty_line = if rest.starts_with(b"\r\n") { 2 } else { usize::from(rest.starts_with(b"\n")) };
        if empty_line > 0 {
            return Some((&datagram[..=at], &rest[empty_line..]));
        }
        start = at + 1;
    }
    None
}

/// True if no line ends with LF alone.
fn ends_with_crlf(headers: &[u8]) -> bool {
    headers.iter().enumerate().all(|(at, b)| *b != b'\n' || (at > 0 && headers[at - 1] == b'\r'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INVITE: &str = "INVITE sip:srs@192.0.2.1:5060;transport=udp SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\n\
        From: \"Ä\" <sip:a@192.0.2.2>;tag=1\r\nTo: <sip:srs@192.0.2.1>\r\nCall-ID: c@192.0.2.2\r\nCSeq: 1 INVITE\r\n\
        Contact: <sip:a@192.0.2.2>;+sip.src\r\nContent-Length: 5\r\n\r\nv=0\r\n";

    proptest! {
        #[test]
        fn mutated_datagrams_make_nobody_panic(
            changes in proptest::collection::vec((0..600_usize, any::<u8>(), 0..3_u8), 0..12)
        ) {
            let mut datagram = INVITE.as_bytes().to_vec();
            for (at, byte, how) in changes {
                let at = at % datagram.len();
                match how {
                    0 => datagram[at] = byte,
                    1 => datagram.insert(at, byte),
                    _ => { datagram.remove(at); }
                }
            }
            let tidied = tidy(&datagram);
            let _ = is_readable(&tidied);
            prop_assert!(matches!(tidy(&tidied), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn what_the_stack_can_read_is_let_through() {
        assert!(is_readable(INVITE.as_bytes()) && is_readable(b"\r\n\r\n"));
        for bad in ["INVITE sip:a@b\r\n\r\n", "INVITE sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n", "x"] {
            assert!(!is_readable(bad.as_bytes()), "{bad:?}");
        }
    }

    #[test]
    fn line_ends_and_length_are_put_right_and_the_body_is_left_alone() {
        let crlf = "INVITE sip:a@b SIP/2.0\r\nl: 4\r\n\r\nv=0\n";
        let table = [
            (crlf, None),
            (
                "INVITE sip:a@b SIP/2.0\nContent-Length : 4\n\nv=0\n",
                Some("INVITE sip:a@b SIP/2.0\r\nContent-Length : 4\r\n\r\nv=0\n"),
            ),
            (
                "BYE sip:a@b SIP/2.0\r\nTo: x\r\n\r\n",
                Some("BYE sip:a@b SIP/2.0\r\nTo: x\r\nContent-Length: 0\r\n\r\n"),
            ),
            (
                "INVITE sip:a@b SIP/2.0\nTo: x\n\nv=0\n\na",
                Some("INVITE sip:a@b SIP/2.0\r\nTo: x\r\nContent-Length: 6\r\n\r\nv=0\n\na"),
            ),
            ("rubbish", None),
            ("", None),
            ("\n", None),
        ];
        for (sent, expected) in table {
            let tidied = tidy(sent.as_bytes());
            match expected {
                None => assert!(matches!(tidied, Cow::Borrowed(_)), "{sent:?}"),
                Some(text) => assert_eq!(String::from_utf8_lossy(&tidied), text, "{sent:?}"),
            }
        }
    }
}
