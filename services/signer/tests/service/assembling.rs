//! Messages in any order, several times, over restarts: the same recording comes out.

use std::time::Duration;

use domain::partition::partition_of;
use wire::call_v1::CallMessage;

use crate::support::{
    bench::Bench,
    call::{Call, said},
};

/// Mixes deterministically and sends every third message twice.
fn mixed(messages: Vec<CallMessage>, seed: u64) -> Vec<CallMessage> {
    let mut keyed: Vec<(u64, CallMessage)> = messages
        .iter()
        .chain(messages.iter().step_by(3))
        .cloned()
        .enumerate()
        .map(|(at, message)| {
            ((at as u64 + 1).wrapping_mul(seed | 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 7, message)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, message)| message).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_in_any_order_and_twice_make_the_same_recording() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let calls: Vec<Call> = (0..8).map(|_| Call::new(6)).collect();
    for (seed, call) in (1..).zip(&calls) {
        bench.publish(mixed(call.messages(), seed)).await;
    }
    for sealed in bench.announced(calls.len()).await {
        assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..6), said(1, 0..6)]);
        assert_eq!(bench.info_value(&sealed, "Interrupted").as_deref(), Some("no"));
    }
    bench.audit_is_good(calls.len());
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_dies_in_mid_call_goes_on_from_its_mark_and_the_stream_is_purged() {
    let bench = Bench::start().await;
    let call = Call::new(20);
    let messages = call.messages();
    let part = partition_of(&call.tenant, &call.recording);
    let mut marks = vec![0];
    // Three lives of the signer; each stores some of the call and dies with more in memory.
    for third in 0..3 {
        let signer = bench.signer(bench.options());
        bench.publish(messages[third * 5..(third + 1) * 5].to_vec()).await;
        let (state, before) = (bench.state().await, marks[third]);
        let mark = harness::wait::until("the mark to move", Duration::from_secs(60), || async {
            Some(state.mark(part).await.unwrap()).filter(|mark| *mark >= before + 5)
        })
        .await
        .unwrap();
        marks.push(mark);
        harness::wait::until("the purge", Duration::from_secs(60), || async {
            (bench.messages_in("CALLS").await == 0).then_some(())
        })
        .await
        .unwrap();
        signer.kill().await;
    }
    // What was published while nobody was there, with doubles of what is stored.
    bench.publish(messages[2..8].to_vec()).await;
    bench.publish(messages[15..].to_vec()).await;
    let signer = bench.signer(bench.options());
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..20), said(1, 0..20)]);
    bench.audit_is_good(1);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_order_stores_everything_and_hands_the_leases_back() {
    let bench = Bench::start().await;
    let mut options = bench.options();
    options.flush_every_s = 3_600.0;
    options.lease_s = 3_600.0;
    let signer = bench.signer(options.clone());
    let call = Call::new(4);
    let messages = call.messages();
    bench.publish(messages[..3].to_vec()).await;
    let part = partition_of(&call.tenant, &call.recording);
    let read = bench.bus.partition(part).last_sequence().await.unwrap();
    signer.has_taken(3).await;
    signer.stop().await;
    assert_eq!(bench.state().await.mark(part).await.unwrap(), read);
    // Another replica finds the leases free although they would have lasted an hour.
    options.replica = "other".parse().unwrap();
    let signer = bench.signer(options);
    bench.publish(messages[3..].to_vec()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..4), said(1, 0..4)]);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_can_be_held_is_read_from_the_stream_again() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let call = Call::new(400);
    let mut messages = call.messages();
    let second = messages.remove(1);
    bench.publish(messages).await;
    // Long enough for several flushes with the hole.
    tokio::time::sleep(Duration::from_secs(2)).await;
    bench.publish([second]).await;
    let sealed = bench.announced(1).await.remove(0);
    assert!(bench.channels(&sealed, ".wav") == [said(0, 0..400), said(1, 0..400)]);
    bench.audit_is_good(1);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_goes_to_the_dead_letters_and_disturbs_nobody() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let call = Call::new(2);
    let client = async_nats::connect(bench.nats.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let subject = bus::subjects::call(&call.tenant, &call.recording);
    jetstream.publish(subject, "\u{1}garbage".into()).await.unwrap().await.unwrap();
    bench.publish(call.messages()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..2), said(1, 0..2)]);
    assert_eq!(bench.messages_in("DEAD").await, 1);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_recorder_was_restarted_is_sealed_as_interrupted_up_to_its_last_message() {
    let bench = Bench::start().await;
    let signer = bench.signer(bench.options());
    let (call, other) = (Call::new(9), Call { node: "ingest-2".to_owned(), ..Call::new(2) });
    bench.publish(call.messages()[..4].to_vec()).await;
    bench.publish(other.messages()[..2].to_vec()).await;
    bench.publish_everywhere(call.node_started_anew()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(sealed.recording_id, call.recording.to_string());
    assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..3), said(1, 0..3)]);
    let why = bench.info_value(&sealed, "Interrupted").unwrap();
    assert_eq!(why, "the recorder was restarted during the call");
    // The call on another node was not touched.
    bench.publish(other.messages()[2..].to_vec()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(bench.info_value(&sealed, "Interrupted").as_deref(), Some("no"));
    bench.audit_is_good(2);
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_which_nothing_is_heard_any_more_is_sealed_as_interrupted() {
    let bench = Bench::start().await;
    let mut options = bench.options();
    options.interrupted_after_s = 4.0;
    let signer = bench.signer(options);
    let call = Call::new(9);
    bench.publish(call.messages()[..3].to_vec()).await;
    let sealed = bench.announced(1).await.remove(0);
    assert_eq!(bench.channels(&sealed, ".wav"), [said(0, 0..2), said(1, 0..2)]);
    assert!(bench.info_value(&sealed, "Interrupted").unwrap().starts_with("the recorder sent nothing for"));
    signer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bus_that_is_connected_and_does_not_answer_makes_no_call_silent() {
    let bench = Bench::start().await;
    let mut options = bench.options();
    options.interrupted_after_s = 6.0;
    let signer = bench.signer(options);
    let call = Call::new(9);
    bench.publish(call.messages()[..3].to_vec()).await;
    signer.has_taken(3).await;
    // Stands for JetStream that has no leader or no disk.
    let client = async_nats::connect(bench.nats.url()).await.unwrap();
    async_nats::jetstream::new(client).delete_stream("CALLS").await.unwrap();
    tokio::time::sleep(Duration::from_secs(8)).await;
    bench.bus.ensure_streams().await.unwrap();
    // The recorder gets as long as ever to deliver what it has kept.
    assert!(bench.nothing_announced_for(Duration::from_millis(1_500)).await);
    signer.stop().await;
}
