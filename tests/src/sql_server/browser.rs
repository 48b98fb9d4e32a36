//! SQL Server Browser: tells the port of an instance by UDP (MC-SQLR 2.2).

use std::{io, net::Ipv4Addr};

use tokio::net::UdpSocket;

/// Where it listens; there is no other port.
const PORT: u16 = 1434;

/// `CLNT_UCAST_INST`, and the answer to it.
const ASKED: u8 = 4;
const ANSWER: u8 = 5;

/// An address of loopback on which nobody else is SQL Server Browser, and its socket there.
pub async fn somewhere() -> anyhow::Result<(Ipv4Addr, UdpSocket)> {
    let begin = std::process::id();
    for number in 0..1000 {
        let [_, _, high, low] = begin.wrapping_mul(31).wrapping_add(number).to_be_bytes();
        let address = Ipv4Addr::new(127, 14, high, low.max(1));
        match UdpSocket::bind((address, PORT)).await {
            Ok(socket) => return Ok((address, socket)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error.into()),
        }
    }
    anyhow::bail!("port {PORT} is taken on a thousand addresses of loopback")
}

/// Tells the port of this one instance; of others it says nothing, as the real one does.
pub async fn tell(socket: UdpSocket, instance: &str, port: u16) -> io::Result<()> {
    let mut question = [0; 64];
    loop {
        let (length, from) = socket.recv_from(&mut question).await?;
        let [ASKED, name @ ..] = &question[..length] else { continue };
        // A name may end with a zero.
        let name = name.strip_suffix(&[0]).unwrap_or(name);
        if name.eq_ignore_ascii_case(instance.as_bytes()) {
            let said = format!(
                "ServerName;PEER;InstanceName;{instance};IsClustered;No;Version;15.0.2000.5;tcp;{port};;"
            );
            let mut answer = vec![ANSWER];
            answer.extend((said.len() as u16).to_le_bytes());
            answer.extend(said.as_bytes());
            socket.send_to(&answer, from).await?;
        }
    }
}
