//! A byte stream to a server, wherever it goes through.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use russh::{ChannelStream, client::Msg};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::chain::Chain;

/// A connection: TCP, or a channel of an SSH session. One that goes through a tunnel keeps the
/// tunnel's sessions alive, also when the [`Tunnel`](crate::Tunnel) has made new ones meanwhile.
pub struct Stream {
    way: Way,
    /// How long a write may wait without a byte being taken.
    stall: Option<Duration>,
    /// Runs while a write waits.
    stalling: Option<Pin<Box<Sleep>>>,
    /// Let go after the stream itself.
    _chain: Option<Arc<Chain>>,
}

enum Way {
    Tcp(TcpStream),
    Channel(Box<Channel>),
}

struct Channel {
    stream: ChannelStream<Msg>,
    /// No window will come any more.
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Stream {
    pub(crate) fn channel(
        stream: ChannelStream<Msg>,
        closed: CancellationToken,
        chain: Option<Arc<Chain>>,
    ) -> Self {
        let channel = Channel { stream, closed: Box::pin(closed.cancelled_owned()) };
        Self { way: Way::Channel(Box::new(channel)), stall: None, stalling: None, _chain: chain }
    }

    /// Its writes fail once nothing was taken in for so long: for protocols whose servers always read.
    pub(crate) fn stalled_after(self, limit: Duration) -> Self {
        Self { stall: Some(limit), ..self }
    }

    /// Passes on how far a write has come, or ends it when it has waited for too long.
    fn unless_stalled<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let Some(limit) = self.stall else { return written };
        if written.is_ready() {
            self.stalling = None;
            return written;
        }
        let stalling = self.stalling.get_or_insert_with(|| Box::pin(sleep(limit)));
        stalling.as_mut().poll(cx).map(|()| {
            let seconds = limit.as_secs();
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("nothing was taken in for {seconds} s")))
        })
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self { way: Way::Tcp(stream), stall: None, stalling: None, _chain: None }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.way {
            Way::Tcp(_) => "Stream(TCP)",
            Way::Channel(_) => "Stream(SSH channel)",
        })
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Way::Channel(channel) => Pin::new(&mut channel.stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = match &mut self.way {
            Way::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            // A channel takes an empty write for a fault; to TCP it is nothing.
            Way::Channel(_) if buf.is_empty() => Poll::Ready(Ok(0)),
            Way::Channel(channel) => match Pin::new(&mut channel.stream).poll_write(cx, buf) {
                Poll::Pending => channel.closed.as_mut().poll(cx).map(|()| {
                    Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the SSH channel was closed"))
                }),
                ready => ready,
            },
        };
        self.unless_stalled(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Way::Channel(channel) => Pin::new(&mut channel.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Way::Channel(channel) => Pin::new(&mut channel.stream).poll_shutdown(cx),
        }
    }
}
