//! SSH as a way to somewhere: a server of a pinned host key, a login, and TCP connections that the
//! server opens for us (`direct-tcpip`, RFC 4254 section 7.2). Through a [`Tunnel`] goes whatever
//! speaks over a byte stream: SFTP, SMB, a database. No port is ever opened on this machine; what cannot
//! be handed a stream gets a [`Socket`] of its own.
//!
//! A server whose `hostKeys` are empty is incomplete: nothing is sent to it, no password and no
//! file, before somebody has looked at its keys ([`shown_keys`]) and pinned one.

mod chain;
mod closing;
mod error;
mod handshake;
mod host_key;
mod login;
mod place;
mod session;
mod short_key;
mod socket;
mod stream;
mod survey;

use std::time::Duration;

use tokio::{net::TcpStream, time::timeout};

pub use chain::Tunnel;
pub use error::{ErrorKind, SshError};
pub use host_key::{HostKey, InvalidHostKey, check as check_host_key};
pub use place::Place;
pub use session::Session;
pub use socket::Socket;
pub use stream::Stream;
pub use survey::shown_keys;

/// How long connecting, logging in, and opening a channel may take each.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a server may be silent, or take nothing in, before it is taken for dead. A line of 20 kB/s that is
/// full for longer still shows signs of life: OpenSSH makes room for more at every hundred kilobytes.
pub const SILENCE: Duration = Duration::from_secs(30);

/// Connects to `host` at `port`: through the tunnel, or without one as TCP does, Nagle's algorithm
/// switched off.
///
/// # Errors
/// See [`ErrorKind`]; the sentence names the server, and the hop where it is one.
pub async fn dial(via: Option<&Tunnel>, host: &str, port: u16) -> Result<Stream, SshError> {
    match via {
        Some(tunnel) => tunnel.connect(host, port).await,
        None => directly(host, port).await,
    }
}

/// A plain TCP connection.
async fn directly(host: &str, port: u16) -> Result<Stream, SshError> {
    let unreachable = |cause: Box<dyn std::error::Error + Send + Sync>| {
        SshError::new(
            ErrorKind::Unreachable,
            format!("{host}:{port} cannot be reached; check that it runs, and host, port and firewall"),
        )
        .caused_by(cause)
    };
    let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await;
    let stream = connecting.map_err(|e| unreachable(e.into()))?.map_err(|e| unreachable(e.into()))?;
    stream.set_nodelay(true).map_err(|e| unreachable(e.into()))?;
    Ok(Stream::from(stream))
}
