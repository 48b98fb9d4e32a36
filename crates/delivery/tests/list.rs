//! The work list on SQLite, step by step with the clock as an argument.

mod list_of_test;

use std::{collections::BTreeSet, time::Duration};

use delivery::{Claim, Failed, Fault, Order, State, WorkList};
use domain::RecordingId;
use jiff::{SignedDuration, Timestamp};
use list_of_test::{BACKOFF, destination, order_for, sqlite};

const LEASE: Duration = Duration::from_secs(30);

fn later(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

async fn claimed(list: &WorkList, name: &str, at: i64) -> Order {
    match list.claim(&destination(name), LEASE, later(at)).await.unwrap() {
        Claim::Order(order) => *order,
        Claim::NotBefore(due) => panic!("nothing is due before {due:?}"),
    }
}

async fn nothing_before(list: &WorkList, name: &str, at: i64) -> Option<i64> {
    match list.claim(&destination(name), LEASE, later(at)).await.unwrap() {
        Claim::Order(order) => panic!("{order:?} is due"),
        Claim::NotBefore(due) => due.map(|due| due.as_second() - later(0).as_second()),
    }
}

fn away(problem: &str) -> Fault {
    Fault::Destination { problem: problem.into(), permanent: false }
}

#[tokio::test]
async fn orders_come_in_the_order_of_arrival_and_each_once() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let ids = [RecordingId::new(), RecordingId::new()];
    for _delivered_twice in 0..2 {
        list.enqueue(&ids.map(|id| order_for("archive", id)), later(0)).await.unwrap();
    }
    for id in ids {
        let order = claimed(&list, "archive", 1).await;
        assert_eq!((order.recording, order.payload.as_slice()), (id, id.to_string().as_bytes()));
        list.done(&order, later(1)).await.unwrap();
    }
    list.enqueue(&ids.map(|id| order_for("archive", id)), later(2)).await.unwrap();
    assert_eq!(nothing_before(&list, "archive", 3).await, None);
}

#[tokio::test]
async fn the_payload_is_wiped_when_an_order_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[order_for("archive", RecordingId::new())], later(0)).await.unwrap();
    list.done(&claimed(&list, "archive", 0).await, later(0)).await.unwrap();
    let left: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT payload FROM delivery_orders")
        .fetch_all(list.database().pool())
        .await
        .unwrap();
    assert_eq!(left, [(Vec::new(),)]);
}

#[tokio::test]
async fn a_recording_is_complete_when_its_last_order_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let id = RecordingId::new();
    list.enqueue(&[order_for("archive", id), order_for("second", id)], later(0)).await.unwrap();
    assert!(!list.done(&claimed(&list, "archive", 0).await, later(0)).await.unwrap().complete);
    let states = list.states_of(&destination("second").tenant, id).await.unwrap();
    assert_eq!(states, [(destination("archive"), State::Done), (destination("second"), State::Queued)]);
    assert!(list.done(&claimed(&list, "second", 0).await, later(0)).await.unwrap().complete);
}

#[tokio::test]
async fn a_failing_destination_holds_up_all_its_orders_and_no_other_destination() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let ids = [RecordingId::new(), RecordingId::new()];
    for name in ["dead", "alive"] {
        list.enqueue(&ids.map(|id| order_for(name, id)), later(0)).await.unwrap();
    }
    let order = claimed(&list, "dead", 0).await;
    let failed = list.failed(&order, &away("is down"), later(0), 0.0).await.unwrap();
    assert_eq!(failed, Failed::Retry { at: later(5), news: true });
    assert_eq!(nothing_before(&list, "dead", 4).await, Some(5));
    for id in ids {
        assert_eq!(claimed(&list, "alive", 1).await.recording, id);
    }

    // One order probes; the others wait until it is known how that went.
    let probe = claimed(&list, "dead", 5).await;
    assert_eq!((probe.recording, probe.attempts), (ids[0], 1));
    assert_eq!(nothing_before(&list, "dead", 6).await, Some(35));
    let failed = list.failed(&probe, &away("is down"), later(6), 0.0).await.unwrap();
    assert_eq!(failed, Failed::Retry { at: later(16), news: false });
    let probe = claimed(&list, "dead", 16).await;
    let failed = list.failed(&probe, &away("is full"), later(16), 0.0).await.unwrap();
    assert_eq!(failed, Failed::Retry { at: later(36), news: true });

    let done = list.done(&claimed(&list, "dead", 36).await, later(36)).await.unwrap();
    assert!(done.recovered);
    assert_eq!(claimed(&list, "dead", 36).await.recording, ids[1]);
}

#[tokio::test]
async fn orders_that_fail_together_count_as_one_fault_of_the_destination() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[(); 3].map(|()| order_for("dead", RecordingId::new())), later(0)).await.unwrap();
    let mut under_way = Vec::new();
    for _ in 0..3 {
        under_way.push(claimed(&list, "dead", 0).await);
    }
    for order in &under_way {
        list.failed(order, &away("is down"), later(1), 0.0).await.unwrap();
    }
    assert_eq!(nothing_before(&list, "dead", 1).await, Some(6));
}

#[tokio::test]
async fn a_destination_that_needs_a_person_is_probed_at_the_ceiling_until_the_configuration_changes() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[order_for("locked", RecordingId::new())], later(0)).await.unwrap();
    let refused = Fault::Destination { problem: "refuses the login".into(), permanent: true };
    list.failed(&claimed(&list, "locked", 0).await, &refused, later(0), 0.0).await.unwrap();
    assert_eq!(nothing_before(&list, "locked", 1).await, Some(BACKOFF.ceiling.as_secs() as i64));
    list.retry_now(later(2)).await.unwrap();
    claimed(&list, "locked", 2).await;
}

#[tokio::test]
async fn a_record_at_fault_is_set_aside_in_the_end_and_never_holds_up_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let (poison, good) = (RecordingId::new(), RecordingId::new());
    list.enqueue(&[order_for("archive", poison), order_for("archive", good)], later(0)).await.unwrap();
    let fault = Fault::Record { problem: "is damaged".into() };
    let first = list.failed(&claimed(&list, "archive", 0).await, &fault, later(0), 0.0).await.unwrap();
    assert_eq!(first, Failed::Retry { at: later(5), news: true });
    let order = claimed(&list, "archive", 0).await;
    assert_eq!(order.recording, good);
    list.done(&order, later(0)).await.unwrap();
    let (mut at, mut attempts, mut last) = (0, 1, first);
    while let Failed::Retry { at: due, .. } = last {
        at = due.as_second() - later(0).as_second();
        last = list.failed(&claimed(&list, "archive", at).await, &fault, later(at), 0.0).await.unwrap();
        attempts += 1;
    }
    assert_eq!((attempts, last), (8, Failed::SetAside));
    assert_eq!(list.backlog().await.unwrap()[0].state, State::SetAside);
    assert_eq!(list.retry(&destination("archive"), later(at)).await.unwrap(), 1);
    assert_eq!(claimed(&list, "archive", at).await.recording, poison);
}

#[tokio::test]
async fn an_order_is_free_again_when_its_worker_is_not_heard_of_and_the_late_worker_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[order_for("archive", RecordingId::new())], later(0)).await.unwrap();
    let first = claimed(&list, "archive", 0).await;
    assert!(list.renew(&first, LEASE, later(20)).await.unwrap());
    assert_eq!(nothing_before(&list, "archive", 49).await, Some(50));
    let second = claimed(&list, "archive", 50).await;
    assert!(!list.renew(&first, LEASE, later(51)).await.unwrap());
    let failed = list.failed(&first, &away("is down"), later(51), 0.0).await.unwrap();
    assert_eq!(failed, Failed::Superseded);
    assert!(list.renew(&second, LEASE, later(52)).await.unwrap());
}

#[tokio::test]
async fn after_a_restart_orders_in_hand_are_free_at_once_and_progress_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let id = RecordingId::new();
    list.enqueue(&[order_for("archive", id)], later(0)).await.unwrap();
    let order = claimed(&list, "archive", 0).await;
    list.note_progress(&order, "two files").await.unwrap();
    drop((list, order));
    let list = sqlite(dir.path()).await;
    let order = claimed(&list, "archive", 1).await;
    assert_eq!((order.recording, order.progress.as_deref(), order.attempts), (id, Some("two files"), 1));
}

#[tokio::test]
async fn orders_of_a_vanished_destination_are_kept_as_orphans_until_they_are_released() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[order_for("archive", RecordingId::new())], later(0)).await.unwrap();
    let gone = BTreeSet::from([destination("archive"), destination("never-used")]);
    assert_eq!(list.orphan(&gone).await.unwrap(), [destination("archive")]);
    assert_eq!(list.orphan(&gone).await.unwrap(), []);
    assert_eq!(list.backlog().await.unwrap()[0].state, State::Orphaned);
    // Neither a retry nor a changed configuration is the word that is waited for.
    list.retry_now(later(1)).await.unwrap();
    assert_eq!(list.retry(&destination("archive"), later(1)).await.unwrap(), 0);
    assert_eq!(nothing_before(&list, "archive", 1).await, None);
    assert_eq!(list.release(&destination("archive"), later(1)).await.unwrap(), 1);
    claimed(&list, "archive", 1).await;
}

#[tokio::test]
async fn a_retry_makes_a_failing_destination_due_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[order_for("dead", RecordingId::new())], later(0)).await.unwrap();
    list.failed(&claimed(&list, "dead", 0).await, &away("is down"), later(0), 0.0).await.unwrap();
    let standing = list.standings(&BTreeSet::from([destination("idle")])).await.unwrap();
    assert_eq!(standing.len(), 2);
    let trouble = standing[0].trouble.clone().unwrap();
    assert_eq!((trouble.problem.as_str(), trouble.needs_person), ("is down", false));
    assert_eq!((trouble.since, trouble.next_attempt), (later(0), later(5)));
    assert_eq!((standing[0].backlog[0].orders, &standing[1].trouble), (1, &None));

    assert_eq!(list.retry(&destination("dead"), later(1)).await.unwrap(), 1);
    list.done(&claimed(&list, "dead", 1).await, later(1)).await.unwrap();
    assert_eq!(list.standings(&BTreeSet::new()).await.unwrap(), []);
}

#[tokio::test]
async fn what_was_done_long_ago_is_forgotten_when_nothing_of_its_recording_is_open() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let (whole, partly) = (RecordingId::new(), RecordingId::new());
    list.enqueue(&[order_for("archive", whole), order_for("archive", partly)], later(0)).await.unwrap();
    list.enqueue(&[order_for("dead", partly)], later(0)).await.unwrap();
    for _ in 0..2 {
        list.done(&claimed(&list, "archive", 0).await, later(0)).await.unwrap();
    }
    assert_eq!(list.forget_done(DAY, later(3_600)).await.unwrap(), 0);
    assert_eq!(list.forget_done(DAY, later(2 * 24 * 3_600)).await.unwrap(), 1);
    let tenant = destination("archive").tenant;
    assert_eq!(list.states_of(&tenant, whole).await.unwrap(), []);
    assert_eq!(list.states_of(&tenant, partly).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_oldest_due_order_is_found_without_sorting_a_long_backlog() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "EXPLAIN QUERY PLAN SELECT position FROM delivery_orders WHERE tenant = 'a' AND destination = 'b' AND \
         state IN ('queued', 'running') AND ((state = 'queued' AND next_attempt_at <= 1) OR \
         (state = 'running' AND lease_until <= 1)) ORDER BY position LIMIT 1",
    )
    .fetch_all(list.database().pool())
    .await
    .unwrap();
    let steps: Vec<&str> = plan.iter().map(|(.., step)| step.as_str()).collect();
    assert!(steps.len() == 1 && steps[0].contains("delivery_orders_due"), "{steps:?}");
}
