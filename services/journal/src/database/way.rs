//! The way to a database server: directly, or through SSH servers (F-80).

use std::io;

use domain::resources::DatabaseServer;
use tunnel::{Socket, SshError, Stream, Tunnel};

use super::{ErrorKind, JournalError};

/// Where a database server is, and how to get there.
pub(super) struct Way {
    tunnel: Option<Tunnel>,
    host: String,
    port: u16,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Failure {
    /// An SSH server on the way.
    Tunnel(SshError),
    /// The database, or the way to it without a tunnel.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl Way {
    pub(super) fn to(server: &DatabaseServer) -> Self {
        let tunnel = server.tunnel.clone().map(Tunnel::new);
        Self { tunnel, host: server.host.clone(), port: server.port }
    }

    /// For texts.
    pub(super) fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// A connection to the server through its tunnel; `None`: there is no tunnel.
    pub(super) async fn stream(&self) -> Result<Option<Stream>, SshError> {
        let Some(tunnel) = &self.tunnel else { return Ok(None) };
        tunnel.connect(&self.host, self.port).await.map(Some)
    }

    /// A socket called `name` that leads to the server through its tunnel; `None`: there is no tunnel.
    pub(super) async fn socket(&self, name: &str) -> Result<Option<Socket>, Failure> {
        let Some(tunnel) = &self.tunnel else { return Ok(None) };
        Socket::open(Some(tunnel), &self.host, self.port, name).await.map(Some).map_err(Failure::Tunnel)
    }

    /// The same also where there is no tunnel, for a driver that says one thing in several writes and leaves
    /// Nagle's algorithm on: each time the server's acknowledgement would be waited for, which systems delay by
    /// 40 ms. `None`: the server's own socket is named.
    pub(super) async fn prompt_socket(&self, name: &str) -> Result<Option<Socket>, Failure> {
        if self.tunnel.is_some() || self.host.starts_with('/') {
            return self.socket(name).await;
        }
        let opened = Socket::open(None, &self.host, self.port, name).await;
        // In the database's own words: there is no other server on the way.
        opened.map(Some).map_err(|error| sqlx::Error::Io(io::Error::other(error)).into())
    }
}

/// A fault of the tunnel, in its own words.
pub(super) fn fault(error: SshError) -> JournalError {
    let kind = match error.kind() {
        tunnel::ErrorKind::Unreachable => ErrorKind::Unreachable,
        tunnel::ErrorKind::LoginRefused => ErrorKind::LoginRefused,
        tunnel::ErrorKind::HostKeyChanged | tunnel::ErrorKind::Incomplete => ErrorKind::Description,
        tunnel::ErrorKind::Denied => ErrorKind::Denied,
    };
    JournalError::new(kind, error.to_string()).caused_by(error)
}

/// What is wrong with the server's TLS, if that is what is wrong; a sentence without its subject, the server.
pub(super) fn tls_problem(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Tls(_) => Some("does not offer the TLS that the journal asks for".to_owned()),
        // What rustls says of a handshake: "invalid peer certificate: UnknownIssuer".
        sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => Some(format!(
            "has a certificate that is not accepted ({io}); compare host and caCertificate with it"
        )),
        _ => None,
    }
}
