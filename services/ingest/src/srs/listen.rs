//! The sockets for SIP: UDP and TCP on one port.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use prometheus::IntCounter;
use rsipstack::{
    sip::Transport,
    transaction::endpoint::EndpointInnerRef,
    transport::{SipAddr, SipConnection, tcp::TcpConnection, udp::UdpConnection},
};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::datagram::DatagramSocket;

/// Room for a burst of INVITEs.
const UDP_BUFFER_BYTES: usize = 2 * 1024 * 1024;
/// A connection over which nothing was said for so long is asked for by the kernel.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// The bound sockets.
pub struct Listening {
    /// SIP over UDP.
    pub udp: tokio::net::UdpSocket,
    /// SIP over TCP.
    pub tcp: TcpListener,
    /// Address of both.
    pub address: SocketAddr,
}

/// Binds UDP and TCP to the same port; port 0 looks for one that is free for both.
///
/// # Errors
/// The address is in use or does not belong to this machine.
pub fn bind(wanted: SocketAddr) -> io::Result<Listening> {
    let mut attempts = if wanted.port() == 0 { 50 } else { 1 };
    loop {
        attempts -= 1;
        let udp = bind_udp(wanted)?;
        let address = udp.local_addr()?;
        match bind_tcp(address) {
            Ok(tcp) => return Ok(Listening { udp, tcp, address }),
            Err(error) if attempts == 0 => return Err(error),
            Err(_) => {}
        }
    }
}

fn bind_udp(address: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(UDP_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    tokio::net::UdpSocket::from_std(socket.into())
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a former run linger in TIME_WAIT: they must not keep us from starting.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

/// The UDP side as rsipstack's transport.
///
/// # Errors
/// The socket has no local address.
pub async fn udp_transport(
    udp: tokio::net::UdpSocket,
    malformed: IntCounter,
    stop: CancellationToken,
) -> Result<SipConnection, rsipstack::Error> {
    let socket = Arc::new(DatagramSocket::new(udp, malformed));
    Ok(SipConnection::Udp(UdpConnection::from_socket(socket, None, Some(stop)).await?))
}

/// Accepts connections until `stop`. (rsipstack's own listener tells nobody which port it got.)
pub async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    endpoint: EndpointInnerRef,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted.and_then(|(stream, _)| open(stream, address, &stop)) {
            Ok(connection) => endpoint.transport_layer.add_connection(SipConnection::Tcp(connection)),
            Err(error) => {
                tracing::warn!(%error, "a TCP connection could not be taken");
                // Out of file descriptors: a busy loop would only make it worse.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn open(stream: TcpStream, address: SocketAddr, stop: &CancellationToken) -> io::Result<TcpConnection> {
    stream.set_nodelay(true)?;
    SockRef::from(&stream)
        .set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4))?;
    let local = SipAddr::new(Transport::Tcp, address.into());
    TcpConnection::from_stream(stream, local, Some(stop.child_token())).map_err(io::Error::other)
}

/// The address of ours that `peer` can reach: the one packets to it leave from.
pub fn address_towards(peer: SocketAddr, bound: IpAddr) -> IpAddr {
    if !bound.is_unspecified() {
        return bound;
    }
    let any = SocketAddr::new(bound, 0);
    let route = || {
        let probe = std::net::UdpSocket::bind(any)?;
        probe.connect(peer)?;
        probe.local_addr()
    };
    route().map_or(bound, |local| local.ip().to_canonical())
}
