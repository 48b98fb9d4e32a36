//! Mailboxes: each recording becomes a mail, its files attached (F-85).
//!
//! Order, and what a crash leaves behind:
//! 1. the mail goes to those who do not have it. Crash once the server has it: it is sent again, and with
//!    the same `Message-ID`, which says of which recording and target it is;
//! 2. who has it is remembered, before anything else happens. Crash: they are left out;
//! 3. only when everybody has it, or was refused for good, is the recording handed over.

mod letter;
mod memory;
mod text;

use async_trait::async_trait;
use domain::resources::{EmailTarget, tenant::notifications::Language};
use jiff::Timestamp;
use mail::{Accepted, MailError, Mailer, Message, Refused};

use crate::{Dispatch, ErrorKind, HandedOver, Parcel, TargetError, Tested};
use letter::Letter;
use memory::Memory;

/// Sends recordings as mails.
pub struct Email {
    target: EmailTarget,
    mailer: Mailer,
}

impl Email {
    /// To those that the target names.
    pub fn new(target: EmailTarget) -> Self {
        let mailer = Mailer::new(target.smtp.clone());
        Self { target, mailer }
    }

    /// Sends to those who do not have it yet; notes in `memory` who has it now.
    async fn send(&self, letter: &Letter, parcel: &Parcel, memory: &mut Memory) -> Result<(), MailError> {
        let waiting = memory.waiting(&self.target.to);
        if waiting.is_empty() {
            return Ok(());
        }
        let Accepted { recipients, refused } = self.mailer.send_to(&letter.message, &waiting).await?;
        for recipient in recipients {
            memory.has(&self.target.to[recipient]);
        }
        self.note_refused(&refused, memory);
        memory.keep(&*parcel.memory).await;
        Ok(())
    }

    /// Whoever is refused for good is not asked for again.
    fn note_refused(&self, refused: &[Refused], memory: &mut Memory) {
        for refused in refused.iter().filter(|refused| !refused.reply.is_temporary()) {
            memory.refused(&self.target.to[refused.recipient], &refused.reply.to_string());
        }
    }

    /// What is told when all was tried.
    fn outcome(&self, letter: &Letter, memory: &Memory) -> Result<HandedOver, TargetError> {
        let (all, later) = (self.target.to.len(), memory.waiting(&self.target.to));
        if !later.is_empty() {
            let sentence = format!(
                "{} of {all} recipients do not take the mail for now: {}; the others have it and do not get it again",
                later.len(),
                positions(&later)
            );
            return Err(TargetError::new(ErrorKind::Refused, sentence));
        }
        let refused = memory.refusals(&self.target.to);
        let complaint = (!refused.is_empty()).then(|| {
            let each: Vec<String> =
                refused.iter().map(|(position, reply)| format!("email.to[{position}] ({reply})")).collect();
            format!(
                "the mail server refused {} of {all} recipients for good: {}; the others have the mail",
                refused.len(),
                each.join(", ")
            )
        });
        let how = if letter.has_audio {
            "handed to the mail server"
        } else {
            "handed to the mail server without its audio"
        };
        Ok(HandedOver { how: how.to_owned(), complaint, said: None })
    }
}

#[async_trait]
impl Dispatch for Email {
    async fn dispatch(&self, parcel: &Parcel) -> Result<HandedOver, TargetError> {
        let mut memory = Memory::load(&*parcel.memory).await;
        let mut letter = Letter::write(&self.target, parcel, memory.without_audio).await?;
        let sent = match self.send(&letter, parcel, &mut memory).await {
            Err(MailError::TooBig { .. }) if letter.has_audio => {
                // The same mail cannot be with some and without others: whoever has it, has it with audio.
                memory.without_audio = Some(letter::Reason::TooBigForServer);
                memory.keep(&*parcel.memory).await;
                drop(letter);
                letter = Letter::write(&self.target, parcel, memory.without_audio).await?;
                self.send(&letter, parcel, &mut memory).await
            }
            sent => sent,
        };
        match sent {
            Ok(()) => self.outcome(&letter, &memory),
            // Nobody more has it now; others have it, or some may take it yet.
            Err(MailError::RecipientsRefused { refused, server }) => {
                // Refused by all for good, it is the target that somebody has to mend.
                if memory.somebody_has_it() || refused.iter().any(|refused| refused.reply.is_temporary()) {
                    self.note_refused(&refused, &mut memory);
                    memory.keep(&*parcel.memory).await;
                }
                if memory.somebody_has_it() {
                    self.outcome(&letter, &memory)
                } else {
                    Err(told(MailError::RecipientsRefused { refused, server }))
                }
            }
            Err(error) => Err(told(error)),
        }
    }

    async fn test(&self, _run: bool) -> Result<Tested, TargetError> {
        let now = Timestamp::now();
        let (subject, text) = text::of_test(Language::default());
        let message = Message {
            from: self.target.from.clone(),
            to: self.target.to.clone(),
            subject: subject.to_owned(),
            text: text.to_owned(),
            attachments: Vec::new(),
            message_id: format!("test.{}.{}@callseal", now.as_nanosecond(), std::process::id()),
            date: now,
        };
        let accepted = self.mailer.send(&message).await.map_err(told)?;
        if accepted.refused.is_empty() {
            let done = "the mail server took a test mail for every recipient";
            return Ok(Tested { done, said: String::new() });
        }
        let each: Vec<String> = accepted
            .refused
            .iter()
            .map(|refused| format!("email.to[{}] ({})", refused.recipient, refused.reply))
            .collect();
        let sentence =
            format!("the mail server took a test mail for the others, but not for {}", each.join(", "));
        Err(TargetError::new(ErrorKind::Denied, sentence))
    }
}

/// By their places in the configuration: addresses stand in no text.
fn positions(recipients: &[usize]) -> String {
    recipients.iter().map(|position| format!("email.to[{position}]")).collect::<Vec<_>>().join(", ")
}

fn told(error: MailError) -> TargetError {
    let kind = match &error {
        MailError::Unreachable { .. } | MailError::TooSlow { .. } => ErrorKind::Unreachable,
        // As a host key that is not the pinned one: somebody has to look.
        MailError::Tls { .. } => ErrorKind::HostKeyChanged,
        MailError::Unwritable(_) => ErrorKind::Incomplete,
        _ if error.passes() => ErrorKind::Busy,
        MailError::LoginRefused { .. } => ErrorKind::LoginRefused,
        MailError::SenderRefused { .. } | MailError::RecipientsRefused { .. } => ErrorKind::Denied,
        // What it does not like about this mail may please it in the next.
        MailError::TooBig { .. } | MailError::Temporary { .. } | MailError::Permanent { .. } => {
            ErrorKind::Refused
        }
    };
    let sentence = error.to_string();
    let told = TargetError::new(kind, sentence);
    match error {
        MailError::Unreachable { source, .. } => told.caused_by(source),
        _ => told,
    }
}
