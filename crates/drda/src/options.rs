//! Where the database is and how to log in.

use std::{fmt, time::Duration};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use zeroize::Zeroizing;

/// A password: never printed, and wiped from memory when it is dropped.
#[derive(Clone, Default)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The password itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(password: String) -> Self {
        Self(Zeroizing::new(password))
    }
}

impl From<&str> for Password {
    fn from(password: &str) -> Self {
        Self::from(password.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹password›")
    }
}

/// Whether and whom to trust. Derby's `-ssl basic` is TLS from the first byte on.
#[derive(Debug, Clone, Default)]
pub enum Tls {
    /// No TLS.
    #[default]
    Off,
    /// The server's certificate is for its host name or address, and of one of these authorities (DER).
    Authorities(Vec<CertificateDer<'static>>),
    /// Whoever the server is: nobody who only listens reads along, somebody in between does.
    Unverified,
    /// The server's certificate is one of these, by SHA-256 of its DER form; name and dates do not matter:
    /// for certificates that a server's administrator has made with `keytool`.
    Pinned(Vec<[u8; 32]>),
}

impl Tls {
    /// The authorities of these certificates in PEM; `None` if there is none in it, or a damaged one.
    pub fn of_pem(pem: &str) -> Option<Self> {
        let certificates =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().ok()?;
        (!certificates.is_empty()).then_some(Self::Authorities(certificates))
    }

    /// The authorities that this machine trusts.
    pub fn of_this_machine() -> Self {
        Self::Authorities(rustls_native_certs::load_native_certs().certs)
    }
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name or address of the server.
    pub host: String,
    /// 1527 at most servers.
    pub port: u16,
    /// The database as the server knows it: a name, or a path below `derby.system.home`.
    pub database: String,
    /// The user, without quotes.
    pub user: String,
    /// The user's password.
    pub password: Password,
    /// Whether to use TLS.
    pub tls: Tls,
    /// Sends the password readably to a server on another machine, too.
    pub allow_plain_password: bool,
    /// Lets the server make the database if there is none (`create=true`).
    pub create: bool,
    /// How long connecting, TLS and each half of the login may take.
    pub connect_timeout: Duration,
    /// How long the server may take for an answer. Derby itself waits up to a minute for a lock.
    pub answer_timeout: Duration,
    /// How many bytes an answer may have, and a query altogether.
    pub largest_answer: usize,
}

impl Options {
    /// A database on this server with a login by password; without TLS, so only to this very machine.
    pub fn new(host: &str, port: u16, database: &str, user: &str, password: impl Into<Password>) -> Self {
        Self {
            host: host.to_owned(),
            port,
            database: database.to_owned(),
            user: user.to_owned(),
            password: password.into(),
            tls: Tls::Off,
            allow_plain_password: false,
            create: false,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(90),
            largest_answer: 64 << 20,
        }
    }
}
