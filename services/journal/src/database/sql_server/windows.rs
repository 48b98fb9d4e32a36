//! Logins of Windows by NTLMv2. The client cannot do them here: its own way wants releases of cryptography
//! that nothing else here can live with. So its LOGIN7 is rewritten on its way, and the challenge answered
//! (MS-TDS 2.2.6.4, 3.2.5.2; MS-NLMP).

use std::io;

use domain::Sensitive;
use smb2::auth::ntlm::{NtlmAuthenticator, NtlmCredentials};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::{
    encrypted::{Broken, packet},
    framed::{HEADER, packets},
};

/// The kind of packet in which a challenge is answered.
const SSPI_MESSAGE: u8 = 0x11;

/// Where LOGIN7 says that the login is one of Windows, and where its first message is.
const FLAGS_2: usize = 25;
const INTEGRATED: u8 = 0x80;
const SSPI: usize = 78;
const FIXED: usize = 94;

/// The token that holds a challenge (MS-TDS 2.2.7.22).
const CHALLENGE: u8 = 0xED;

/// An account of a domain, or of the server's machine.
#[derive(Clone)]
pub(super) struct Windows {
    domain: String,
    user: String,
    password: Sensitive<String>,
}

impl Windows {
    /// `DOMAIN\\user`; `None`: a login of SQL Server itself.
    pub(super) fn named(login: &str, password: Option<&Sensitive<String>>) -> Option<Self> {
        let (domain, user) = login.split_once('\\')?;
        let password = password.cloned().unwrap_or_else(|| Sensitive::new(String::new()));
        Some(Self { domain: domain.to_owned(), user: user.to_owned(), password })
    }

    fn ntlm(self) -> NtlmAuthenticator {
        NtlmAuthenticator::new(NtlmCredentials {
            username: self.user,
            password: self.password.expose().clone(),
            domain: self.domain,
        })
    }
}

/// Passes the client's login on, as one of Windows if it is to be one; what is left to do for that.
pub(super) async fn log_in(
    client: &mut (impl AsyncRead + Unpin),
    server: &mut (impl AsyncWrite + Unpin),
    windows: Option<Windows>,
) -> Result<Option<NtlmAuthenticator>, Broken> {
    let (kind, login) = message(client).await?;
    let mut ntlm = windows.map(Windows::ntlm);
    let login = match &mut ntlm {
        Some(ntlm) => integrated(login, &ntlm.negotiate())?,
        None => login,
    };
    server.write_all(&packets(kind, &login)).await?;
    server.flush().await?;
    Ok(ntlm)
}

/// Answers the server's challenge; what it says in the place of one is for the client.
pub(super) async fn answer(
    mut ntlm: NtlmAuthenticator,
    client: &mut (impl AsyncWrite + Unpin),
    server: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Result<(), Broken> {
    let (kind, said) = message(server).await?;
    let [CHALLENGE, low, high, rest @ ..] = &said[..] else {
        return Ok(client.write_all(&packets(kind, &said)).await?);
    };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    let challenge = rest.get(..length).ok_or(Broken::Challenge)?;
    let authenticate = ntlm.authenticate(challenge).map_err(|_| Broken::Challenge)?;
    server.write_all(&packets(SSPI_MESSAGE, &authenticate)).await?;
    Ok(server.flush().await?)
}

/// LOGIN7 with a first message of NTLM, which goes to its end.
fn integrated(mut login: Vec<u8>, negotiate: &[u8]) -> io::Result<Vec<u8>> {
    let sspi = u16::try_from(login.len()).ok().zip(u16::try_from(negotiate.len()).ok());
    let Some((from, length)) = sspi.filter(|_| login.len() >= FIXED) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    login[FLAGS_2] |= INTEGRATED;
    login[SSPI..SSPI + 2].copy_from_slice(&from.to_le_bytes());
    login[SSPI + 2..SSPI + 4].copy_from_slice(&length.to_le_bytes());
    login.extend(negotiate);
    let all = u32::from(from) + u32::from(length);
    login[..4].copy_from_slice(&all.to_le_bytes());
    Ok(login)
}

/// More than a login or a challenge takes; whoever sends more has not said yet who it is.
const LONGEST: usize = 64 * 1024;

/// The packets of a message, as one.
async fn message(from: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let mut message = Vec::new();
    loop {
        let packet = packet(from).await?;
        message.extend(&packet[HEADER..]);
        if packet[1] & 1 == 1 {
            return Ok((packet[0], message));
        }
        if message.len() > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_becomes_one_of_windows_and_stays_whole() {
        let mut login = vec![7; FIXED + 6];
        login[FLAGS_2] = 3;
        let changed = integrated(login.clone(), b"NTLMSSP").unwrap();
        assert_eq!(changed.len(), login.len() + 7);
        assert_eq!(changed[..4], (changed.len() as u32).to_le_bytes());
        assert_eq!((changed[FLAGS_2], &changed[SSPI..SSPI + 4]), (0x83, &[100, 0, 7, 0][..]));
        assert_eq!((&changed[FIXED..FIXED + 6], &changed[FIXED + 6..]), (&[7; 6][..], &b"NTLMSSP"[..]));
        assert!(integrated(vec![0; FIXED - 1], b"NTLMSSP").is_err());
    }

    #[tokio::test]
    async fn what_has_no_end_is_not_kept() {
        let without_end: Vec<u8> =
            packets(4, &[7; 2 * LONGEST]).chunks(4096).flat_map(|p| [&[p[0], 0], &p[2..]].concat()).collect();
        assert_eq!(message(&mut &without_end[..]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        let (kind, said) = message(&mut &packets(4, &[7; 10_000])[..]).await.unwrap();
        assert_eq!((kind, said.len()), (4, 10_000));
    }

    #[test]
    fn a_login_of_windows_is_known_by_its_domain() {
        assert!(Windows::named("sa", None).is_none() && Windows::named("user@server", None).is_none());
        let windows = Windows::named("EXAMPLE\\callseal", None).unwrap();
        assert_eq!((windows.domain.as_str(), windows.user.as_str()), ("EXAMPLE", "callseal"));
    }
}
