//! Handing the mails that wait to the mail servers. A server that is away holds up its own mails alone,
//! and loses none.

use std::{collections::BTreeMap, time::Duration};

use delivery::Backoff;
use jiff::{SignedDuration, Timestamp};
use mail::{MailError, Mailer, Message};
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use runtime::Condition;

use super::{
    audience::Audience,
    memory::{Memory, MemoryError, Waiting},
};

/// So long a mail is left to the replica that took it. A server that takes longer to answer is given up.
const TAKEN: Duration = Duration::from_secs(300);
/// So long a mail waits for somebody being named again who gets it.
const NOBODY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Sends mails.
pub struct Post {
    memory: Memory,
    retry: Backoff,
    condition: Condition,
    waiting: IntGauge,
    sent: IntCounterVec,
    failed: IntCounterVec,
}

impl Post {
    /// Those of `memory`; `condition` shows what keeps them. Registers
    /// `callseal_shipper_notifications_waiting`, `_sent_total` and `_failed_total`.
    ///
    /// # Errors
    /// A name of the metrics is taken.
    pub fn new(
        memory: Memory,
        retry: Backoff,
        condition: Condition,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let waiting = IntGauge::new(
            "callseal_shipper_notifications_waiting",
            "Mails about faults that are not sent yet.",
        )?;
        let sent = Opts::new(
            "callseal_shipper_notifications_sent_total",
            "Mails about faults that a mail server took, by what they are about: start, over, digest, ends.",
        );
        let sent = IntCounterVec::new(sent, &["about"])?;
        let failed = Opts::new(
            "callseal_shipper_notifications_failed_total",
            "Attempts to send a mail about a fault that failed, by audience.",
        );
        let failed = IntCounterVec::new(failed, &["audience"])?;
        registry.register(Box::new(waiting.clone()))?;
        registry.register(Box::new(sent.clone()))?;
        registry.register(Box::new(failed.clone()))?;
        condition.set_ok();
        Ok(Self { memory, retry, condition, waiting, sent, failed })
    }

    /// Sends what is due to those of `audiences`.
    ///
    /// # Errors
    /// The state database cannot be used; what was not sent waits.
    pub async fn send(&self, audiences: &[Audience], problems: &mut Problems) -> Result<(), MemoryError> {
        let mut mails: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
        for mail in self.memory.waiting().await? {
            mails.entry(mail.audience.clone()).or_default().push(mail);
        }
        problems.0.retain(|audience, _| mails.contains_key(audience));
        // Side by side: a server that is away does not hold up the mails to the others.
        let each = mails.into_iter().map(|(id, mails)| async move {
            let audience = audiences.iter().find(|audience| audience.id == id);
            (id, self.send_to(audience, mails).await)
        });
        for (id, outcome) in futures::future::join_all(each).await {
            match outcome? {
                Some(Attempt::Failed(problem)) => drop(problems.0.insert(id, problem)),
                Some(Attempt::Sent) => drop(problems.0.remove(&id)),
                None => {}
            }
        }
        let left = self.memory.waiting().await?;
        self.waiting.set(i64::try_from(left.len()).unwrap_or(i64::MAX));
        match (left.first(), problems.0.first_key_value()) {
            (Some(oldest), Some((audience, problem))) => self.condition.set_degraded(format!(
                "{} mails about faults wait, the oldest since {}: {audience}: {problem}",
                left.len(),
                oldest.created.strftime("%Y-%m-%d %H:%M UTC"),
            )),
            _ => self.condition.set_ok(),
        }
        Ok(())
    }

    /// Sends one audience's mails in their order; the first that fails keeps the others.
    async fn send_to(
        &self,
        audience: Option<&Audience>,
        mails: Vec<Waiting>,
    ) -> Result<Option<Attempt>, MemoryError> {
        let mut last = None;
        for mail in mails {
            let now = Timestamp::now();
            let Some(audience) = audience else {
                if now.duration_since(mail.created) > NOBODY {
                    tracing::warn!(
                        audience = mail.audience,
                        about = mail.about,
                        "nobody is named who gets this mail"
                    );
                    self.memory.forget(&mail).await?;
                }
                continue;
            };
            if !self.memory.take(&mail, now + TAKEN, now).await? {
                // Not due, or another replica sends it; what comes behind it waits with it.
                break;
            }
            match self.hand_over(audience, &mail).await? {
                Attempt::Sent => last = Some(Attempt::Sent),
                failed => return Ok(Some(failed)),
            }
        }
        Ok(last)
    }

    async fn hand_over(&self, audience: &Audience, mail: &Waiting) -> Result<Attempt, MemoryError> {
        let email = &audience.email;
        let domain = email.from.rsplit_once('@').map_or("callseal", |(_, domain)| domain);
        let message = Message {
            from: email.from.clone(),
            to: email.to.clone(),
            subject: mail.subject.clone(),
            text: mail.body.clone(),
            attachments: Vec::new(),
            message_id: format!("{}@{domain}", mail.message_id),
            date: mail.created,
        };
        let open: Vec<usize> = (0..email.to.len()).filter(|i| !mail.has(&email.to[*i])).collect();
        if open.is_empty() {
            self.memory.forget(mail).await?;
            return Ok(Attempt::Sent);
        }
        let sending = Mailer::new(email.smtp.clone());
        let outcome = tokio::time::timeout(TAKEN / 2, sending.send_to(&message, &open)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(MailError::TooSlow { server: email.smtp.host.clone() }));
        match outcome {
            Ok(accepted) => {
                self.sent.with_label_values(&[mail.about.as_str()]).inc();
                let later = accepted.refused.iter().filter(|refused| refused.reply.is_temporary()).count();
                for refused in accepted.refused.iter().filter(|refused| !refused.reply.is_temporary()) {
                    let (audience, reply) = (audience.id.as_str(), &refused.reply);
                    tracing::warn!(audience, %reply, position = refused.recipient, "a recipient is refused: look at to");
                }
                if later == 0 {
                    self.memory.forget(mail).await?;
                    return Ok(Attempt::Sent);
                }
                let later = accepted.refused.iter().filter(|refused| refused.reply.is_temporary());
                let later: Vec<&str> = later.map(|refused| email.to[refused.recipient].as_str()).collect();
                let done = email.to.iter().map(String::as_str).filter(|address| !later.contains(address));
                self.memory.note_got(mail, &done.collect::<Vec<_>>()).await?;
                self.put_back(audience, mail, "the mail server takes it for some recipients later").await
            }
            Err(error) => self.put_back(audience, mail, &error.to_string()).await,
        }
    }

    async fn put_back(
        &self,
        audience: &Audience,
        mail: &Waiting,
        problem: &str,
    ) -> Result<Attempt, MemoryError> {
        self.failed.with_label_values(&[audience.id.as_str()]).inc();
        if mail.attempts == 0 {
            tracing::warn!(
                audience = audience.id,
                about = mail.about,
                "a mail about a fault waits: {problem}"
            );
        }
        let wait = self.retry.wait(mail.attempts.saturating_add(1), rand::random());
        self.memory.put_back(mail, Timestamp::now() + wait).await?;
        Ok(Attempt::Failed(problem.to_owned()))
    }
}

/// What keeps whose mails, for `/readyz`.
#[derive(Debug, Default)]
pub struct Problems(BTreeMap<String, String>);

/// How an attempt went.
enum Attempt {
    Sent,
    Failed(String),
}
