//! Mails, handed to a mail server: SMTP (RFC 5321) with TLS, recipient by recipient.
//!
//! What [`Mailer::send`] answers for is in the server's hands: it said so after the last byte. A
//! connection that breaks before that answer leaves it open whether the server has the mail; whoever
//! sends again sends under the same `Message-ID`, so that the second can be told from a new one.
//!
//! Texts of errors hold no address: recipients are counted, and of a server's answer only its codes are
//! shown, since its words often repeat the address.

mod error;
mod mailer;
mod message;
mod reply;
mod session;

pub use error::MailError;
pub use mailer::{Accepted, Mailer, Refused};
pub use message::{Attachment, Message};
pub use reply::Reply;
