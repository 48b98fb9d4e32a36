//! The work list on SQLite, step by step with the clock as an argument.

mod list_of_test;

use std::{collections::BTreeSet, time::Duration};

use delivery::{Asked, Claim, Failed, Fault, Order, State, WorkList};
use domain::RecordingId;
use jiff::SignedDuration;
use list_of_test::{BACKOFF, LEASE, away, claimed, destination, later, nothing_before, order_for, sqlite};

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

    // One order probes, each time another; the others wait until it is known how that went.
    let probe = claimed(&list, "dead", 5).await;
    assert_eq!((probe.recording, probe.attempts), (ids[1], 0));
    assert_eq!(nothing_before(&list, "dead", 6).await, Some(35));
    let failed = list.failed(&probe, &away("is down"), later(6), 0.0).await.unwrap();
    assert_eq!(failed, Failed::Retry { at: later(16), news: false });
    let probe = claimed(&list, "dead", 16).await;
    assert_eq!((probe.recording, probe.attempts), (ids[0], 1));
    let failed = list.failed(&probe, &away("is full"), later(16), 0.0).await.unwrap();
    assert_eq!(failed, Failed::Retry { at: later(36), news: true });

    let done = list.done(&claimed(&list, "dead", 36).await, later(36)).await.unwrap();
    assert!(done.recovered);
    // The one that was tried last in vain comes a moment later: it could have been its own fault.
    assert_eq!(nothing_before(&list, "dead", 40).await, Some(41));
    assert_eq!(claimed(&list, "dead", 41).await.recording, ids[0]);
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
    let refused = Fault::permanent("refuses the login");
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
    let fault = Fault::record("is damaged");
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
async fn a_server_that_asks_for_ages_is_asked_again_within_two_days() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[order_for("busy", RecordingId::new())], later(0)).await.unwrap();
    let busy = Fault::Destination {
        problem: "asks to be left alone".into(),
        permanent: false,
        not_before: Some(Duration::MAX),
    };
    list.failed(&claimed(&list, "busy", 0).await, &busy, later(0), 0.0).await.unwrap();
    let due = nothing_before(&list, "busy", 1).await.unwrap();
    assert!((86_400..2 * 86_400).contains(&due), "{due}");
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_accuses_no_record_and_is_left_alone_by_all() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[(); 3].map(|()| order_for("busy", RecordingId::new())), later(0)).await.unwrap();
    let busy = Fault::Destination {
        problem: "asks to be left alone".into(),
        permanent: false,
        not_before: Some(Duration::from_secs(60)),
    };
    let mut at = 0;
    // Ten times it takes another's recording in between, as throttling servers do.
    let large = claimed(&list, "busy", at).await;
    let small = claimed(&list, "busy", at).await;
    list.failed(&large, &busy, later(at), 0.0).await.unwrap();
    list.done(&small, later(at)).await.unwrap();
    for _ in 0..10 {
        at += 120;
        list.enqueue(&[order_for("busy", RecordingId::new())], later(at)).await.unwrap();
        let large = claimed(&list, "busy", at).await;
        let small = claimed(&list, "busy", at).await;
        list.failed(&large, &busy, later(at), 0.0).await.unwrap();
        assert!(nothing_before(&list, "busy", at + 59).await.is_some(), "all of them wait");
        assert_eq!(list.done(&small, later(at)).await.unwrap().set_aside, []);
    }
    assert!(list.backlog().await.unwrap().iter().all(|backlog| backlog.state == State::Queued));
}

#[tokio::test]
async fn what_a_server_asks_for_counts_and_not_the_back_off_also_beyond_its_ceiling() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[(); 2].map(|()| order_for("busy", RecordingId::new())), later(0)).await.unwrap();
    let busy = |seconds| Fault::Destination {
        problem: "asks to be left alone".into(),
        permanent: false,
        not_before: Some(Duration::from_secs(seconds)),
    };
    let (first, second) = (claimed(&list, "busy", 0).await, claimed(&list, "busy", 0).await);
    let failed = list.failed(&first, &busy(7_200), later(0), 0.0).await.unwrap();
    assert_eq!(failed, Failed::Retry { at: later(7_205), news: true });
    // What fails meanwhile does not shorten it.
    list.failed(&second, &away("is down"), later(1), 0.0).await.unwrap();
    assert_eq!(nothing_before(&list, "busy", 7_204).await, Some(7_205));
    let failed = list.failed(&claimed(&list, "busy", 7_205).await, &busy(0), later(7_205), 0.0).await;
    assert!(matches!(failed, Ok(Failed::Retry { at, .. }) if at == later(7_210)), "{failed:?}");
}

/// The server breaks the connection on one recording each time; all others get through.
#[tokio::test]
async fn a_recording_that_looks_like_a_dead_destination_is_found_out_and_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let ids: Vec<RecordingId> = (0..40).map(|_| RecordingId::new()).collect();
    let orders: Vec<_> = ids.iter().map(|id| order_for("archive", *id)).collect();
    list.enqueue(&orders, later(0)).await.unwrap();
    let (mut at, mut done, mut waited, mut aside) = (0, 0, 0, Vec::new());
    while done < 39 || aside.is_empty() {
        match list.claim(&destination("archive"), LEASE, later(at)).await.unwrap() {
            Claim::Order(order) if order.recording == ids[0] => {
                list.failed(&order, &away("the connection broke"), later(at), 0.0).await.unwrap();
            }
            Claim::Order(order) => {
                aside.extend(list.done(&order, later(at)).await.unwrap().set_aside);
                done += 1;
            }
            Claim::NotBefore(due) => {
                let due = due.unwrap().as_second() - later(0).as_second();
                waited += i64::from(done < 39) * (due - at);
                at = due;
                if done >= 39 {
                    // More come as time goes by.
                    list.enqueue(&[order_for("archive", RecordingId::new())], later(at)).await.unwrap();
                }
            }
        }
        assert!(at < 7_200, "it is still tried: {done} done");
    }
    assert_eq!(aside, [(ids[0], "the connection broke".to_owned())]);
    assert!(waited <= 30, "the others waited {waited} s for it");
    let backlog = list.backlog().await.unwrap();
    assert!(backlog.iter().any(|entry| entry.state == State::SetAside && entry.orders == 1), "{backlog:?}");
}

#[tokio::test]
async fn a_destination_that_is_really_down_sets_nothing_aside_however_long_it_takes() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let ids: Vec<RecordingId> = (0..5).map(|_| RecordingId::new()).collect();
    list.enqueue(&ids.iter().map(|id| order_for("dead", *id)).collect::<Vec<_>>(), later(0)).await.unwrap();
    let (mut at, mut probes) = (0, Vec::new());
    while probes.len() < 40 {
        match list.claim(&destination("dead"), LEASE, later(at)).await.unwrap() {
            Claim::Order(order) => {
                probes.push(order.recording);
                list.failed(&order, &away("is down"), later(at), 0.0).await.unwrap();
            }
            Claim::NotBefore(due) => at = due.unwrap().as_second() - later(0).as_second(),
        }
    }
    assert_eq!(probes[..5], ids, "each attempt is made with another one");
    let first = claimed_after(&list, "dead", &mut at).await;
    let done = list.done(&first, later(at)).await.unwrap();
    assert!(done.recovered && done.set_aside.is_empty());
    // Those that were tried in vain come a moment later.
    for _ in 0..4 {
        let order = claimed_after(&list, "dead", &mut at).await;
        list.done(&order, later(at)).await.unwrap();
    }
    assert_eq!(list.backlog().await.unwrap(), []);
}

async fn claimed_after(list: &WorkList, name: &str, at: &mut i64) -> Order {
    loop {
        match list.claim(&destination(name), LEASE, later(*at)).await.unwrap() {
            Claim::Order(order) => return *order,
            Claim::NotBefore(due) => *at = due.unwrap().as_second() - later(0).as_second(),
        }
    }
}

#[tokio::test]
async fn only_what_came_by_then_is_taken_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let (early, late) = (RecordingId::new(), RecordingId::new());
    list.enqueue(&[order_for("mail", early)], later(0)).await.unwrap();
    list.enqueue(&[order_for("mail", late)], later(100)).await.unwrap();
    let mail = destination("mail");
    let take = || list.claim_arrived(&mail, LEASE, later(200), Some(later(50)));
    assert!(matches!(take().await.unwrap(), Claim::Order(order) if order.recording == early));
    // Only the one in hand may come free: a worker that looked for the other would never rest.
    let Claim::NotBefore(due) = take().await.unwrap() else { panic!("it came too late") };
    assert_eq!(due, Some(later(200) + SignedDuration::try_from(LEASE).unwrap()));
}

#[tokio::test]
async fn a_damaged_row_stops_neither_the_list_nor_the_orders_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let ids = [RecordingId::new(), RecordingId::new()];
    list.enqueue(&ids.map(|id| order_for("archive", id)), later(0)).await.unwrap();
    sqlx::query("UPDATE delivery_orders SET recording = 'damaged' WHERE recording = $1")
        .bind(ids[0].to_string())
        .execute(list.database().pool())
        .await
        .unwrap();
    assert_eq!(claimed_after(&list, "archive", &mut 1).await.recording, ids[1]);
    assert_eq!(list.shipments(&Asked::default()).await.unwrap().shipments.len(), 1);
    assert_eq!(list.backlog().await.unwrap().len(), 2);
}

#[tokio::test]
async fn orphans_are_given_up_by_a_persons_word_alone_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let (both, alone) = (RecordingId::new(), RecordingId::new());
    list.enqueue(&[order_for("old", both), order_for("archive", both), order_for("old", alone)], later(0))
        .await
        .unwrap();
    assert_eq!(list.abandon(&destination("old"), "by jane", later(1)).await.unwrap(), []);
    let order = claimed(&list, "old", 1).await;
    list.keep_bookmark(&order, ".wav", Some(b"a credential".to_vec()), later(1)).await.unwrap();
    list.failed(&order, &Fault::BrokenOff, later(1), 0.0).await.unwrap();
    list.orphan(&BTreeSet::from([destination("old")]), later(1_000_000)).await.unwrap();
    assert!(!list.done(&claimed(&list, "archive", 1).await, later(1)).await.unwrap().complete);
    let mut given_up = list.abandon(&destination("old"), "by jane: sold", later(2)).await.unwrap();
    let left: Vec<(i64,)> = sqlx::query_as(
        "SELECT position FROM delivery_files WHERE stored_name IS NOT NULL OR bookmark IS NOT NULL",
    )
    .fetch_all(list.database().pool())
    .await
    .unwrap();
    assert_eq!(left, [], "neither names nor credentials are kept of what was given up");
    given_up.sort_unstable();
    assert_eq!(given_up, [both, alone]);
    assert!(list.open_recordings().await.unwrap().is_empty());
    let asked = Asked { name: Some("old".into()), ..Asked::default() };
    let shown = list.shipments(&asked).await.unwrap().shipments;
    assert!(shown.iter().all(|s| s.state == State::Abandoned && s.note.as_deref() == Some("by jane: sold")));
    // What nobody has is remembered for ever.
    list.forget_done(Duration::from_secs(1), later(1_000)).await.unwrap();
    let left = list.shipments(&Asked::default()).await.unwrap().shipments;
    assert_eq!(left.iter().map(|s| s.recording).collect::<Vec<_>>(), [alone]);
}

#[tokio::test]
async fn a_recording_can_be_tried_again_wherever_it_waits_and_a_long_list_comes_in_pages() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    let ids: Vec<RecordingId> = (0..700).map(|_| RecordingId::new()).collect();
    list.enqueue(&ids.iter().map(|id| order_for("archive", *id)).collect::<Vec<_>>(), later(0))
        .await
        .unwrap();
    list.failed(&claimed(&list, "archive", 0).await, &away("is down"), later(0), 0.0).await.unwrap();
    assert_eq!(list.retry_recording(ids[600], later(1)).await.unwrap(), 1);
    // A failing destination is probed with it.
    list.failed(&claimed(&list, "archive", 1).await, &away("is down"), later(1), 0.0).await.unwrap();
    let (mut found, mut asked) = (Vec::new(), Asked::default());
    loop {
        let page = list.shipments(&asked).await.unwrap();
        assert!(page.shipments.len() <= 300);
        found.extend(page.shipments.iter().map(|shipment| shipment.recording));
        let Some(next) = page.next else { break };
        asked.after = next;
    }
    assert_eq!(found, ids);
    let failed = Asked { failed: true, ..Asked::default() };
    assert_eq!(list.shipments(&failed).await.unwrap().shipments.len(), 2);
}

#[tokio::test]
async fn orders_of_a_vanished_destination_are_kept_as_orphans_until_they_are_released() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    list.enqueue(&[order_for("archive", RecordingId::new())], later(0)).await.unwrap();
    let gone = BTreeSet::from([destination("archive"), destination("never-used")]);
    // It came when the configuration had been looked at: perhaps with the destination itself.
    assert_eq!(list.orphan(&gone, later(0)).await.unwrap(), []);
    assert_eq!(list.orphan(&gone, later(1)).await.unwrap(), [destination("archive")]);
    assert_eq!(list.orphan(&gone, later(1)).await.unwrap(), []);
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
         (state = 'running' AND lease_until <= 1)) AND enqueued_at <= 1 ORDER BY position LIMIT 1",
    )
    .fetch_all(list.database().pool())
    .await
    .unwrap();
    let steps: Vec<&str> = plan.iter().map(|(.., step)| step.as_str()).collect();
    assert!(steps.len() == 1 && steps[0].contains("delivery_orders_due"), "{steps:?}");
}
