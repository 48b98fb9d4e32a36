//! TLS for the vault's connections.

use std::{io, net::SocketAddr, path::Path, time::Duration};

use axum::serve::Listener;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::loopback_tls;

/// Makes certificates in `dir` and what accepts connections with them.
pub(super) fn acceptor(dir: &Path) -> anyhow::Result<TlsAcceptor> {
    Ok(TlsAcceptor::from(loopback_tls::server_config(dir)?))
}

/// Connections whose TLS has been agreed upon.
pub(super) struct Tls {
    pub(super) listener: TcpListener,
    pub(super) acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((stream, from)) = self.listener.accept().await else { continue };
            // A client that does not trust the certificate goes away again.
            if let Ok(Ok(stream)) = timeout(Duration::from_secs(20), self.acceptor.accept(stream)).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
