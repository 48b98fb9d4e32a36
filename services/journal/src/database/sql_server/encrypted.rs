//! The encryption between the client, which speaks TDS without any, and the server: TLS by rustls with ring,
//! agreed on by PRELOGIN (MS-TDS 2.2.6.5) or there from the first byte (TDS 8.0). The client's own TLS would
//! bring a second cryptographic library along.

use std::{io, sync::Arc};

use domain::resources::SqlServerEncryption;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, copy, duplex, split},
    select,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, pki_types::ServerName},
};

use super::{
    framed::{Framed, HEADER},
    windows::{self, Windows},
};

/// Values of PRELOGIN's ENCRYPTION.
mod level {
    pub const LOGIN_ONLY: u8 = 0;
    pub const ON: u8 = 1;
    pub const NOT_SUPPORTED: u8 = 2;
    pub const REQUIRED: u8 = 3;
}

/// PRELOGIN's option ENCRYPTION, and the end of the options.
const ENCRYPTION: u8 = 1;
const TERMINATOR: u8 = 0xFF;

/// Bytes under way in one direction.
const BUFFER: usize = 64 * 1024;

/// How a connection is to be encrypted.
#[derive(Clone)]
pub(super) struct Encryption {
    pub(super) level: SqlServerEncryption,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) server: ServerName<'static>,
    /// The account, if the login is to be one of Windows.
    pub(super) windows: Option<Windows>,
}

/// Why a connection came to nothing, or to its end.
#[derive(Debug)]
pub(super) enum Broken {
    /// The server does not offer what is asked for.
    NotOffered,
    /// The handshake failed: the certificate, mostly.
    Handshake(rustls::Error),
    /// The server went when TLS was to begin at once; as one does that does not know TDS 8.0.
    Gone,
    /// What it asks of a login of Windows cannot be answered.
    Challenge,
    /// The bytes stopped.
    Lost,
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Lost
    }
}

/// Why a handshake failed; bytes that stop may as well be the way's fault.
fn failed(error: io::Error, at_once: bool) -> Broken {
    match error.downcast::<rustls::Error>() {
        Ok(error) => Broken::Handshake(error),
        Err(_) if at_once => Broken::Gone,
        Err(_) => Broken::Lost,
    }
}

/// The client's end of a connection that is encrypted on its way; it lives as long as that end does.
pub(super) fn laid<S>(server: S, encryption: Encryption) -> (DuplexStream, JoinHandle<Result<(), Broken>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (near, far) = duplex(BUFFER);
    (near, tokio::spawn(carry(far, server, encryption)))
}

async fn carry<S>(mut client: DuplexStream, mut server: S, encryption: Encryption) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (connector, windows) = (TlsConnector::from(encryption.tls), encryption.windows);
    let mut hello = packet(&mut client).await?;
    if encryption.level == SqlServerEncryption::Strict {
        let mut server =
            connector.connect(encryption.server, server).await.map_err(|error| failed(error, true))?;
        set_level(&mut hello, level::REQUIRED);
        server.write_all(&hello).await?;
        server.flush().await?;
        let answer = packet(&mut server).await?;
        client.write_all(&answer).await?;
        return log_in_and_pass(client, server, windows).await;
    }
    let required = encryption.level == SqlServerEncryption::Required;
    set_level(&mut hello, if required { level::ON } else { level::LOGIN_ONLY });
    server.write_all(&hello).await?;
    server.flush().await?;
    let answer = packet(&mut server).await?;
    let agreed = level_of(&answer).unwrap_or(level::NOT_SUPPORTED);
    if required && [level::LOGIN_ONLY, level::NOT_SUPPORTED].contains(&agreed) {
        return Err(Broken::NotOffered);
    }
    if agreed == level::NOT_SUPPORTED {
        client.write_all(&answer).await?;
        return log_in_and_pass(client, server, windows).await;
    }
    let mut tls = connector
        .connect(encryption.server, Framed::new(server))
        .await
        .map_err(|error| failed(error, false))?;
    tls.get_mut().0.finish();
    client.write_all(&answer).await?;
    if agreed != level::LOGIN_ONLY {
        return log_in_and_pass(client, tls, windows).await;
    }
    // The login, and nothing after it.
    let ntlm = windows::log_in(&mut client, &mut tls, windows).await?;
    let mut server = tls.into_inner().0.into_inner();
    if let Some(ntlm) = ntlm {
        windows::answer(ntlm, &mut client, &mut server).await?;
    }
    pass(client, server).await
}

async fn log_in_and_pass<S>(
    mut client: DuplexStream,
    mut server: S,
    windows: Option<Windows>,
) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(ntlm) = windows::log_in(&mut client, &mut server, windows).await? {
        windows::answer(ntlm, &mut client, &mut server).await?;
    }
    pass(client, server).await
}

/// Carries bytes both ways until one side has ended.
async fn pass<S: AsyncRead + AsyncWrite>(client: DuplexStream, server: S) -> Result<(), Broken> {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (split(client), split(server));
    select! {
        up = copy(&mut from_client, &mut to_server) => {
            up?;
            to_server.shutdown().await?;
        }
        down = copy(&mut from_server, &mut to_client) => {
            down?;
        }
    }
    Ok(())
}

/// A packet of TDS with its header.
pub(super) async fn packet(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; HEADER];
    from.read_exact(&mut packet).await?;
    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    if length < HEADER {
        return Err(io::ErrorKind::InvalidData.into());
    }
    packet.resize(length, 0);
    from.read_exact(&mut packet[HEADER..]).await?;
    Ok(packet)
}

/// Where in a packet with PRELOGIN the level of encryption stands.
fn place_of_level(packet: &[u8]) -> Option<usize> {
    let body = packet.get(HEADER..)?;
    let option = body.chunks(5).take_while(|option| option[0] != TERMINATOR).find(|o| o[0] == ENCRYPTION)?;
    let place = HEADER + usize::from(u16::from_be_bytes([*option.get(1)?, *option.get(2)?]));
    (place < packet.len()).then_some(place)
}

fn level_of(packet: &[u8]) -> Option<u8> {
    place_of_level(packet).map(|place| packet[place])
}

fn set_level(packet: &mut [u8], level: u8) {
    if let Some(place) = place_of_level(packet) {
        packet[place] = level;
    }
}

#[cfg(test)]
mod tests;
