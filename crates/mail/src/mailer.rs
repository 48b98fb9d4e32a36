//! Handing mails to a server.

use domain::resources::SmtpServer;

use crate::{MailError, Message, Reply, session::Session};

/// Hands mails to a mail server, each over a connection of its own.
#[derive(Debug, Clone)]
pub struct Mailer {
    server: SmtpServer,
}

/// A mail is in the server's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The positions in [`Message::to`] for which it took the mail.
    pub recipients: Vec<usize>,
    /// Those for which it did not.
    pub refused: Vec<Refused>,
}

/// A recipient for whom a server did not take a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The position in [`Message::to`].
    pub recipient: usize,
    /// What it answered.
    pub reply: Reply,
}

impl Mailer {
    /// To this server; nothing is contacted yet.
    pub const fn new(server: SmtpServer) -> Self {
        Self { server }
    }

    /// Sends a mail to all its recipients. Those whom the server refuses do not keep it from the others.
    ///
    /// # Errors
    /// See [`MailError`]: nobody has it, as far as that can be known.
    pub async fn send(&self, message: &Message) -> Result<Accepted, MailError> {
        let all: Vec<usize> = (0..message.to.len()).collect();
        self.send_to(message, &all).await
    }

    /// Sends a mail to those recipients alone that stand at these positions of [`Message::to`].
    ///
    /// # Errors
    /// See [`MailError`]: nobody has got it now, as far as that can be known.
    pub async fn send_to(&self, message: &Message, recipients: &[usize]) -> Result<Accepted, MailError> {
        let written = message.written()?;
        let mut session = Session::open(&self.server).await?;
        session.sender(&message.from, written.len()).await?;
        let mut accepted = Accepted { recipients: Vec::new(), refused: Vec::new() };
        for position in recipients.iter().copied() {
            let Some(address) = message.to.get(position) else { continue };
            match session.recipient(address).await? {
                None => accepted.recipients.push(position),
                Some(reply) => accepted.refused.push(Refused { recipient: position, reply }),
            }
        }
        if accepted.recipients.is_empty() {
            let server = session.name().to_owned();
            session.close().await;
            if accepted.refused.is_empty() {
                return Err(MailError::Unwritable("it has no recipient"));
            }
            return Err(MailError::RecipientsRefused { server, refused: accepted.refused });
        }
        session.content(&written).await?;
        session.close().await;
        Ok(accepted)
    }

    /// Connects and logs in, and sends nothing.
    ///
    /// # Errors
    /// See [`MailError`].
    pub async fn log_in(&self) -> Result<(), MailError> {
        Session::open(&self.server).await?.close().await;
        Ok(())
    }
}
