//! Handing the mails that wait to the mail servers. A server that is away holds up its own mails alone,
//! and loses none.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use delivery::Backoff;
use futures::{StreamExt as _, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use mail::{MailError, Mailer, Message};
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use runtime::Condition;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::beside::beside;

use super::{
    audience::Audience,
    mails::Waiting,
    memory::{Memory, MemoryError},
    text::Writer,
};

/// So long a mail is left to the replica that took it. A server that takes longer to answer is given up.
const TAKEN: Duration = Duration::from_secs(300);
/// So long a mail that its server is about to take is waited for when the service stops: whoever has got it
/// need not get it twice. Shorter than a service's drain.
const FINISH: Duration = Duration::from_secs(15);
/// So many mails that a server does not want are offered to it in one go.
const MOST_REFUSED: usize = 5;
/// So long a mail is offered to a server that does not want it.
const OFFERED: SignedDuration = SignedDuration::from_hours(3 * 24);
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

    /// Sends what is due to those of `everybody`, each `every` and when `written` rings, until `shutdown`;
    /// then lets end what has begun. Each audience by itself: a server that is away or slow holds up neither
    /// the mails of the others nor those who look.
    pub async fn run(
        &self,
        everybody: impl Fn() -> Vec<Audience>,
        every: Duration,
        written: &Notify,
        shutdown: &CancellationToken,
    ) {
        let (mut sending, mut busy) = (FuturesUnordered::new(), BTreeSet::new());
        let (mut problems, mut done) = (BTreeMap::new(), Vec::new());
        while !shutdown.is_cancelled() {
            let due = beside(self.due(&problems), &mut sending, &mut done).await;
            for (id, outcome) in done.drain(..) {
                busy.remove(&id);
                note(&mut problems, id, outcome);
            }
            match due {
                Ok(due) => {
                    problems.retain(|audience, _| due.contains_key(audience));
                    let audiences = everybody();
                    for (id, mails) in due {
                        if busy.insert(id.clone()) {
                            let audience = audiences.iter().find(|audience| audience.id == id).cloned();
                            sending.push(async move {
                                let outcome = self.send_to(audience.as_ref(), mails, shutdown).await;
                                (id, outcome)
                            });
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "mails about faults are sent later"),
            }
            let mut rest = std::pin::pin!(tokio::time::sleep(every));
            loop {
                tokio::select! {
                    Some((id, outcome)) = sending.next() => {
                        busy.remove(&id);
                        note(&mut problems, id, outcome);
                    }
                    () = &mut rest => break,
                    () = written.notified() => break,
                    () = shutdown.cancelled() => break,
                }
            }
        }
        let all = async { while sending.next().await.is_some() {} };
        if tokio::time::timeout(FINISH, all).await.is_err() {
            tracing::warn!(
                "a mail server has not said whether it has a mail: it gets it again after the next start"
            );
        }
    }

    /// The mails that wait, by audience; shows how many they are, and what keeps them.
    async fn due(
        &self,
        problems: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, Vec<Waiting>>, MemoryError> {
        let left = self.memory.waiting().await?;
        self.waiting.set(i64::try_from(left.len()).unwrap_or(i64::MAX));
        match (left.first(), problems.first_key_value()) {
            (Some(oldest), Some((audience, problem))) => self.condition.set_degraded(format!(
                "{} mails about faults wait, the oldest since {}: {audience}: {problem}",
                left.len(),
                oldest.created.strftime("%Y-%m-%d %H:%M UTC"),
            )),
            _ => self.condition.set_ok(),
        }
        let mut mails: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
        for mail in left {
            mails.entry(mail.audience.clone()).or_default().push(mail);
        }
        Ok(mails)
    }

    /// Sends one audience's mails in their order. The first that its server does not take keeps the others;
    /// one that it refuses for what it is keeps none.
    async fn send_to(
        &self,
        audience: Option<&Audience>,
        mails: Vec<Waiting>,
        shutdown: &CancellationToken,
    ) -> Result<Option<Attempt>, MemoryError> {
        let (mut last, mut refused) = (None, 0);
        for mail in mails {
            if shutdown.is_cancelled() {
                break;
            }
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
                if mail.refused {
                    continue;
                }
                // Not due, or another replica sends it; what comes behind it waits with it.
                break;
            }
            match self.hand_over(audience, &mail).await? {
                Attempt::Sent => last = Some(Attempt::Sent),
                Attempt::Refused(problem) => {
                    last = Some(Attempt::Refused(problem));
                    refused += 1;
                    // A server that refuses one after the other is not asked for all of them now.
                    if refused >= MOST_REFUSED {
                        break;
                    }
                }
                failed @ Attempt::Failed(_) => return Ok(Some(failed)),
            }
        }
        Ok(last)
    }

    async fn hand_over(&self, audience: &Audience, mail: &Waiting) -> Result<Attempt, MemoryError> {
        let email = &audience.email;
        let domain = email.from.rsplit_once('@').map_or("callseal", |(_, domain)| domain);
        let dropped = self.memory.dropped(&audience.id).await?;
        let text = match dropped {
            0 => mail.body.clone(),
            _ => Writer::new(audience.language, audience.zone.clone()).after_dropped(&mail.body, dropped),
        };
        let message = Message {
            from: email.from.clone(),
            to: email.to.clone(),
            subject: mail.subject.clone(),
            text,
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
                if dropped > 0 {
                    self.memory.told_of_dropped(&audience.id, dropped).await?;
                }
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
                self.put_back(audience, mail, "the mail server takes it for some recipients later", false)
                    .await
            }
            Err(error) if error.is_of_this_mail() => {
                if Timestamp::now().duration_since(mail.created) > OFFERED {
                    tracing::warn!(audience = audience.id, about = mail.about, "a mail is given up: {error}");
                    self.memory.give_up(mail).await?;
                    return Ok(Attempt::Refused(error.to_string()));
                }
                self.put_back(audience, mail, &error.to_string(), true).await
            }
            Err(error) => self.put_back(audience, mail, &error.to_string(), false).await,
        }
    }

    async fn put_back(
        &self,
        audience: &Audience,
        mail: &Waiting,
        problem: &str,
        refused: bool,
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
        self.memory.put_back(mail, Timestamp::now() + wait, refused).await?;
        let problem = problem.to_owned();
        Ok(if refused { Attempt::Refused(problem) } else { Attempt::Failed(problem) })
    }
}

/// What keeps whose mails, for `/readyz`.
fn note(
    problems: &mut BTreeMap<String, String>,
    audience: String,
    outcome: Result<Option<Attempt>, MemoryError>,
) {
    match outcome {
        Ok(Some(Attempt::Failed(problem) | Attempt::Refused(problem))) => {
            problems.insert(audience, problem);
        }
        Ok(Some(Attempt::Sent)) => drop(problems.remove(&audience)),
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, audience, "mails about faults are sent later"),
    }
}

/// How an attempt went.
enum Attempt {
    Sent,
    /// The server does not want this very mail.
    Refused(String),
    /// It takes none now.
    Failed(String),
}
