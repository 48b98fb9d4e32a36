//! The streams and durable consumers, and the check that none of them can lose a recording.
//!
//! Settings that merely differ and harm nothing (size, replicas, duplicate window) are corrected.
//! Settings under which NATS would throw messages away are refused with a text that says which:
//! correcting them by ourselves could hide that something has been lost already.

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    consumer::{AckPolicy, DeliverPolicy, pull},
    context::{CreateStreamError, CreateStreamErrorKind, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{Bus, BusError, BusOptions, server::sync_always, with_sources};

/// Messages of calls, written by ingest, read by signer.
pub const CALLS: &str = "CALLS";
/// Announcements of sealed recordings, from signer to shipper and journal.
pub const SEALED: &str = "SEALED";
/// What happened to calls.
pub const EVENTS: &str = "EVENTS";
/// Messages that nobody can read, with the reason.
pub const DEAD: &str = "DEAD";
/// The durable consumers of SEALED. They exist before the first message: under interest retention
/// a message that nobody has asked for is not kept.
pub const SEALED_CONSUMERS: [&str; 2] = ["shipper", "journal"];

/// Window of de-duplication by `Nats-Msg-Id`, stated because the server's default may change.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
const EVENTS_MAX_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
/// An announcement has about 2 KB: room for 100,000 recordings, the rest waits in signer's outbox.
const SEALED_MAX_BYTES: i64 = 256 << 20;
const DEAD_MAX_BYTES: i64 = 128 << 20;
/// A delivery that is neither acknowledged nor refused comes again after this long.
const ACK_WAIT: Duration = Duration::from_secs(60);
pub(crate) const MAX_ACK_PENDING: u64 = 1_000;
const RETRY_PAUSE: Duration = Duration::from_secs(1);

impl Bus {
    /// Makes the streams CALLS, SEALED, EVENTS and DEAD and the consumers of SEALED and EVENTS, or checks
    /// those that exist. Can be repeated at any time and by several services at once.
    ///
    /// Errors: NATS is away; an existing stream could lose recordings (which, and by what).
    /// A server that does not sync before it acknowledges is logged and shown as a metric.
    pub async fn ensure_streams(&self) -> Result<(), BusError> {
        if !self.is_connected() {
            return Err(BusError::NotConnected);
        }
        for wanted in wanted(self.options()) {
            self.ensure_stream(wanted).await?;
        }
        for name in SEALED_CONSUMERS {
            self.ensure_sealed_consumer(name).await?;
        }
        self.ensure_event_consumers().await?;
        self.check_sync().await;
        Ok(())
    }

    /// As [`Self::ensure_streams`], but waits for NATS as long as it takes: for services that can
    /// work without it, as ingest does by its spool. Returns when the streams are good or on
    /// `shutdown`. Error: only [`BusError::UnsafeStream`], which no waiting cures.
    pub async fn ensure_streams_when_reachable(&self, shutdown: CancellationToken) -> Result<(), BusError> {
        let mut link = self.link();
        let ensured = Box::pin(async {
            loop {
                let _ = link.wait_for(|link| link.connected).await;
                match self.ensure_streams().await {
                    Err(error @ BusError::UnsafeStream { .. }) => return Err(error),
                    Err(error) => {
                        let error = with_sources(&error);
                        warn!(error, "the streams cannot be made yet; trying on");
                    }
                    Ok(()) => return Ok(()),
                }
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        });
        shutdown.run_until_cancelled(ensured).await.unwrap_or(Ok(()))
    }

    async fn ensure_stream(&self, wanted: Config) -> Result<(), BusError> {
        let (name, max_bytes) = (wanted.name.clone(), wanted.max_bytes);
        let existing = match self.jetstream().get_stream(&name).await {
            Ok(stream) => stream.cached_info().config.clone(),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    // Two services may both come here: creating the same again is no error.
                    let created = self.jetstream().create_stream(wanted).await;
                    created.map_err(|error| not_created(&name, max_bytes, error))?;
                    info!(stream = name, "stream created");
                    return Ok(());
                }
                _ => return Err(BusError::jetstream(format!("look at the stream {name}"), error)),
            },
        };
        let problems = problems(&existing, &wanted);
        if !problems.is_empty() {
            return Err(BusError::UnsafeStream { stream: name, problems });
        }
        let Some(corrected) = corrected(&existing, &wanted) else { return Ok(()) };
        let is_as_safe = corrected.num_replicas == existing.num_replicas;
        match self.jetstream().update_stream(corrected).await {
            Ok(_) => info!(stream = name, "size, replicas or duplicate window of the stream corrected"),
            // No room on the disk for a larger one: a smaller one is better than no recording.
            Err(error) if is_as_safe && self.is_connected() => {
                warn!(stream = name, %error, "the stream cannot be enlarged and is used as it is");
            }
            Err(error) => return Err(BusError::jetstream(format!("change the stream {name}"), error)),
        }
        Ok(())
    }

    pub(crate) async fn ensure_sealed_consumer(&self, name: &str) -> Result<(), BusError> {
        let config = pull::Config {
            durable_name: Some(name.to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            // Poison goes to DEAD by our own hand; the server's limit would only hide a message.
            max_deliver: -1,
            max_ack_pending: MAX_ACK_PENDING as i64,
            ..pull::Config::default()
        };
        self.jetstream()
            .create_consumer_on_stream(config, SEALED)
            .await
            .map(drop)
            .map_err(|e| BusError::jetstream(format!("create the consumer {name} of SEALED"), e))
    }

    /// Acknowledged messages were lost by NATS with its default of syncing every two minutes.
    async fn check_sync(&self) {
        let Some(url) = &self.options().monitor_url else {
            warn!(
                "whether NATS writes to disk before it acknowledges is not checked: give the address of its \
                 monitoring (--nats-monitor)"
            );
            return;
        };
        match sync_always(url).await {
            Ok(true) => self.metrics().sync_always.set(1),
            Ok(false) => {
                self.metrics().sync_always.set(0);
                error!(
                    "NATS acknowledges before it writes to disk: a crash can lose calls. Set \
                     `jetstream {{ sync_interval: always }}` in its configuration"
                );
            }
            Err(problem) => {
                self.metrics().sync_always.set(-1);
                warn!(problem, "cannot find out whether NATS writes to disk before it acknowledges");
            }
        }
    }
}

fn not_created(stream: &str, max_bytes: i64, error: CreateStreamError) -> BusError {
    let no_room = [ErrorCode::STORAGE_RESOURCES_EXCEEDED, ErrorCode::INSUFFICIENT_RESOURCES];
    match error.kind() {
        CreateStreamErrorKind::JetStream(e) if no_room.contains(&e.error_code()) => {
            BusError::NoRoom { stream: stream.to_owned(), mib: max_bytes >> 20 }
        }
        _ => BusError::jetstream(format!("create the stream {stream}"), error),
    }
}

/// The streams as they have to be.
fn wanted(options: &BusOptions) -> [Config; 4] {
    let keep_all = |name: &str, subject: &str, max_bytes| Config {
        name: name.to_owned(),
        subjects: vec![subject.to_owned()],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_bytes,
        num_replicas: options.replicas.max(1),
        duplicate_window: DUPLICATE_WINDOW,
        ..Config::default()
    };
    [
        keep_all(CALLS, "calls.>", options.calls_max_bytes),
        Config { retention: RetentionPolicy::Interest, ..keep_all(SEALED, "sealed.>", SEALED_MAX_BYTES) },
        // Events are for people: the oldest may go.
        Config {
            discard: DiscardPolicy::Old,
            max_age: EVENTS_MAX_AGE,
            ..keep_all(EVENTS, "events.>", options.events_max_bytes)
        },
        keep_all(DEAD, "dead.>", DEAD_MAX_BYTES),
    ]
}

/// What in `existing` could lose messages, as texts for an administrator.
fn problems(existing: &Config, wanted: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let mut unless = |good: bool, problem: &str| {
        if !good {
            found.push(problem.to_owned());
        }
    };
    unless(existing.subjects == wanted.subjects, "its subjects are not those of Callseal");
    unless(existing.storage == StorageType::File, "storage is memory, it has to be file");
    unless(existing.retention == wanted.retention, "its retention policy is another one");
    unless(!existing.no_ack, "it does not acknowledge (no_ack)");
    unless(
        existing.mirror.is_none() && existing.subject_transform.is_none(),
        "it is mirrored or transformed",
    );
    if wanted.discard == DiscardPolicy::New {
        unless(existing.discard == DiscardPolicy::New, "discard is old, it has to be new");
        unless(existing.max_age.is_zero(), "max_age is set, messages would expire");
        unless(
            existing.max_messages_per_subject <= 0,
            "max_msgs_per_subject is set, messages would be replaced",
        );
        unless(!existing.allow_rollup, "allow_rollup_hdrs is set, messages could be replaced");
    }
    unless(!existing.deny_purge, "deny_purge is set, it would never be emptied");
    unless(!existing.sealed, "it is sealed, it takes nothing");
    found
}

/// `existing` with harmless differences set right; none: all is well. Size only grows: services
/// with an older setting must not shrink it, and a person can.
fn corrected(existing: &Config, wanted: &Config) -> Option<Config> {
    let mut config = existing.clone();
    if existing.max_bytes >= 0 && (existing.max_bytes < wanted.max_bytes || wanted.max_bytes < 0) {
        config.max_bytes = wanted.max_bytes;
    }
    config.num_replicas = existing.num_replicas.max(wanted.num_replicas);
    config.duplicate_window = wanted.duplicate_window;
    let same = config.max_bytes == existing.max_bytes
        && config.num_replicas == existing.num_replicas
        && config.duplicate_window == existing.duplicate_window;
    (!same).then_some(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(calls_max_bytes: i64) -> BusOptions {
        BusOptions { calls_max_bytes, ..BusOptions::new("nats://127.0.0.1", "test") }
    }

    #[test]
    fn the_streams_as_we_make_them_have_no_problem() {
        for config in wanted(&sized(1 << 20)) {
            assert_eq!(problems(&config, &config), Vec::<String>::new(), "{}", config.name);
            assert!(corrected(&config, &config).is_none());
        }
    }

    #[test]
    fn each_setting_that_loses_messages_is_named() {
        let [calls, ..] = wanted(&sized(1 << 20));
        let old = Config { discard: DiscardPolicy::Old, max_age: Duration::from_secs(1), ..calls.clone() };
        let found = problems(&old, &calls);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("discard is old") && found[1].contains("max_age"));
        let few = Config { max_messages_per_subject: 5, ..calls.clone() };
        assert!(problems(&few, &calls)[0].contains("max_msgs_per_subject"));
    }

    #[test]
    fn a_stream_grows_to_the_wanted_size_and_never_shrinks() {
        let [small, ..] = wanted(&sized(1 << 20));
        let [large, ..] = wanted(&sized(1 << 30));
        assert_eq!(corrected(&small, &large).unwrap().max_bytes, 1 << 30);
        assert!(corrected(&large, &small).is_none());
    }
}
