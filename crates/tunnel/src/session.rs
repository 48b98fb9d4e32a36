//! A login to one SSH server, and the channels of it.

use std::{sync::Arc, time::Duration};

use domain::resources::SshServer;
use russh::{ChannelOpenFailure, ChannelStream, client::Handle, client::Msg};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    CONNECT_TIMEOUT, Place, SILENCE, SshError, Stream, Tunnel,
    chain::{Chain, Via},
    closing::Closing,
    handshake::{PinnedServer, shake_hands},
    login::log_in,
};

/// A session with an SSH server whose host key is pinned. Ends when it is dropped and all of its
/// streams are.
pub struct Session {
    ssh: Handle<PinnedServer>,
    closing: Closing,
    place: Place,
}

impl Session {
    /// Connects, directly or through a tunnel, and logs in. `place` is what sentences call it.
    ///
    /// # Errors
    /// See [`ErrorKind`](crate::ErrorKind); with none of them has a password or a file been sent to a
    /// server that is not pinned.
    pub async fn connect(server: &SshServer, place: &Place, via: Option<&Tunnel>) -> Result<Self, SshError> {
        let silence = via.map_or(SILENCE, Tunnel::silence);
        Self::open(server, place, via.map_or(Via::Nothing, Via::Tunnel), silence).await
    }

    pub(crate) async fn open(
        server: &SshServer,
        place: &Place,
        via: Via<'_>,
        silence: Duration,
    ) -> Result<Self, SshError> {
        let (mut ssh, closing) = shake_hands(server, place, via, silence).await?;
        let logging_in = log_in(&mut ssh, server, place);
        timeout(CONNECT_TIMEOUT, logging_in).await.map_err(|e| place.unreachable(e))??;
        Ok(Self { ssh, closing, place: place.clone() })
    }

    /// False once the connection is known to be gone.
    pub fn is_usable(&self) -> bool {
        !self.ssh.is_closed()
    }

    /// Given once the connection is gone: no answer comes over any channel of it from then on.
    pub const fn closed(&self) -> &CancellationToken {
        self.closing.session()
    }

    /// Starts a subsystem (`sftp`) on a channel of its own.
    ///
    /// # Errors
    /// The server does not offer it, or no further channel (`MaxSessions`).
    pub async fn subsystem(&self, name: &str) -> Result<Stream, SshError> {
        let fault = |error| match error {
            russh::Error::ChannelOpenFailure(_) | russh::Error::RequestDenied => {
                self.place.no_subsystem(name, error)
            }
            error => self.place.lost(error),
        };
        let starting = async {
            let mut channel = self.ssh.channel_open_session().await.map_err(fault)?;
            let closed = self.closing.of(channel.id());
            channel.request_subsystem(true, name).await.map_err(fault)?;
            // What the server says to it comes as a message; only then is the channel the subsystem's.
            loop {
                match channel.wait().await {
                    Some(russh::ChannelMsg::Success) => {
                        return Ok(Stream::channel(channel.into_stream(), closed, None));
                    }
                    Some(russh::ChannelMsg::WindowAdjusted { .. }) => {}
                    Some(_) => return Err(fault(russh::Error::RequestDenied)),
                    None if self.is_usable() => return Err(fault(russh::Error::RequestDenied)),
                    None => return Err(fault(russh::Error::HUP)),
                }
            }
        };
        timeout(CONNECT_TIMEOUT, starting).await.map_err(|error| self.place.lost(error))?
    }

    /// Has the server connect to `host` at `port` as it is seen from there.
    pub(crate) async fn forward(
        &self,
        host: &str,
        port: u16,
        chain: Option<Arc<Chain>>,
    ) -> Result<Stream, SshError> {
        // The originator is a formality (RFC 4254 7.2): it shows in the server's log.
        let opening = self.ssh.channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0);
        let opened = timeout(CONNECT_TIMEOUT, opening).await.map_err(|error| self.place.lost(error))?;
        let channel = opened.map_err(|error| match &error {
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => {
                self.place.forwarding_refused(error)
            }
            russh::Error::ChannelOpenFailure(_) => self.place.cannot_reach(host, port, error),
            _ => self.place.lost(error),
        })?;
        let closed = self.closing.of(channel.id());
        let stream: ChannelStream<Msg> = channel.into_stream();
        Ok(Stream::channel(stream, closed, chain))
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Session").field(&self.place).finish()
    }
}
