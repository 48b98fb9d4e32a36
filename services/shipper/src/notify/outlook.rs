//! Looking at everything: how targets and journals stand, what services reported, whether logs are
//! halted, how full staging is, whether the bus is there.

use std::time::Duration;

use bus::{Bus, subjects};
use domain::TenantId;
use jiff::Timestamp;
use wire::{
    delivery_v1::{Destination, ListDestinationsRequest, ListDestinationsResponse},
    evidence_v1::{LogState, LogStateRequest, LogStateResponse},
};

use super::{
    memory::{Memory, MemoryError},
    observed::{Key, Kind, Observed, Outlook},
};
use crate::{
    archive::{Archive, ArchiveError, ClockInDoubt, Comparer, Disagreement, StuckDeletions},
    quota::Room,
};

/// Why nothing is seen now.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// What people were told.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The archive index.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// How long a service may take to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// What is looked at in this process: the rest is asked over the bus.
pub struct Here<'a> {
    /// What people reported.
    pub memory: &'a Memory,
    /// Deletions and the clock.
    pub archive: &'a Archive,
    /// What targets and the index do not agree about.
    pub comparer: &'a Comparer,
    /// How full staging is.
    pub room: Option<&'a Room>,
}

/// Looks at everything, at `now`. The bus has been away since `bus_away`, if it is.
///
/// # Errors
/// The state database cannot be used.
pub async fn look(
    bus: &Bus,
    Here { memory, archive, comparer, room }: Here<'_>,
    bus_away: Option<Timestamp>,
    now: Timestamp,
) -> Result<Outlook, LookError> {
    let mut outlook = Outlook::default();
    see_deletions(&mut outlook, archive.stuck_deletions().await?, archive.clock_in_doubt(now).await?);
    if let Some(disagreements) = comparer.disagreements() {
        see_archives(&mut outlook, disagreements);
    }
    outlook.faults.extend(memory.reports(now).await?);
    outlook.answered.insert("here".to_owned());
    if let Some(since) = bus_away {
        let key = Key { service: "here".into(), tenant: None, place: "bus".into(), kind: Kind::Bus };
        outlook.faults.insert(key, observed(since, "", 0));
    } else {
        // Side by side: one that is away takes its time.
        let all_logs = LogStateRequest::default();
        let (shipper, journal, logs) = futures::join!(
            destinations(bus, "shipper"),
            destinations(bus, "journal"),
            bus.request(subjects::SIGNER_LOG_STATE, &all_logs, ANSWER),
        );
        for (service, sort, destinations) in [("shipper", "target", shipper), ("journal", "journal", journal)]
        {
            let Some(destinations) = destinations else { continue };
            outlook.answered.insert(service.to_owned());
            for destination in &destinations {
                see(&mut outlook, service, sort, destination, now);
            }
        }
        if let Ok(LogStateResponse { logs }) = logs {
            halted_logs(&mut outlook, logs, now);
        }
    }
    if let Some(room) = room {
        outlook.answered.insert("staging".to_owned());
        outlook.faults.extend(fullness(room));
    }
    Ok(outlook)
}

/// Deletions that are stuck are their tenant's; the clock is the installation's, whoever waits for it.
fn see_deletions(outlook: &mut Outlook, stuck: Vec<StuckDeletions>, clock: Option<ClockInDoubt>) {
    outlook.answered.extend(["deletions".to_owned(), "clock".to_owned()]);
    for StuckDeletions { tenant, count, since, problem, recording } in stuck {
        let (tenant, place) = (Some(tenant), "deletion".to_owned());
        let key = Key { service: "deletions".into(), tenant, place, kind: Kind::Deleting };
        outlook.faults.insert(key, Observed { recording, ..observed(since, &problem, count) });
    }
    if let Some(ClockInDoubt { since, problem }) = clock {
        let key = Key { service: "clock".into(), tenant: None, place: "clock".into(), kind: Kind::Clock };
        outlook.faults.insert(key, observed(since, &problem, 0));
    }
}

/// What is not where the index has it is its tenant's, who alone knows who else is let in there.
fn see_archives(outlook: &mut Outlook, disagreements: Vec<Disagreement>) {
    outlook.answered.insert("archive".to_owned());
    for Disagreement { tenant, target, problem, level, recordings, since, recording } in disagreements {
        let (tenant, place) = (Some(tenant), format!("target {target}"));
        let key = Key { service: "archive".into(), tenant, place, kind: Kind::Astray };
        let seen = observed(since, &problem, recordings);
        outlook.faults.insert(key, Observed { level, recording: recording.to_string(), ..seen });
    }
}

/// How the destinations of a service stand; `None`: it does not say.
async fn destinations(bus: &Bus, service: &str) -> Option<Vec<Destination>> {
    let subject = subjects::destinations(service);
    match bus.request(&subject, &ListDestinationsRequest {}, ANSWER).await {
        Ok(ListDestinationsResponse { destinations, error }) if error.is_empty() => Some(destinations),
        Ok(answer) => {
            tracing::debug!(service, error = answer.error, "does not say how it stands");
            None
        }
        Err(error) => {
            tracing::debug!(service, %error, "does not say how it stands");
            None
        }
    }
}

fn halted_logs(outlook: &mut Outlook, logs: Vec<LogState>, now: Timestamp) {
    outlook.answered.insert("logs".to_owned());
    for log in logs.into_iter().filter(|log| !log.halted.is_empty()) {
        let tenant = log.tenant.parse().ok();
        let key = Key { service: "logs".into(), tenant, place: "log".into(), kind: Kind::Halted };
        outlook.faults.insert(key, observed(now, &log.halted, 0));
    }
}

fn observed(since: Timestamp, problem: &str, count: u64) -> Observed {
    Observed { since, problem: problem.to_owned(), level: 0, count, recording: String::new() }
}

/// How one destination stands.
fn see(outlook: &mut Outlook, service: &str, sort: &str, destination: &Destination, now: Timestamp) {
    let Ok(tenant) = destination.tenant.parse::<TenantId>() else { return };
    let place = format!("{sort} {}", destination.name);
    let time = |unix_ms| Timestamp::from_millisecond(unix_ms).unwrap_or(now);
    let of = |state: &'static str| {
        let entry = destination.waiting.iter().find(|waiting| waiting.state == state);
        entry.map(|waiting| (waiting.orders, time(waiting.oldest_unix_ms), waiting.last_error.clone()))
    };
    let waiting =
        of("queued").map_or(0, |(orders, ..)| orders) + of("running").map_or(0, |(orders, ..)| orders);
    outlook.waiting.insert((service.to_owned(), tenant.clone(), place.clone()), waiting);
    let mut add = |kind, fault| {
        let key =
            Key { service: service.to_owned(), tenant: Some(tenant.clone()), place: place.clone(), kind };
        outlook.faults.insert(key, fault);
    };
    if !destination.incomplete.is_empty() && (destination.chosen || !destination.waiting.is_empty()) {
        let since = of("queued").map_or(now, |(_, oldest, _)| oldest);
        add(Kind::Incomplete, observed(since, &destination.incomplete, waiting));
    } else if let Some(trouble) = &destination.trouble {
        add(Kind::Failing, observed(time(trouble.since_unix_ms), &trouble.problem, waiting));
    }
    // When they were set aside or orphaned is not known; when it was first seen is.
    if let Some((orders, _, problem)) = of("set_aside") {
        add(Kind::SetAside, observed(now, &problem, orders));
    }
    if let Some((orders, ..)) = of("orphaned") {
        let kind = if destination.configured { Kind::Returned } else { Kind::Orphaned };
        add(kind, observed(now, "", orders));
    }
}

/// Staging has a level, or a forecast.
fn fullness(room: &Room) -> Vec<(Key, Observed)> {
    let key = |kind| Key { service: "staging".into(), tenant: None, place: "staging".into(), kind };
    let mut found = Vec::new();
    if room.full.level > 0 {
        let level = Observed { level: room.full.level, ..observed(room.at, &room.to_string(), 0) };
        found.push((key(Kind::Quota), level));
    }
    if let Some(left) = room.full_in.filter(|_| room.full.soon) {
        let hours = (left.as_secs_f64() / 3600.0).round() as u64;
        found.push((key(Kind::FullSoon), observed(room.at, &room.to_string(), hours)));
    }
    found
}

#[cfg(test)]
mod tests {
    use wire::delivery_v1::{Trouble, Waiting};

    use super::*;

    fn waiting(state: &str, orders: u64) -> Waiting {
        Waiting { state: state.into(), orders, oldest_unix_ms: 1_000, last_error: "it is damaged".into() }
    }

    #[test]
    fn f82_each_way_in_which_a_destination_can_stand_badly_is_a_fault_of_its_own() {
        let now = Timestamp::from_second(100).unwrap();
        let trouble = Trouble { problem: "away".into(), since_unix_ms: 5_000, ..Trouble::default() };
        let well =
            Destination { tenant: "acme".into(), name: "a".into(), configured: true, ..Default::default() };
        let kinds = |destination: &Destination| {
            let mut outlook = Outlook::default();
            see(&mut outlook, "shipper", "target", destination, now);
            let found = outlook.faults.into_iter();
            found.map(|(key, fault)| (key.kind, fault.count, fault.since.as_second())).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&well), []);
        assert_eq!(kinds(&Destination { waiting: vec![waiting("queued", 3)], ..well.clone() }), []);
        let failing = Destination {
            trouble: Some(trouble),
            waiting: vec![waiting("queued", 3), waiting("running", 1), waiting("set_aside", 2)],
            ..well.clone()
        };
        assert_eq!(kinds(&failing), [(Kind::Failing, 4, 5), (Kind::SetAside, 2, 100)]);
        let gone = Destination { configured: false, waiting: vec![waiting("orphaned", 7)], ..well.clone() };
        assert_eq!(kinds(&gone), [(Kind::Orphaned, 7, 100)]);
        assert_eq!(kinds(&Destination { configured: true, ..gone }), [(Kind::Returned, 7, 100)]);
        let new = Destination { incomplete: "no host key".into(), ..well.clone() };
        assert_eq!(kinds(&new), []);
        assert_eq!(kinds(&Destination { chosen: true, ..new }), [(Kind::Incomplete, 0, 100)]);
    }

    #[test]
    fn who_hears_of_what_is_wrong_with_deletions_archives_and_the_clock() {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let (acme, beta): (TenantId, TenantId) = ("acme".parse().unwrap(), "beta".parse().unwrap());
        let stuck = StuckDeletions {
            tenant: acme.clone(),
            count: 3,
            since: at,
            problem: "target archive: is empty: is it mounted?".into(),
            recording: "01949c3e-7a5b-7000-8000-000000000001".into(),
        };
        let gone = Disagreement {
            tenant: acme.clone(),
            target: "archive".into(),
            problem: "it is gone".into(),
            level: 2,
            recordings: 5,
            since: at,
            recording: domain::RecordingId::new(),
        };
        let mut outlook = Outlook::default();
        let clock = ClockInDoubt { since: at, problem: "the clock has jumped".into() };
        see_deletions(&mut outlook, vec![stuck], Some(clock));
        see_archives(&mut outlook, vec![gone]);
        let operator = |_: &Key| true;
        let tenant = |id: &TenantId| {
            let id = id.clone();
            move |key: &Key| key.tenant.as_ref() == Some(&id)
        };
        let heard = |hears: &dyn Fn(&Key) -> bool| -> Vec<(Kind, u64)> {
            let keys = outlook.faults.iter().filter(|(key, _)| hears(key));
            keys.map(|(key, fault)| (key.kind, fault.count)).collect()
        };
        assert_eq!(heard(&operator), [(Kind::Astray, 5), (Kind::Clock, 0), (Kind::Deleting, 3)]);
        assert_eq!(heard(&tenant(&acme)), [(Kind::Astray, 5), (Kind::Deleting, 3)]);
        assert_eq!(heard(&tenant(&beta)), []);
        // Asked, so that each of them is over when it is.
        assert!(["deletions", "clock", "archive"].iter().all(|it| outlook.answered.contains(*it)));
        let mut nothing = Outlook::default();
        see_deletions(&mut nothing, Vec::new(), None);
        assert!(nothing.faults.is_empty() && nothing.answered.len() == 2);
    }
}
