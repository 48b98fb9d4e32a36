//! Why a mail could not be handed over.

use crate::{Refused, Reply};

/// A fault, as a sentence for a person. Holds no address and no secret.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// No connection, or it broke. Passes by itself. Whether the server has the mail is not known if it
    /// broke after the mail's last byte.
    #[error("the mail server {server} cannot be reached, or broke the connection")]
    Unreachable {
        /// Host and port.
        server: String,
        /// What the system says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It answers too slowly. As [`Unreachable`](Self::Unreachable).
    #[error("the mail server {server} does not answer in time")]
    TooSlow {
        /// Host and port.
        server: String,
    },
    /// No encrypted connection that can be trusted.
    #[error(
        "the mail server {server} has no encrypted connection that can be trusted: {reason}; look at smtp.tls and \
         smtp.caCertificate"
    )]
    Tls {
        /// Host and port.
        server: String,
        /// What is wrong, in a clause.
        reason: String,
    },
    /// User or password are not taken, or no way to log in is offered.
    #[error("the mail server {server} does not take the login{}; look at smtp.user and smtp.password", said(.reply.as_ref()))]
    LoginRefused {
        /// Host and port.
        server: String,
        /// Its answer; `None`: it offers no login that is known here (PLAIN, LOGIN).
        reply: Option<Reply>,
    },
    /// It sends nothing for this sender.
    #[error(
        "the mail server {server} does not take mails from this sender ({reply}); look at from and at its relay rules"
    )]
    SenderRefused {
        /// Host and port.
        server: String,
        /// Its answer.
        reply: Reply,
    },
    /// It takes the mail for nobody.
    #[error(
        "the mail server {server} takes the mail for none of its {} recipients ({}); look at to", .refused.len(), first(.refused)
    )]
    RecipientsRefused {
        /// Host and port.
        server: String,
        /// Each of them, and why.
        refused: Vec<Refused>,
    },
    /// The mail is too big.
    #[error("the mail is too big for the mail server {server} ({reply})")]
    TooBig {
        /// Host and port.
        server: String,
        /// Its answer.
        reply: Reply,
    },
    /// It does not take the mail now. Passes by itself.
    #[error("the mail server {server} does not take the mail now ({reply})")]
    Temporary {
        /// Host and port.
        server: String,
        /// Its answer.
        reply: Reply,
    },
    /// It does not take the mail.
    #[error("the mail server {server} does not take the mail ({reply}); its log says why")]
    Permanent {
        /// Host and port.
        server: String,
        /// Its answer.
        reply: Reply,
    },
    /// The mail cannot be written down: an address or a header is none.
    #[error("the mail cannot be written: {0}")]
    Unwritable(&'static str),
}

impl MailError {
    /// True if it is this very mail that the server does not want, and another one may please it.
    pub const fn is_of_this_mail(&self) -> bool {
        // A recipient who is refused is so with every mail.
        matches!(self, Self::TooBig { .. } | Self::Permanent { .. } | Self::Unwritable(_))
    }

    /// True if time alone may mend it.
    pub fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TooSlow { .. } | Self::Temporary { .. } => true,
            Self::LoginRefused { reply: Some(reply), .. } | Self::SenderRefused { reply, .. } => {
                reply.is_temporary()
            }
            // Some of them may take it yet.
            Self::RecipientsRefused { refused, .. } => {
                refused.iter().any(|refused| refused.reply.is_temporary())
            }
            _ => false,
        }
    }
}

fn first(refused: &[Refused]) -> String {
    refused.first().map(|refused| refused.reply.to_string()).unwrap_or_default()
}

fn said(reply: Option<&Reply>) -> String {
    match reply {
        Some(reply) => format!(" ({reply})"),
        None => ": it offers neither PLAIN nor LOGIN on this connection".to_owned(),
    }
}
