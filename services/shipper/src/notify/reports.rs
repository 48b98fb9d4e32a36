//! What services reported as faults on the stream EVENTS, and have not taken back.

use jiff::{SignedDuration, Timestamp};
use sqlx::{Row as _, any::AnyRow};
use wire::event_v1::{Event, event::What};

use super::{
    memory::{Memory, MemoryError, time},
    observed::{Key, Kind, Observed},
};

/// What a service says when a fault that it reported is over.
const OVER: &str = "works again";

/// A report that did not come again for so long counts as over.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// Whether it is a fault that is not seen otherwise: how targets, journals, deletions, the clock, archives
/// and staging's room stand is asked, not heard.
fn is_heard(event: &Event) -> bool {
    let Some(What::Fault(fault)) = &event.what else { return false };
    match event.service.as_str() {
        "journal" => false,
        "shipper" => matches!(fault.r#where.as_str(), "staging" | "shipper"),
        // Whether a log is halted is asked, too.
        "signer" => fault.r#where != "signer/log" || fault.will_retry,
        _ => true,
    }
}

impl Memory {
    /// Notes a report. Being noted twice changes nothing but the count.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn note_report(&self, event: &Event, now: Timestamp) -> Result<(), MemoryError> {
        let Some(What::Fault(fault)) = event.what.as_ref().filter(|_| is_heard(event)) else { return Ok(()) };
        let at = Timestamp::from_microsecond(event.at_unix_us).unwrap_or(now).min(now);
        // What came while nobody was here to tell is told as well, before it is forgotten.
        let at = at.max(now - STALE / 2);
        if fault.problem == OVER {
            sqlx::query("DELETE FROM notify_reports WHERE service = $1 AND tenant = $2 AND place = $3 AND last_at <= $4")
                .bind(event.service.as_str())
                .bind(event.tenant.as_str())
                .bind(fault.r#where.as_str())
                .bind(at.as_millisecond())
                .execute(self.database().pool())
                .await?;
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO notify_reports (service, tenant, place, problem, recording, first_at, last_at, times) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 1) ON CONFLICT (service, tenant, place) DO UPDATE SET \
             problem = excluded.problem, recording = excluded.recording, last_at = excluded.last_at, \
             times = notify_reports.times + 1",
        )
        .bind(event.service.as_str())
        .bind(event.tenant.as_str())
        .bind(fault.r#where.as_str())
        .bind(fault.problem.as_str())
        .bind(event.recording_id.as_str())
        .bind(at.as_millisecond())
        .bind(at.as_millisecond())
        .execute(self.database().pool())
        .await?;
        Ok(())
    }

    /// The reports that count, after those were forgotten that did not come again.
    ///
    /// # Errors
    /// The database cannot be used.
    pub async fn reports(&self, now: Timestamp) -> Result<Vec<(Key, Observed)>, MemoryError> {
        sqlx::query("DELETE FROM notify_reports WHERE last_at < $1")
            .bind((now - STALE).as_millisecond())
            .execute(self.database().pool())
            .await?;
        let rows = sqlx::query(
            "SELECT service, tenant, place, problem, recording, first_at, times FROM notify_reports",
        )
        .fetch_all(self.database().pool())
        .await?;
        Ok(rows.iter().map(report).collect::<Result<_, _>>()?)
    }
}

fn report(row: &AnyRow) -> Result<(Key, Observed), sqlx::Error> {
    let tenant: String = row.try_get("tenant")?;
    let key = Key {
        service: row.try_get("service")?,
        tenant: tenant.parse().ok(),
        place: row.try_get("place")?,
        kind: Kind::Reported,
    };
    let observed = Observed {
        since: time(row.try_get("first_at")?),
        problem: row.try_get("problem")?,
        level: 0,
        count: row.try_get::<i64, _>("times")?.unsigned_abs(),
        recording: row.try_get("recording")?,
    };
    Ok((key, observed))
}

#[cfg(test)]
mod tests {
    use sql::Database;
    use wire::event_v1::Fault;

    use super::*;

    fn event(service: &str, place: &str, problem: &str, at: Timestamp) -> Event {
        let fault = Fault { r#where: place.into(), problem: problem.into(), will_retry: true };
        Event {
            service: service.into(),
            tenant: "acme".into(),
            at_unix_us: at.as_microsecond(),
            what: Some(What::Fault(fault)),
            ..Event::default()
        }
    }

    #[tokio::test]
    async fn a_report_counts_until_it_is_taken_back_or_did_not_come_again_for_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&format!("sqlite:{}", dir.path().join("s.sqlite").display())).await.unwrap();
        let memory = Memory::open(db, 500).await.unwrap();
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let hour = |hours| start + SignedDuration::from_hours(hours);
        let mut halted = event("signer", "signer/log", "it is halted", start);
        if let Some(What::Fault(fault)) = &mut halted.what {
            fault.will_retry = false;
        }
        memory.note_report(&halted, start).await.unwrap();
        for (service, place, problem) in [
            ("signer", "signer/key", "the token is away"),
            ("signer", "signer/seal", "staging is full"),
            ("shipper", "staging", "it is ordered, and not there"),
            // These are asked for, not heard.
            ("shipper", "target archive", "cannot be reached"),
            ("shipper", "staging quota", "85 %"),
            ("shipper", "deletion", "the log is halted"),
            ("shipper", "retention", "the clock has jumped forward"),
            ("journal", "journal main", "cannot be reached"),
        ] {
            memory.note_report(&event(service, place, problem, start), start).await.unwrap();
        }
        memory
            .note_report(&event("signer", "signer/seal", "staging is full", hour(2)), hour(2))
            .await
            .unwrap();
        let places = |reports: Vec<(Key, Observed)>| {
            let mut all: Vec<_> = reports.into_iter().map(|(key, seen)| (key.place, seen.count)).collect();
            all.sort();
            all
        };
        let all = places(memory.reports(hour(3)).await.unwrap());
        assert_eq!(all, [("signer/key".into(), 1), ("signer/seal".into(), 2), ("staging".into(), 1)]);
        memory.note_report(&event("signer", "signer/key", OVER, hour(4)), hour(4)).await.unwrap();
        let all = places(memory.reports(hour(25)).await.unwrap());
        assert_eq!(all, [("signer/seal".into(), 2)]);
        assert_eq!(memory.reports(hour(27)).await.unwrap(), []);
    }
}
