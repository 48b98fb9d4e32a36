//! A byte stream to a server, wherever it goes through.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use russh::{ChannelStream, client::Msg};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::chain::Chain;

/// A connection: TCP, or a channel of an SSH session. One that goes through a tunnel keeps the
/// tunnel's sessions alive, also when the [`Tunnel`](crate::Tunnel) has made new ones meanwhile.
pub struct Stream {
    way: Way,
    /// Let go after the stream itself.
    _chain: Option<Arc<Chain>>,
}

enum Way {
    Tcp(TcpStream),
    Channel(Box<ChannelStream<Msg>>),
}

impl Stream {
    pub(crate) fn channel(channel: ChannelStream<Msg>, chain: Option<Arc<Chain>>) -> Self {
        Self { way: Way::Channel(Box::new(channel)), _chain: chain }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self { way: Way::Tcp(stream), _chain: None }
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
            Way::Channel(channel) => Pin::new(channel).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.way {
            Way::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            // A channel takes an empty write for a fault; to TCP it is nothing.
            Way::Channel(_) if buf.is_empty() => Poll::Ready(Ok(0)),
            Way::Channel(channel) => Pin::new(channel).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Way::Channel(channel) => Pin::new(channel).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.way {
            Way::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Way::Channel(channel) => Pin::new(channel).poll_shutdown(cx),
        }
    }
}
