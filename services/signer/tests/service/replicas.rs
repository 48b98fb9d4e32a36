//! Several signers over one PostgreSQL.

use std::time::Duration;

use callseal_signer::{
    Options,
    state::{State, StateError, chain::SealedRow, seal_queue::Prepared},
};
use domain::{Class, Lane, RecordingId};
use evidence::log::{Entry, What};
use harness::postgres::Postgres;
use jiff::Timestamp;
use wire::recording_v1::RecordingSealed;

use crate::support::{
    bench::{Bench, Signer},
    call::{Call, said},
};

fn partitions(signer: &Signer) -> i64 {
    let families = signer.service.registry().gather();
    let family = families.iter().find(|family| family.name() == "callseal_signer_partitions");
    family.map_or(0, |family| family.get_metric()[0].get_gauge().get_value() as i64)
}

async fn shares(signers: &[&Signer], expected: &[i64]) {
    harness::wait::until("the partitions to be shared", Duration::from_secs(60), || async {
        (signers.iter().map(|signer| partitions(signer)).collect::<Vec<_>>() == expected).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_dies_in_mid_call_is_replaced_and_nothing_is_lost_or_doubled() {
    let bench = Bench::start().await;
    let postgres = Postgres::start().await.unwrap();
    let options = |replica: &str| Options {
        state: format!("{}?schema=signer", postgres.url()),
        replica: replica.parse().unwrap(),
        ..bench.options()
    };
    let one = bench.signer(options("one"));
    shares(&[&one], &[16]).await;
    let two = bench.signer(options("two"));
    shares(&[&one, &two], &[8, 8]).await;

    let calls: Vec<Call> = (0..24).map(|_| Call::new(6)).collect();
    for call in &calls {
        bench.publish(call.messages()[..4].to_vec()).await;
    }
    // The first one is the one that seals.
    one.kill().await;
    for call in &calls {
        bench.publish(call.messages()[4..].to_vec()).await;
    }
    for sealed in bench.announced(calls.len()).await {
        assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..6), said(1, 0..6)]);
    }
    shares(&[&two], &[16]).await;
    assert!(bench.nothing_announced_for(Duration::from_secs(1)).await);
    bench.audit_is_good(calls.len());

    // Back again: it gets its share, and leaves in order.
    let one = bench.signer(options("one"));
    shares(&[&one, &two], &[8, 8]).await;
    one.stop().await;
    shares(&[&two], &[16]).await;
    two.stop().await;
}

#[tokio::test]
async fn of_two_that_seal_in_one_lane_only_one_gets_the_next_place() {
    let postgres = Postgres::start().await.unwrap();
    let url = format!("{}?schema=signer", postgres.url());
    let (a, b) = (State::open(&url).await.unwrap(), State::open(&url).await.unwrap());
    let lane = Lane { tenant: "acme".parse().unwrap(), class: Class::Regulated };
    a.create_leases(&["seal".to_owned()]).await.unwrap();
    let lease = Duration::from_secs(60);
    let stale = a.take_lease("seal", "a", false, Duration::ZERO).await.unwrap().unwrap();
    a.ensure_log(&lane.tenant, "test").await.unwrap();
    let row = |recording| SealedRow {
        recording,
        prepared: Prepared { position: 1, ..Prepared::default() },
        message: RecordingSealed::default(),
        signature: format!("of {recording}"),
        entry: Entry { at: Timestamp::now(), tenant: lane.tenant.clone(), what: What::Heartbeat },
    };

    // Both believe that they hold the lease: the fence decides.
    let held = b.take_lease("seal", "b", true, lease).await.unwrap();
    let held = match held {
        Some(held) => held,
        None => {
            tokio::time::sleep(Duration::from_millis(20)).await;
            b.take_lease("seal", "b", true, lease).await.unwrap().unwrap()
        }
    };
    let refused = a.commit_sealed(&stale, &lane, &[row(RecordingId::new())]).await;
    assert!(matches!(refused, Err(StateError::Fenced(_))), "{refused:?}");

    // Even with one lease in two hands the head is compared, also when both commit at once.
    let (x, y) = (RecordingId::new(), RecordingId::new());
    let (of_x, of_y) = ([row(x)], [row(y)]);
    let (one, two) = tokio::join!(a.commit_sealed(&held, &lane, &of_x), b.commit_sealed(&held, &lane, &of_y));
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(), 1, "{one:?} {two:?}");
    assert_eq!(a.chain(&lane).await.unwrap().len(), 1);
    assert_eq!(a.log_head(&lane.tenant).await.unwrap().unwrap().size(), 1);
}
