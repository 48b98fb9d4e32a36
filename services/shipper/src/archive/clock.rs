//! A clock that was set forward must not delete an archive.
//!
//! Each round of retention notes the time. When that has jumped forward, nothing is deleted by retention for a
//! day, and somebody is told: time to set the clock right. A shipper that was off for so long waits that day as
//! well, which does no harm. A clock that goes back makes less due, not more.

use jiff::{SignedDuration, Timestamp};
use sql::Transaction;

use super::{Archive, ArchiveError, time};

/// More than that between two rounds is a jump.
const JUMP: SignedDuration = SignedDuration::from_hours(6);
/// How long a new time has to stand before it is believed.
pub(super) const DOUBT: SignedDuration = SignedDuration::from_hours(24);

/// What was known of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    at: Timestamp,
    trusted_from: Timestamp,
}

/// What is known of it now; and whether it has just jumped. Pure.
fn look(before: Option<Seen>, now: Timestamp) -> (Seen, bool) {
    let in_doubt = now.saturating_add(DOUBT).unwrap_or(Timestamp::MAX);
    // One that never jumped was never in doubt: nor is it for a replica whose clock is a moment behind.
    let Some(before) = before else {
        return (Seen { at: now, trusted_from: Timestamp::UNIX_EPOCH }, false);
    };
    let jumped = now.duration_since(before.at) > JUMP;
    // After a clock that went back the doubt is not longer than from any other jump.
    let trusted_from = if jumped { in_doubt } else { before.trusted_from.min(in_doubt) };
    (Seen { at: now, trusted_from }, jumped)
}

impl Archive {
    /// The time that counts when somebody asks whether a retention has ended: one that is in doubt ends none.
    pub(super) async fn believed(tx: &mut Transaction, now: Timestamp) -> Result<Timestamp, ArchiveError> {
        let seen: Option<(i64, i64)> =
            sqlx::query_as("SELECT seen_at, trusted_from FROM archive_clock WHERE one = 1")
                .fetch_optional(&mut **tx)
                .await?;
        let in_doubt = seen.is_some_and(|(at, trusted_from)| {
            now < time(trusted_from) || now.duration_since(time(at)) > JUMP
        });
        Ok(if in_doubt { Timestamp::UNIX_EPOCH } else { now })
    }

    /// Notes the time. `Some`: it is not believed until then; and whether that is new.
    pub(super) async fn doubt(&self, now: Timestamp) -> Result<Option<(Timestamp, bool)>, ArchiveError> {
        let mut tx = self.db.begin_write().await?;
        let before: Option<(i64, i64)> =
            sqlx::query_as("SELECT seen_at, trusted_from FROM archive_clock WHERE one = 1")
                .fetch_optional(&mut *tx)
                .await?;
        let before = before.map(|(at, from)| Seen { at: time(at), trusted_from: time(from) });
        let (seen, jumped) = look(before, now);
        sqlx::query(
            "INSERT INTO archive_clock (one, seen_at, trusted_from) VALUES (1, $1, $2) \
             ON CONFLICT (one) DO UPDATE SET seen_at = excluded.seen_at, trusted_from = excluded.trusted_from",
        )
        .bind(seen.at.as_millisecond())
        .bind(seen.trusted_from.as_millisecond())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok((now < seen.trusted_from).then_some((seen.trusted_from, jumped)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_whose_clocks_differ_do_not_make_each_other_doubt() {
        let begin: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
        let mut seen = None;
        for ms in [2_000, 0, 2_200, 200, 2_400] {
            let now = begin + SignedDuration::from_millis(ms);
            let (now_seen, jumped) = look(seen, now);
            assert!(!jumped && now >= now_seen.trusted_from, "{ms}");
            seen = Some(now_seen);
        }
    }

    #[test]
    fn a_time_that_jumps_forward_is_believed_a_day_later_and_one_that_goes_back_at_once() {
        let begin: Timestamp = "2026-11-22T09:00:00Z".parse().unwrap();
        let hours = |hours| begin + SignedDuration::from_hours(hours);
        let mut seen = None;
        // Hours since the beginning, and whether that time is believed.
        for (hour, believed) in [
            (0, true),
            (1, true),
            (7, true),
            // Ten years on by mistake.
            (87_600, false),
            (87_603, false),
            // Set right.
            (8, false),
            (13, false),
            (19, false),
            (25, false),
            (31, false),
            (32, true),
            // Off for a weekend.
            (100, false),
            (105, false),
            (111, false),
            (117, false),
            (123, false),
            (124, true),
        ] {
            let (now_seen, _) = look(seen, hours(hour));
            assert_eq!(hours(hour) >= now_seen.trusted_from, believed, "{hour}");
            seen = Some(now_seen);
        }
    }
}
