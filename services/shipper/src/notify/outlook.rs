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
use crate::quota::Room;

/// How long a service may take to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// Looks at everything, at `now`. The bus has been away since `bus_away`, if it is.
///
/// # Errors
/// The state database cannot be used.
pub async fn look(
    bus: &Bus,
    memory: &Memory,
    room: Option<&Room>,
    bus_away: Option<Timestamp>,
    now: Timestamp,
) -> Result<Outlook, MemoryError> {
    let mut outlook = Outlook::default();
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
}
