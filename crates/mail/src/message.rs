//! A mail, and how it is written down (RFC 5322, MIME).

use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use lettre::{
    Address,
    message::{
        Attachment as Part, Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
    },
};

use crate::MailError;

/// A mail.
#[derive(Clone)]
pub struct Message {
    /// The sender's address, without a name.
    pub from: String,
    /// The addresses of the recipients; all of them see all.
    pub to: Vec<String>,
    /// One line.
    pub subject: String,
    /// What it says; lines end with `\n`.
    pub text: String,
    /// What is attached.
    pub attachments: Vec<Attachment>,
    /// What tells it from every other mail, `x@y` without the angle brackets. The same mail sent again
    /// has the same.
    pub message_id: String,
    /// When it was written.
    pub date: Timestamp,
}

/// A file attached to a mail.
#[derive(Clone)]
pub struct Attachment {
    /// Its name; sensitive.
    pub name: String,
    /// `audio/wav`.
    pub content_type: &'static str,
    /// What it holds.
    pub content: Bytes,
}

/// Nobody's automatic answer is wanted (RFC 3834).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

impl Message {
    /// The mail as it goes over the line, before dots are doubled.
    pub(crate) fn written(&self) -> Result<Vec<u8>, MailError> {
        let unwritable = MailError::Unwritable;
        let mut builder = lettre::Message::builder()
            .from(Mailbox::new(None, address(&self.from)?))
            .subject(one_line(&self.subject))
            .message_id(Some(format!("<{}>", one_line(&self.message_id))))
            .date(SystemTime::from(self.date))
            .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()));
        for to in &self.to {
            builder = builder.to(Mailbox::new(None, address(to)?));
        }
        let text = SinglePart::plain(self.text.clone());
        let written = if self.attachments.is_empty() {
            builder.singlepart(text)
        } else {
            let mut parts = MultiPart::mixed().singlepart(text);
            for attachment in &self.attachments {
                let kind = ContentType::parse(attachment.content_type)
                    .map_err(|_| unwritable("an attachment's type is none"))?;
                let body =
                    Body::new_with_encoding(attachment.content.to_vec(), ContentTransferEncoding::Base64)
                        .map_err(|_| unwritable("an attachment cannot be encoded"))?;
                parts = parts.singlepart(Part::new(attachment.name.clone()).body(body, kind));
            }
            builder.multipart(parts)
        };
        written.map(|message| message.formatted()).map_err(|_| unwritable("it lacks a sender or a recipient"))
    }
}

pub(crate) fn address(text: &str) -> Result<Address, MailError> {
    text.parse().map_err(|_| MailError::Unwritable("an address is none"))
}

/// A header must not become two.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            from: "callseal@acme.example".into(),
            to: vec!["a@acme.example".into(), "b@acme.example".into()],
            subject: "Gespräch\r\nBcc: c@acme.example".into(),
            text: "Grüße\n".into(),
            attachments: vec![],
            message_id: "1@callseal".into(),
            date: "2026-11-22T10:00:00Z".parse().unwrap(),
        }
    }

    fn written(message: &Message) -> String {
        String::from_utf8(message.written().unwrap()).unwrap()
    }

    #[test]
    fn a_mail_is_ascii_and_no_text_becomes_a_header() {
        let text = written(&message());
        assert!(text.is_ascii(), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
        for header in [
            "Message-ID: <1@callseal>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "To: a@acme.example, b@acme.example\r\n",
        ] {
            assert!(text.contains(header), "{header} in {text}");
        }
    }

    #[test]
    fn attachments_keep_their_names_and_bytes() {
        let name = "20261122-091530_in_+4970_\"ü\".wav".to_owned();
        let content = Bytes::from_static(&[0, 255, 13, 10, 46]);
        let attachments = vec![Attachment { name, content_type: "audio/wav", content }];
        let text = written(&Message { attachments, ..message() });
        assert!(text.contains("Content-Type: audio/wav") && text.contains("AP8NCi4="), "{text}");
        assert!(text.is_ascii() && text.contains("filename"), "{text}");
    }
}
