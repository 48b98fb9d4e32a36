//! What depends on the clock, with the time as an argument; and what two transactions do at once.

use std::fs;

use delivery::{Backoff, WorkList};
use domain::{RecordingId, TenantId};
use jiff::{SignedDuration, Timestamp};
use sql::Database;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use wire::recording_v1::RecordingSealed;

use super::{Archive, Policy, deletions::Deletion, holds::Over, judgement::Refusal, retain::Round};

struct Bench {
    archive: Archive,
    policy: Policy,
    tenant: TenantId,
    _dir: TempDir,
    _stop: DropGuard,
}

const BEGIN: &str = "2026-11-22T09:00:00Z";

fn at(hours: i64) -> Timestamp {
    BEGIN.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        fs::create_dir(&config).unwrap();
        let tenant = "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\n\
                      spec: {country: DE, timeZone: Europe/Berlin, whenUndecided: record}\n";
        fs::write(config.join("a.yaml"), tenant).unwrap();
        let stop = CancellationToken::new();
        let policy = Policy::new(config::watch(&config, stop.clone()).unwrap());
        let db = Database::open(&format!("sqlite:{}", dir.path().join("s.sqlite").display())).await.unwrap();
        let list = WorkList::open(db, Backoff::default()).await.unwrap();
        let archive = Archive::open(list).await.unwrap();
        let tenant = "acme".parse().unwrap();
        Self { archive, policy, tenant, _dir: dir, _stop: stop.drop_guard() }
    }

    /// A recording in staging that is kept until then.
    async fn kept_until(&self, hours: i64) -> RecordingId {
        let id = RecordingId::new();
        let sealed = RecordingSealed {
            recording_id: id.to_string(),
            tenant: "acme".into(),
            class: "regulated".into(),
            rule: "desk".into(),
            time_zone: "Europe/Berlin".into(),
            started_unix_ms: at(-24).as_millisecond(),
            keep_until_unix_ms: at(hours).as_millisecond(),
            ..RecordingSealed::default()
        };
        let mut tx = self.archive.db.begin_write().await.unwrap();
        assert!(self.archive.add_in(&mut tx, &self.tenant, id, &sealed, at(-24)).await.unwrap());
        tx.commit().await.unwrap();
        id
    }

    async fn retain(&self, hours: i64) -> Round {
        self.archive.retain(&self.policy, at(hours), SignedDuration::from_secs(60)).await.unwrap()
    }

    /// What is marked and due at that time, claimed.
    async fn claimed(&self, hours: i64) -> Vec<Deletion> {
        let mut claimed = Vec::new();
        let later = at(hours) + SignedDuration::from_hours(1);
        while let Some(deletion) = self.archive.claim_deletion(at(hours), later, &[]).await.unwrap() {
            claimed.push(deletion);
        }
        claimed
    }
}

#[tokio::test]
async fn a_clock_that_is_set_forward_or_back_deletes_nothing() {
    let bench = Bench::new().await;
    let (soon, late) = (bench.kept_until(2).await, bench.kept_until(87_600).await);
    assert_eq!(bench.retain(0).await, Round::default());
    // Ten years on, by mistake: nothing for a day, told once.
    let round = bench.retain(90_000).await;
    assert_eq!((round.marked, round.doubted_until), (0, Some(at(90_024))));
    assert_eq!(bench.retain(90_001).await, Round::default());
    // Set right, and back into the past: less is due.
    for hours in [1, -1_000, 0, 1] {
        assert_eq!(bench.retain(hours).await.marked, 0, "{hours}");
    }
    assert!(bench.claimed(90_000).await.is_empty());
    // Time goes on, hour by hour.
    let mut marked = 0;
    for hours in 2..40 {
        marked += bench.retain(hours).await.marked;
    }
    assert_eq!(marked, 1);
    let claimed = bench.claimed(40).await;
    assert_eq!(claimed.iter().map(|deletion| deletion.recording).collect::<Vec<_>>(), [soon]);
    assert_eq!(claimed[0].reason, "retention ended 2026-11-21");
    // One that is marked is looked at once more before anything goes: the clock may have been set back.
    let again = bench.archive.look_again(&claimed[0], &bench.policy, at(1)).await.unwrap();
    assert_eq!(again, Err(Refusal::Kept(at(2))));
    // As long as the clock is in doubt nothing has ended, whatever it says.
    let again = bench.archive.look_again(&claimed[0], &bench.policy, at(100)).await.unwrap();
    assert_eq!(again, Err(Refusal::Kept(at(2))));
    assert_eq!(bench.archive.look_again(&claimed[0], &bench.policy, at(40)).await.unwrap(), Ok(()));
    assert_ne!(late, soon);
}

#[tokio::test]
async fn of_a_hold_and_a_mark_at_the_same_moment_one_sees_the_other() {
    for _ in 0..20 {
        let bench = Bench::new().await;
        let id = bench.kept_until(-1).await;
        let over = Over::Recording(id);
        let hold = bench.archive.place_hold(&bench.tenant, &over, ("proceedings", "carla"), at(0));
        let mark = bench.archive.mark_due(&bench.tenant, id, &bench.policy, at(0));
        let (hold, mark) = tokio::join!(hold, mark);
        let (_, begun) = hold.unwrap().unwrap();
        match mark.unwrap() {
            // It was marked first: the hold tells so, and nothing goes on.
            Ok(()) => {
                assert_eq!(begun, [id.to_string()]);
                let [deletion] = bench.claimed(0).await.try_into().unwrap();
                let again = bench.archive.look_again(&deletion, &bench.policy, at(0)).await.unwrap();
                assert!(matches!(again, Err(Refusal::Held(_))), "{again:?}");
            }
            Err(refusal) => {
                assert!(matches!(refusal, Refusal::Held(_)), "{refusal:?}");
                assert!(begun.is_empty() && bench.claimed(0).await.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn a_deletion_is_in_one_pair_of_hands_until_its_time_is_over() {
    let bench = Bench::new().await;
    let id = bench.kept_until(-1).await;
    bench.archive.mark_due(&bench.tenant, id, &bench.policy, at(0)).await.unwrap().unwrap();
    assert_eq!(bench.claimed(0).await.len(), 1);
    assert!(bench.claimed(0).await.is_empty());
    assert_eq!(bench.claimed(1).await.len(), 1);
    // Marked once: it is open already.
    let again = bench.archive.mark_due(&bench.tenant, id, &bench.policy, at(1)).await.unwrap();
    assert!(matches!(again, Err(Refusal::OpenAlready(_))), "{again:?}");
    let [deletion] = bench.claimed(3).await.try_into().unwrap();
    bench.archive.deletion_done(&deletion, at(3)).await.unwrap();
    let again = bench.archive.mark_due(&bench.tenant, id, &bench.policy, at(4)).await.unwrap();
    assert_eq!(again, Err(Refusal::Deleted));
    // And an announcement that comes once more is not taken in.
    let mut tx = bench.archive.db.begin_write().await.unwrap();
    let sealed = RecordingSealed::default();
    assert!(!bench.archive.add_in(&mut tx, &bench.tenant, id, &sealed, at(5)).await.unwrap());
}
