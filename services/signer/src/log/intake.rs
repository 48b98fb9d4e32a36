//! What is told in the stream EVENTS and belongs into a log: calls that started, decisions, stops,
//! deletions, accesses.
//!
//! An event is acknowledged when its entry is committed. Crash before that: it comes again, and its
//! source is known. An event of a halted log comes again until the log goes on.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use bus::EventDelivery;
use domain::{RecordingId, TenantId};
use evidence::log::{Entry, Outcome, Reference, What};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use wire::event_v1::{Event, event::What as Happened};

use crate::{
    context::Context,
    state::{
        Held, Phase, StateError,
        log::{LogHead, source},
    },
};

/// Events that are committed together.
const BATCH: usize = 256;
/// How long a batch waits for more.
const GATHER: Duration = Duration::from_millis(200);
/// How long events of a halted log wait.
const HALTED_PAUSE: Duration = Duration::from_secs(30);
const FAULT_PAUSE: Duration = Duration::from_secs(2);
/// An event that is older than this may be of a time before there were logs.
const OLD: Duration = Duration::from_secs(600);

/// Takes events until `stop`, or until the lease is lost.
pub(super) async fn run(context: &Context, lease: &Held, stop: &CancellationToken) {
    let mut events = context.bus.events_to_log();
    loop {
        let batch = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            batch = events.next(BATCH, GATHER) => batch,
        };
        let mut by_tenant: BTreeMap<TenantId, Vec<EventDelivery>> = BTreeMap::new();
        for delivery in batch {
            match delivery.event.tenant.parse() {
                Ok(tenant) if is_for_log(&delivery.event) => {
                    by_tenant.entry(tenant).or_default().push(delivery);
                }
                _ => delivery.ack().await,
            }
        }
        for (tenant, deliveries) in by_tenant {
            let pause = match take(context, lease, &tenant, &deliveries).await {
                Ok(()) => None,
                Err(StateError::Fenced(_)) => return,
                Err(StateError::LogHalted(_)) => Some(HALTED_PAUSE),
                Err(error) => {
                    context.fault("log", tenant.as_str(), "", &error);
                    Some(FAULT_PAUSE)
                }
            };
            for delivery in deliveries {
                match pause {
                    None => delivery.ack().await,
                    Some(pause) => delivery.retry_in(pause).await,
                }
            }
        }
    }
}

async fn take(
    context: &Context,
    lease: &Held,
    tenant: &TenantId,
    deliveries: &[EventDelivery],
) -> Result<(), StateError> {
    let log = context.log_of(tenant).await?;
    let mut entries = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let Some((recording, entry, source)) = entry(&log, &delivery.event) else { continue };
        if !is_before_logs(context, tenant, &recording, &delivery.event).await? {
            // Events of one call may be stored in another order than they happened in: a call that is
            // decided has started.
            if matches!(entry.what, What::Decided { .. } | What::Stopped { .. }) {
                entries.push(started(&log, &recording));
            }
            entries.push((entry, source));
        }
    }
    if entries.is_empty() {
        return Ok(());
    }
    context.state.commit_entries(lease, tenant, &entries).await?;
    crate::fail_point::log_reached("log-appended");
    Ok(())
}

/// Whether the event is of a recording that was sealed before there was a log: its beginning alone
/// would look like a call of which nothing became.
async fn is_before_logs(
    context: &Context,
    tenant: &TenantId,
    recording: &RecordingId,
    event: &Event,
) -> Result<bool, StateError> {
    let at = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(event.at_unix_us).unwrap_or(0));
    let is_about_call =
        matches!(event.what, Some(Happened::Ringing(_) | Happened::Decided(_) | Happened::Stopped(_)));
    if !is_about_call || at.elapsed().unwrap_or_default() < OLD {
        return Ok(false);
    }
    let stored = context.state.recording(recording).await?;
    let is_sealed = stored.is_some_and(|stored| stored.phase == Phase::Sealed);
    Ok(is_sealed && context.state.log_entry_of(tenant, &source::sealed(recording)).await?.is_none())
}

const fn is_for_log(event: &Event) -> bool {
    matches!(
        event.what,
        Some(
            Happened::Ringing(_)
                | Happened::Decided(_)
                | Happened::Stopped(_)
                | Happened::Deleted(_)
                | Happened::Accessed(_)
        )
    )
}

/// The entry for an event, with where it comes from. Pure but for the clock: entries bear the time at
/// which they are written.
fn entry(log: &LogHead, event: &Event) -> Option<(RecordingId, Entry, String)> {
    let recording: RecordingId = event.recording_id.parse().ok()?;
    let reference = || Reference::of(&log.salt, &recording);
    let at_us = event.at_unix_us;
    let (what, source) = match event.what.as_ref()? {
        Happened::Ringing(_) => (What::Started { reference: reference() }, source::started(&recording)),
        Happened::Decided(decided) => {
            let outcome = match (decided.asks_consent, decided.recorded) {
                (true, _) => Outcome::Asking,
                (false, true) => Outcome::Recorded,
                (false, false) => Outcome::NotRecorded,
            };
            let what = What::Decided { reference: reference(), outcome, rule: decided.rule.clone() };
            (what, source::decided(&recording, outcome.as_str()))
        }
        Happened::Stopped(stopped) => {
            let what = What::Stopped { reference: reference(), way: stopped.way.clone() };
            (what, source::stopped(&recording, at_us))
        }
        Happened::Deleted(deleted) => {
            let what = What::Deleted {
                recording,
                targets: deleted.targets.clone(),
                reason: deleted.reason.clone(),
                by: deleted.by.clone(),
            };
            (what, source::told("deleted", &recording, at_us, &deleted.by))
        }
        Happened::Accessed(accessed) => {
            let Ok(how) = accessed.how.parse() else {
                tracing::warn!(recording = event.recording_id, "an access of an unknown kind is not logged");
                return None;
            };
            let what = What::Accessed { recording, how, by: accessed.by.clone() };
            (what, source::told(&accessed.how, &recording, at_us, &accessed.by))
        }
        _ => return None,
    };
    Some((recording, Entry { at: Timestamp::now(), tenant: log.tenant.clone(), what }, source))
}

/// The entry that the beginning of a recorded call leaves: the stream of calls says it as well, should
/// its event have been lost.
pub fn started(log: &LogHead, recording: &RecordingId) -> (Entry, String) {
    let what = What::Started { reference: Reference::of(&log.salt, recording) };
    (Entry { at: Timestamp::now(), tenant: log.tenant.clone(), what }, source::started(recording))
}
