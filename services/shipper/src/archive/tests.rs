//! What depends on the clock, with the time as an argument; and what two transactions do at once.

use std::{fs, time::Duration};

use delivery::{Backoff, WorkList};
use domain::{RecordingId, TenantId};
use harness::{postgres::Postgres, wait};
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

const TENANT: &str = "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\n\
                      spec: {country: DE, timeZone: Europe/Berlin, whenUndecided: record}\n";

const BEGIN: &str = "2026-11-22T09:00:00Z";

fn at(hours: i64) -> Timestamp {
    BEGIN.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
}

impl Bench {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = format!("sqlite:{}", dir.path().join("s.sqlite").display());
        Self::over(dir, &state).await
    }

    /// With its state in this database.
    async fn over(dir: TempDir, state: &str) -> Self {
        let config = dir.path().join("config");
        fs::create_dir(&config).unwrap();
        fs::write(config.join("a.yaml"), TENANT).unwrap();
        let stop = CancellationToken::new();
        let policy = Policy::new(config::watch(&config, stop.clone()).unwrap());
        let db = Database::open(state).await.unwrap();
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

    /// Notes files of these names at a target.
    async fn brought(&self, id: RecordingId, target: &str, names: &[&str]) {
        for name in names {
            sqlx::query(
                "INSERT INTO archive_files (tenant, recording, target, file, folder, stored_name, place, size, sha256, \
                 verified_by, stored_at) VALUES ('acme', $1, $2, $3, '2026', $3, '', 1, $4, 'size', 0)",
            )
            .bind(id.to_string())
            .bind(target)
            .bind(*name)
            .bind(vec![0_u8; 32])
            .execute(self.archive.db.pool())
            .await
            .unwrap();
        }
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

/// Whether so many transactions of the server wait for a row that another one has.
async fn wait_for_rows(bench: &Bench, how_many: i64) -> bool {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let (waiting,): (i64,) = sqlx::query_as(waiting).fetch_one(bench.archive.db.pool()).await.unwrap();
    waiting >= how_many
}

#[tokio::test]
async fn a_hold_is_released_once_and_by_one_of_two_people_while_a_deletion_of_its_tenant_is_noted() {
    let postgres = Postgres::start().await.unwrap();
    let state = format!("{}?schema=shipper", postgres.url());
    let bench = Bench::over(tempfile::tempdir().unwrap(), &state).await;
    let (archive, pool) = (&bench.archive, bench.archive.db.pool());
    for _ in 0..3 {
        let id = bench.kept_until(-1).await;
        archive.mark_due(&bench.tenant, id, &bench.policy, at(0)).await.unwrap().unwrap();
    }
    let [first, ..] = &bench.claimed(0).await[..] else { panic!("nothing was marked") };
    // All of it waits for a later look, so that a release has them all looked at again.
    let later = at(5).as_millisecond();
    sqlx::query("UPDATE archive_recordings SET next_look_at = $1").bind(later).execute(pool).await.unwrap();
    let over = Over::Rule("desk".parse().unwrap());
    let placed = archive.place_hold(&bench.tenant, &over, ("proceedings", "carla"), at(0)).await.unwrap();
    let hold = i64::try_from(placed.unwrap().0.hold).unwrap();
    archive.ask_release(hold, ("settled", "anna"), at(0)).await.unwrap().unwrap();

    // A deletion is noted as done, as `deletion_done` does it, one statement after the other.
    let mut noting = archive.db.begin_write().await.unwrap();
    Archive::guard(&mut noting, "acme").await.unwrap();
    sqlx::query("UPDATE archive_deletions SET state = 'done' WHERE deletion = $1")
        .bind(first.id)
        .execute(&mut *noting)
        .await
        .unwrap();
    let noted = async {
        wait::until("both people to wait for it", Duration::from_secs(60), || async {
            wait_for_rows(&bench, 2).await.then_some(())
        })
        .await
        .unwrap();
        // One that had the recordings and waited for the deletion would be waited for here.
        sqlx::query("UPDATE archive_recordings SET deleted_at = 1 WHERE recording = $1")
            .bind(first.recording.to_string())
            .execute(&mut *noting)
            .await?;
        noting.commit().await
    };
    let (noted, berta, dora) = tokio::join!(
        noted,
        archive.confirm_release(hold, "berta", at(1)),
        archive.confirm_release(hold, "dora", at(1))
    );
    noted.unwrap();
    let outcomes = [berta.unwrap(), dora.unwrap()];
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(Refusal::NoSuchHold))), "{outcomes:?}");
    let looked_at_again = "SELECT count(*) FROM archive_recordings WHERE next_look_at = $1";
    let (again,): (i64,) =
        sqlx::query_as(looked_at_again).bind(at(1).as_millisecond()).fetch_one(pool).await.unwrap();
    assert_eq!(again, 2, "those that are left are looked at again at once");
}

/// A configuration with a target `archive` at which deletion is what this word says.
fn with_target(deletion: &str) -> (TempDir, Policy, DropGuard) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yaml"), TENANT).unwrap();
    let target = format!(
        "apiVersion: callseal.io/v1alpha1\nkind: StorageTarget\nmetadata: {{name: archive, namespace: acme}}\n\
         spec: {{deletion: {deletion}, folder: {{path: archive}}}}\n"
    );
    fs::write(dir.path().join("b.yaml"), target).unwrap();
    let stop = CancellationToken::new();
    let policy = Policy::new(config::watch(dir.path(), stop.clone()).unwrap());
    (dir, policy, stop.drop_guard())
}

#[tokio::test]
async fn what_only_a_change_of_the_configuration_helps_is_looked_at_when_it_changes_and_not_each_day() {
    let bench = Bench::new().await;
    let id = bench.kept_until(-1).await;
    bench.brought(id, "archive", &["a.wav"]).await;
    let (_never_dir, never, _never) = with_target("never");
    let (_allowed_dir, allowed, _allowed) = with_target("allowed");
    let soon = SignedDuration::from_secs(60);
    let look = async |hours, policy| bench.archive.retain(policy, at(hours), soon).await.unwrap();
    let mut refused = 0;
    // Two weeks, hour by hour: once.
    for hours in 0..14 * 24 {
        refused += look(hours, &never).await.refused;
    }
    assert_eq!(refused, 1);
    // Somebody allows it, and the next look finds it, also after a restart: that is noted.
    let round = look(14 * 24, &allowed).await;
    assert_eq!((round.marked, round.refused), (1, 0));
}

#[tokio::test]
async fn the_names_of_a_folder_come_in_pages_and_each_of_them_once() {
    let bench = Bench::new().await;
    let id = bench.kept_until(1_000).await;
    let names: Vec<String> = (0..25).map(|number| format!("{number:03}_x.wav")).collect();
    bench.brought(id, "archive", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let folder = bench.archive.folder_after(None).await.unwrap().unwrap();
    let (mut last, mut found, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let page = bench.archive.files_after(&folder, &last, 10).await.unwrap();
        let Some(end) = page.last() else { break };
        assert!(page.len() <= 10);
        pages += 1;
        last.clone_from(&end.name);
        found.extend(page.into_iter().map(|known| known.name));
    }
    assert_eq!((pages, &found), (3, &names));
    assert!(bench.archive.still_has(&folder, id, &names[3]).await.unwrap());
    assert!(!bench.archive.still_has(&folder, id, "another.wav").await.unwrap());
}

#[tokio::test]
async fn deletions_that_something_broken_holds_up_are_told_and_those_that_people_hold_up_are_not() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        let id = bench.kept_until(-1).await;
        bench.archive.mark_due(&bench.tenant, id, &bench.policy, at(0)).await.unwrap().unwrap();
    }
    let [first, second, third]: [Deletion; 3] = bench.claimed(0).await.try_into().unwrap();
    assert_eq!(bench.archive.stuck_deletions().await.unwrap(), []);
    let stuck = |id, hours: i64, since: Option<i64>| {
        let problem = if since.is_some() { "the log is halted" } else { "legal hold 1 is over it" };
        bench.archive.postpone(id, at(hours + 1), problem, since.map(at))
    };
    stuck(first.id, 2, Some(2)).await.unwrap();
    stuck(second.id, 3, Some(3)).await.unwrap();
    stuck(third.id, 3, None).await.unwrap();
    // Still so at the next attempt: since the first one.
    stuck(first.id, 9, Some(9)).await.unwrap();
    let [told] = bench.archive.stuck_deletions().await.unwrap().try_into().unwrap();
    assert_eq!((told.count, told.since, told.problem.as_str()), (2, at(2), "the log is halted"));
    assert_eq!(told.recording, first.recording.to_string());
    stuck(first.id, 10, None).await.unwrap();
    bench.archive.deletion_done(&second, at(10)).await.unwrap();
    assert_eq!(bench.archive.stuck_deletions().await.unwrap(), []);
}

#[tokio::test]
async fn a_clock_in_doubt_is_told_as_long_as_that_lasts() {
    let bench = Bench::new().await;
    bench.retain(0).await;
    // Nor to somebody who looked at the clock a moment before.
    for hours in [0, -1] {
        assert_eq!(bench.archive.clock_in_doubt(at(hours)).await.unwrap(), None);
    }
    bench.retain(1_000).await;
    let told = bench.archive.clock_in_doubt(at(1_005)).await.unwrap().unwrap();
    assert_eq!(told.since, at(1_000));
    assert!(told.problem.contains("nothing is deleted by retention until 2027-01-04 01:00 UTC"), "{told:?}");
    assert_eq!(bench.archive.clock_in_doubt(at(1_024)).await.unwrap(), None);
}

#[tokio::test]
async fn of_a_tenant_that_has_its_hands_full_no_deletion_is_taken_up() {
    let bench = Bench::new().await;
    let id = bench.kept_until(-1).await;
    bench.archive.mark_due(&bench.tenant, id, &bench.policy, at(0)).await.unwrap().unwrap();
    let busy = [bench.tenant.clone()];
    assert!(bench.archive.claim_deletion(at(0), at(1), &busy).await.unwrap().is_none());
    let claimed = bench.archive.claim_deletion(at(0), at(1), &["beta".parse().unwrap()]).await.unwrap();
    let claimed = claimed.unwrap();
    // Given back when the service stops: nobody waits for the end of its time.
    assert!(bench.claimed(0).await.is_empty());
    bench.archive.free_deletions(&[claimed.id], at(0)).await.unwrap();
    assert_eq!(bench.claimed(0).await.len(), 1);
}
