//! One connection to a mail server, from its greeting to QUIT.
//!
//! lettre's connection is spoken to command by command: its own way to send a mail gives up at the first
//! recipient that is refused.

use std::{error::Error as _, io, time::Duration};

use domain::resources::{SmtpServer, SmtpTls};
use lettre::transport::smtp::{
    Error,
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
    commands::{Data, Mail, Rcpt},
    extension::{ClientId, MailParameter},
};

use crate::{MailError, Reply, message::address};

/// To connect, and for the TLS handshake.
const CONNECT: Duration = Duration::from_secs(30);
/// For the answer to a command; RFC 5321 § 4.5.3.2 grants a server five minutes.
const ANSWER: Duration = Duration::from_secs(300);
/// For the content, up to the server's word that it has it: ten minutes (§ 4.5.3.2.6), and what a slow
/// line takes for the most that a mail carries.
const CONTENT: Duration = Duration::from_secs(1_800);
/// For a farewell that nothing depends on.
const FAREWELL: Duration = Duration::from_secs(2);

pub(crate) struct Session {
    /// Host and port.
    name: String,
    connection: AsyncSmtpConnection,
    /// The server takes the size of a mail beforehand (RFC 1870).
    takes_size: bool,
}

/// Why an exchange failed.
enum Failure {
    Slow,
    Smtp(Error),
}

impl Session {
    /// Connects, encrypts and logs in as the description says.
    pub(crate) async fn open(server: &SmtpServer) -> Result<Self, MailError> {
        let name = format!("{}:{}", server.host, server.port);
        let tls = match server.tls {
            SmtpTls::Off => None,
            SmtpTls::Required | SmtpTls::StartTls => {
                Some(tls_parameters(server).await.map_err(|error| MailError::Tls {
                    server: name.clone(),
                    reason: reason_of(&error, "the certificates cannot be used"),
                })?)
            }
        };
        let at_once = tls.clone().filter(|_| server.tls == SmtpTls::Required);
        let hello = ClientId::default();
        let connecting = AsyncSmtpConnection::connect_tokio1(
            (server.host.as_str(), server.port),
            Some(CONNECT),
            &hello,
            at_once,
            None,
        );
        let connection = within(CONNECT, connecting).await.map_err(|failure| failure.told(&name))?;
        let mut session = Self { name, connection, takes_size: true };
        if let Some(tls) = tls.filter(|_| server.tls == SmtpTls::StartTls) {
            session.encrypt(tls, &hello).await?;
        }
        if let Some(login) = &server.login {
            session.log_in(&login.user, &login.password).await?;
        }
        Ok(session)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    async fn encrypt(&mut self, tls: TlsParameters, hello: &ClientId) -> Result<(), MailError> {
        if !self.connection.can_starttls() {
            let reason = "it does not offer STARTTLS".to_owned();
            return Err(MailError::Tls { server: self.name.clone(), reason });
        }
        let encrypted = within(CONNECT, self.connection.starttls(tls, hello)).await;
        encrypted.map_err(|failure| failure.told(&self.name))
    }

    async fn log_in(
        &mut self,
        user: &domain::Sensitive<String>,
        password: &domain::Sensitive<String>,
    ) -> Result<(), MailError> {
        let credentials = Credentials::new(user.expose().clone(), password.expose().clone());
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        let server = self.name.clone();
        match within(ANSWER, self.connection.auth(&mechanisms, &credentials)).await {
            Ok(_) => Ok(()),
            Err(Failure::Smtp(error)) if error.is_client() => {
                Err(MailError::LoginRefused { server, reply: None })
            }
            Err(Failure::Smtp(error)) if error.status().is_some() => {
                Err(MailError::LoginRefused { server, reply: Reply::of(&error) })
            }
            Err(failure) => Err(failure.told(&server)),
        }
    }

    /// Says whom a mail of `size` bytes is from.
    pub(crate) async fn sender(&mut self, from: &str, size: usize) -> Result<(), MailError> {
        let from = address(from)?;
        let parameters = if self.takes_size { vec![MailParameter::Size(size)] } else { Vec::new() };
        match within(ANSWER, self.connection.command(Mail::new(Some(from.clone()), parameters))).await {
            Ok(_) => Ok(()),
            Err(failure) => match failure.reply() {
                // 555 and 501: it does not know the parameter. Those that do not need not be asked in advance.
                Some(reply) if self.takes_size && matches!(reply.code, 501 | 504 | 555) => {
                    self.takes_size = false;
                    Box::pin(self.sender(from.as_ref(), size)).await
                }
                Some(reply) if reply.is_too_big() => Err(self.too_big(reply)),
                Some(reply) => Err(MailError::SenderRefused { server: self.name.clone(), reply }),
                None => Err(failure.told(&self.name)),
            },
        }
    }

    /// Says whom it is for; the server's refusal of this one.
    pub(crate) async fn recipient(&mut self, to: &str) -> Result<Option<Reply>, MailError> {
        let to = address(to)?;
        match within(ANSWER, self.connection.command(Rcpt::new(to, Vec::new()))).await {
            Ok(_) => Ok(None),
            Err(failure) => match failure.reply() {
                // 421: the server says good-bye to all.
                Some(reply) if reply.code != 421 => Ok(Some(reply)),
                _ => Err(failure.told(&self.name)),
            },
        }
    }

    /// Sends the mail itself.
    pub(crate) async fn content(&mut self, written: &[u8]) -> Result<(), MailError> {
        let sent = match within(ANSWER, self.connection.command(Data)).await {
            Ok(_) => within(CONTENT, self.connection.message(written)).await,
            refused => refused,
        };
        match sent {
            Ok(_) => Ok(()),
            Err(failure) => match failure.reply() {
                Some(reply) if reply.is_too_big() => Err(self.too_big(reply)),
                _ => Err(failure.told(&self.name)),
            },
        }
    }

    fn too_big(&self, reply: Reply) -> MailError {
        MailError::TooBig { server: self.name.clone(), reply }
    }

    /// Says good-bye.
    pub(crate) async fn close(mut self) {
        // What had to be answered for was.
        let _farewell = within(FAREWELL, self.connection.quit()).await;
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome.map_err(Failure::Smtp),
        Err(_) => Err(Failure::Slow),
    }
}

impl Failure {
    fn reply(&self) -> Option<Reply> {
        match self {
            Self::Slow => None,
            Self::Smtp(error) => Reply::of(error),
        }
    }

    fn told(self, name: &str) -> MailError {
        let server = name.to_owned();
        let error = match self {
            Self::Smtp(error) if !error.is_timeout() => error,
            Self::Smtp(_) | Self::Slow => return MailError::TooSlow { server },
        };
        if let Some(reason) = untrusted(&error) {
            return MailError::Tls { server, reason };
        }
        match Reply::of(&error) {
            Some(reply) if reply.is_temporary() => MailError::Temporary { server, reply },
            Some(reply) => MailError::Permanent { server, reply },
            None => MailError::Unreachable { server, source: Box::new(WithoutWords::of(&error)) },
        }
    }
}

/// What the system said of a connection. What the server said is not repeated: it may hold addresses.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WithoutWords(String);

impl WithoutWords {
    fn of(error: &Error) -> Self {
        let mut source = error.source();
        while let Some(cause) = source {
            if let Some(io) = cause.downcast_ref::<io::Error>() {
                return Self(io.to_string());
            }
            source = cause.source();
        }
        Self("the conversation broke off".to_owned())
    }
}

/// Why rustls does not trust the connection, if it is that.
fn untrusted(error: &Error) -> Option<String> {
    let mut source = error.source();
    while let Some(cause) = source {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(tls) = tls.or_else(|| cause.downcast_ref()) {
            return Some(tls.to_string());
        }
        source = cause.source();
    }
    error.is_tls().then(|| reason_of(error, "the handshake failed"))
}

fn reason_of(error: &Error, otherwise: &str) -> String {
    error.source().map_or_else(|| otherwise.to_owned(), ToString::to_string)
}

/// The machine's certificates are read each time: somebody may have added one.
async fn tls_parameters(server: &SmtpServer) -> Result<TlsParameters, Error> {
    let (host, ca) = (server.host.clone(), server.ca_certificate.clone());
    let built = tokio::task::spawn_blocking(move || {
        let mut builder = TlsParameters::builder(host);
        if let Some(pem) = ca {
            builder = builder
                .certificate_store(CertificateStore::None)
                .add_root_certificate(Certificate::from_pem(pem.as_bytes())?);
        }
        builder.build()
    });
    built.await.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}
