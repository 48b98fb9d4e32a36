//! Tells people what is wrong, by mail: once when it starts, a digest while it lasts, once when it is
//! over (F-82); what ends (F-77); that staging fills up (F-83).
//!
//! ```text
//! targets, journals, logs, the bus, staging: asked ──┐
//! EVENTS: faults that services report ──► reports ───┴─► outlook ─► episode (pure) ─► mails ─► post
//! ```
//!
//! What is wrong is asked again and again rather than heard once, so no lost message leaves a fault
//! untold or never over. What people were told is in SQL, see [`memory`].

mod access;
mod audience;
mod episode;
mod mails;
mod memory;
mod observed;
mod options;
mod outlook;
mod post;
mod reports;
mod stage;
mod text;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bus::Bus;
use config::Watched;
use delivery::{Backoff, Destination, Reporter, WorkList};
use jiff::Timestamp;
use runtime::Service;
use sql::{Database, Transaction};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub use audience::OperatorArgs;
pub use options::NotifyArgs;

use crate::{
    ROLE,
    archive::{Archive, Comparer},
    open_targets::OpenTargets,
    quota::Room,
    staging::Staging,
};
use access::{Access, Ending};
use audience::{Audience, everybody};
use episode::{Episode, Patience, Say, digest_is_due, step};
use memory::{Memory, MemoryError};
use observed::{Key, Kind, Outlook};
use outlook::Here;
use post::Post;
use stage::{Stage, is_news};
use text::Writer;

/// Targets are asked so often when their access ends.
const ASK_EVERY: Duration = Duration::from_secs(24 * 3600);
/// Reports that are noted together.
const BATCH: usize = 64;
const GATHER: Duration = Duration::from_millis(200);
/// Pause after a fault of the state database.
const RETRY: Duration = Duration::from_secs(2);
/// Whom events about endings are for: they are told as mails are, once each.
const EVENTS: &str = "events";

/// What the notifications are made of.
pub struct Parts {
    /// How they are set.
    pub args: NotifyArgs,
    /// The shipper's state.
    pub db: Database,
    /// Its orders.
    pub list: WorkList,
    /// Its targets.
    pub targets: Arc<OpenTargets>,
    /// Staging, for the certificates in it.
    pub staging: Staging,
    /// Who is told, and which targets there are.
    pub config: Watched,
    /// Where services are asked, and heard.
    pub bus: Bus,
    /// Tells events.
    pub reporter: Reporter,
    /// How often a mail is tried again.
    pub retry: Backoff,
    /// How full staging is.
    pub room: watch::Receiver<Option<Room>>,
    /// Deletions, and the clock.
    pub archive: Archive,
    /// What targets and the archive index do not agree about.
    pub comparer: Comparer,
}

/// Tells people.
pub struct Notifier {
    memory: Memory,
    access: Access,
    post: Post,
    operator: Option<Audience>,
    patience: Patience,
    every: Duration,
    digest: Option<Duration>,
    config: Watched,
    bus: Bus,
    reporter: Reporter,
    room: watch::Receiver<Option<Room>>,
    archive: Archive,
    comparer: Comparer,
    /// Rings when mails were written.
    written: Notify,
}

impl Notifier {
    /// Made of these parts, with metrics and the condition `notifications` of `service`.
    ///
    /// # Errors
    /// The flags cannot be used, or the state database.
    pub async fn new(parts: Parts, service: &Service) -> anyhow::Result<Self> {
        let Parts { args, db, list, targets, staging, config, bus, reporter, retry, room, archive, comparer } =
            parts;
        let memory = Memory::open(db, args.notify_most_waiting).await?;
        let post = Post::new(memory.clone(), retry, service.condition("notifications"), service.registry())?;
        Ok(Self {
            access: Access::new(list, targets, staging, service.registry())?,
            operator: args.operator.audience().context("mails to the operator")?,
            patience: args.patience()?,
            every: args.every()?,
            digest: args.digest()?,
            memory,
            post,
            config,
            bus,
            reporter,
            room,
            archive,
            comparer,
            written: Notify::new(),
        })
    }

    /// Looks and tells until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let everybody = || everybody(self.operator.as_ref(), &self.config.current());
        tokio::join!(
            self.hear(&shutdown),
            self.look_and_tell(&shutdown),
            self.ask_for_endings(&shutdown),
            self.post.run(everybody, self.every, &self.written, &shutdown),
        );
    }

    /// Notes what services report. An event is acknowledged when it is noted.
    async fn hear(&self, shutdown: &CancellationToken) {
        let mut events = self.bus.events_to_notify();
        while let Some(batch) = shutdown.run_until_cancelled(events.next(BATCH, GATHER)).await {
            for delivery in batch {
                match self.memory.note_report(&delivery.event, Timestamp::now()).await {
                    Ok(()) => delivery.ack().await,
                    Err(error) => {
                        tracing::warn!(%error, "a report is noted later");
                        delivery.retry_in(RETRY).await;
                    }
                }
            }
        }
    }

    async fn ask_for_endings(&self, shutdown: &CancellationToken) {
        let mut config = self.config.clone();
        loop {
            let existing: BTreeSet<Destination> = ROLE.destinations(&config.current()).into_keys().collect();
            if shutdown.run_until_cancelled(self.access.ask(&existing)).await.is_none() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_EVERY) => {}
                // Somebody may have renewed something.
                () = config.changed() => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn look_and_tell(&self, shutdown: &CancellationToken) {
        let mut bus_away = None;
        loop {
            let looked = Instant::now();
            let tell = self.tell(&mut bus_away);
            match shutdown.run_until_cancelled(tell).await {
                None => return,
                Some(Err(error)) => {
                    tracing::warn!(error = format!("{error:#}"), "people are told of faults later");
                }
                Some(Ok(())) => {}
            }
            let rest = tokio::time::sleep(self.every.saturating_sub(looked.elapsed()).max(self.every / 4));
            if shutdown.run_until_cancelled(rest).await.is_none() {
                return;
            }
        }
    }

    /// Looks once, and tells what is new.
    async fn tell(&self, bus_away: &mut Option<Timestamp>) -> anyhow::Result<()> {
        let now = Timestamp::now();
        *bus_away = (!self.bus.is_connected()).then(|| bus_away.unwrap_or(now));
        let resources = self.config.current();
        let audiences = everybody(self.operator.as_ref(), &resources);
        let room = *self.room.borrow();
        let here = Here {
            memory: &self.memory,
            archive: &self.archive,
            comparer: &self.comparer,
            room: room.as_ref(),
        };
        let outlook = outlook::look(&self.bus, here, *bus_away, now).await?;
        let endings = self.access.endings(&resources.tenants.keys().cloned().collect()).await?;
        for audience in &audiences {
            let mut tx = self.memory.begin().await?;
            self.tell_audience(&mut tx, audience, &outlook, &endings, now).await?;
            tx.commit().await?;
        }
        self.tell_events(&endings, now).await?;
        self.written.notify_one();
        Ok(())
    }

    async fn tell_audience(
        &self,
        tx: &mut Transaction,
        audience: &Audience,
        outlook: &Outlook,
        endings: &[Ending],
        now: Timestamp,
    ) -> Result<(), MemoryError> {
        let writer = Writer::new(audience.language, audience.zone.clone());
        let mut known = self.memory.faults(tx, &audience.id).await?;
        let heard = outlook.faults.keys().filter(|key| audience.hears_of(key.tenant.as_ref()));
        let keys: BTreeSet<Key> = known.keys().chain(heard).cloned().collect();
        let mut lasting: Vec<(Key, Episode)> = Vec::new();
        for key in keys {
            let observed = outlook.faults.get(&key);
            let before = known.remove(&key);
            let is_known = key.kind == Kind::Reported || outlook.answered.contains(&key.service);
            if observed.is_none() && !is_known {
                // Nothing is known of it: it is neither there nor over.
                lasting.extend(before.map(|episode| (key, episode)));
                continue;
            }
            let (after, say) = step(before.clone(), observed, now, &self.patience);
            if after != before {
                self.memory.keep_fault(tx, &audience.id, &key, after.as_ref()).await?;
            }
            let Some(episode) = after else { continue };
            let letter = say.map(|say| match say {
                Say::Start => writer.start(&key, &episode, now),
                Say::Over => writer.over(&key, &episode, waiting_there(outlook, &key)),
            });
            if let Some(letter) = letter {
                self.memory.write_mail(tx, &audience.id, &letter, now).await?;
            }
            lasting.push((key, episode));
        }
        lasting.retain(|(_, episode)| episode.is_listed(now, &self.patience));
        self.tell_digest(tx, audience, &writer, &lasting, now).await?;
        for ending in endings.iter().filter(|ending| audience.hears_of(ending.tenant.as_ref())) {
            if let Some(stage) = self.news_of(tx, &audience.id, ending, now).await? {
                self.memory.write_mail(tx, &audience.id, &writer.ends(ending, stage), now).await?;
            }
        }
        Ok(())
    }

    async fn tell_digest(
        &self,
        tx: &mut Transaction,
        audience: &Audience,
        writer: &Writer,
        lasting: &[(Key, Episode)],
        now: Timestamp,
    ) -> Result<(), MemoryError> {
        let last = self.memory.last_digest(tx, &audience.id).await?;
        let oldest = lasting.iter().map(|(_, episode)| episode.told_at.unwrap_or(episode.since)).min();
        if !digest_is_due(last, oldest, self.digest.unwrap_or(audience.digest), now) {
            return Ok(());
        }
        let listed: Vec<(&Key, &Episode)> = lasting.iter().map(|(key, episode)| (key, episode)).collect();
        self.memory.write_mail(tx, &audience.id, &writer.digest(&listed, now), now).await?;
        self.memory.note_digest(tx, &audience.id, now).await
    }

    /// The stage of an ending, if `audience` has not been told of it.
    async fn news_of(
        &self,
        tx: &mut Transaction,
        audience: &str,
        ending: &Ending,
        now: Timestamp,
    ) -> Result<Option<Stage>, MemoryError> {
        let (told, stage) = (self.memory.stage(tx, audience, ending).await?, Stage::of(ending.at, now));
        if told != stage {
            self.memory.keep_stage(tx, audience, ending, stage).await?;
        }
        Ok(stage.filter(|_| is_news(told, stage)))
    }

    /// What ends is an event, too, for those who watch the events.
    async fn tell_events(&self, endings: &[Ending], now: Timestamp) -> Result<(), MemoryError> {
        let mut news = Vec::new();
        let mut tx = self.memory.begin().await?;
        for ending in endings {
            if let Some(stage) = self.news_of(&mut tx, EVENTS, ending, now).await? {
                news.push((ending, stage));
            }
        }
        tx.commit().await?;
        for (Ending { tenant, place, what, at }, stage) in news {
            let at = at.strftime("%Y-%m-%d %H:%M UTC");
            let problem = match stage {
                Stage::Over => format!("{what} has ended on {at}: renew it"),
                _ => format!("{what} ends on {at}: renew it before"),
            };
            tracing::warn!(
                tenant = tenant.as_ref().map(tracing::field::display),
                place,
                problem,
                "access ends"
            );
            match tenant {
                Some(tenant) => self.reporter.fault(tenant, None, place, &problem, false),
                None => self.reporter.fault_of_all(place, &problem),
            }
        }
        Ok(())
    }
}

/// What is still on its way to where a fault was.
fn waiting_there(outlook: &Outlook, key: &Key) -> Option<u64> {
    let tenant = key.tenant.clone()?;
    outlook.waiting.get(&(key.service.clone(), tenant, key.place.clone())).copied()
}
