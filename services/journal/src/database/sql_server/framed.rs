//! TLS inside of TDS: while the handshake goes on, its bytes travel in PRELOGIN packets (MS-TDS 2.2.6.5).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a packet's header.
pub(super) const HEADER: usize = 8;

/// What a packet may hold as long as nothing else is agreed on: 4,096 bytes with its header.
const PAYLOAD: usize = 4096 - HEADER;

const PRELOGIN: u8 = 0x12;

/// A stream that frames what goes through it, until [`finish`](Self::finish).
pub(super) struct Framed<S> {
    inner: S,
    framing: bool,
    /// Written, but not flushed: one message is not to be cut into many.
    gathered: Vec<u8>,
    /// Framed, on its way.
    outgoing: Vec<u8>,
    header: [u8; HEADER],
    header_read: usize,
    payload_left: usize,
}

impl<S> Framed<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            framing: true,
            gathered: Vec::new(),
            outgoing: Vec::new(),
            header: [0; HEADER],
            header_read: 0,
            payload_left: 0,
        }
    }

    /// From here on bytes go as they are.
    pub(super) fn finish(&mut self) {
        self.framing = false;
    }

    pub(super) fn into_inner(self) -> S {
        self.inner
    }
}

/// The packets of a message of a kind.
pub(super) fn packets(kind: u8, message: &[u8]) -> Vec<u8> {
    let count = message.chunks(PAYLOAD).len();
    let mut packets = Vec::with_capacity(message.len() + count * HEADER);
    for (number, part) in message.chunks(PAYLOAD).enumerate() {
        let last = u8::from(number + 1 == count);
        // A part is no longer than PAYLOAD.
        let [high, low] = ((part.len() + HEADER) as u16).to_be_bytes();
        packets.extend([kind, last, high, low, 0, 0, 1, 0]);
        packets.extend(part);
    }
    packets
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.framing {
            return Pin::new(&mut this.inner).poll_read(context, buf);
        }
        while this.payload_left == 0 {
            let mut rest = ReadBuf::new(&mut this.header[this.header_read..]);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut rest))?;
            match rest.filled().len() {
                0 => return Poll::Ready(Ok(())),
                read => this.header_read += read,
            }
            if this.header_read == HEADER {
                this.header_read = 0;
                let length = usize::from(u16::from_be_bytes([this.header[2], this.header[3]]));
                this.payload_left = length
                    .checked_sub(HEADER)
                    .ok_or_else(|| io::Error::other("a packet without a header"))?;
            }
        }
        let wanted = this.payload_left.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(wanted));
        ready!(Pin::new(&mut this.inner).poll_read(context, &mut part))?;
        let read = part.filled().len();
        this.payload_left -= read;
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.framing {
            return Pin::new(&mut this.inner).poll_write(context, buf);
        }
        this.gathered.extend(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.framing {
            this.outgoing.extend(packets(PRELOGIN, &std::mem::take(&mut this.gathered)));
            while !this.outgoing.is_empty() {
                match ready!(Pin::new(&mut this.inner).poll_write(context, &this.outgoing))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    written => drop(this.outgoing.drain(..written)),
                }
            }
        }
        Pin::new(&mut this.inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}
