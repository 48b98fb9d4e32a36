//! A list that keeps its order: an order that fails goes first when it is tried again.

mod list_of_test;

use delivery::{Claim, Fault, WorkList};
use domain::RecordingId;
use harness::postgres::Postgres;
use list_of_test::{BACKOFF, LEASE, away, claimed, destination, later, nothing_before, order_for, sqlite};
use sql::Database;

async fn with_three(list: &WorkList) -> [RecordingId; 3] {
    let ids = [RecordingId::new(), RecordingId::new(), RecordingId::new()];
    list.enqueue(&ids.map(|id| order_for("journal", id)), later(0)).await.unwrap();
    ids
}

#[tokio::test]
async fn a_failing_destination_is_probed_with_its_oldest_order_and_the_others_follow() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await.in_order();
    let ids = with_three(&list).await;
    let mut at = 0;
    for _ in 0..3 {
        let order = claimed(&list, "journal", at).await;
        assert_eq!(order.recording, ids[0]);
        list.failed(&order, &away("is down"), later(at), 0.0).await.unwrap();
        at = nothing_before(&list, "journal", at).await.unwrap();
    }
    for id in ids {
        let order = claimed(&list, "journal", at).await;
        assert_eq!(order.recording, id);
        assert!(list.done(&order, later(at)).await.unwrap().set_aside.is_empty());
    }
    assert_eq!(nothing_before(&list, "journal", at).await, None);
}

#[tokio::test]
async fn a_record_at_fault_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await.in_order();
    let ids = with_three(&list).await;
    let order = claimed(&list, "journal", 0).await;
    list.failed(&order, &Fault::record("too long"), later(0), 0.0).await.unwrap();
    for id in &ids[1..] {
        let order = claimed(&list, "journal", 1).await;
        assert_eq!(order.recording, *id);
        list.done(&order, later(1)).await.unwrap();
    }
    assert_eq!(claimed(&list, "journal", 5).await.recording, ids[0]);
}

#[tokio::test]
async fn of_several_replicas_one_at_a_time_has_orders_of_a_destination_in_hand() {
    let postgres = Postgres::start().await.unwrap();
    let open = || async {
        let db = Database::open(&postgres.url()).await.unwrap();
        WorkList::open(db, BACKOFF).await.unwrap().in_order()
    };
    let (here, there) = (open().await, open().await);
    let ids = with_three(&here).await;
    for round in 0..3 {
        let journal = destination("journal");
        let (one, other) = tokio::join!(
            here.claim(&journal, LEASE, later(round)),
            there.claim(&journal, LEASE, later(round))
        );
        let order = match (one.unwrap(), other.unwrap()) {
            (Claim::Order(order), Claim::NotBefore(until))
            | (Claim::NotBefore(until), Claim::Order(order)) => {
                assert_eq!(until, Some(later(round) + LEASE));
                order
            }
            both => panic!("{both:?}"),
        };
        assert_eq!(order.recording, ids[usize::try_from(round).unwrap()]);
        there.done(&order, later(round)).await.unwrap();
    }
    // Who has died with an order in hand keeps the others waiting until the lease has run out.
    let more = with_three(&here).await;
    claimed(&here, "journal", 10).await;
    assert_eq!(nothing_before(&there, "journal", 11).await, Some(40));
    assert_eq!(claimed(&there, "journal", 40).await.recording, more[0]);
}
