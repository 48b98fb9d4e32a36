//! From signer's outbox to shipper and journal.

use std::time::Duration;

use wire::recording_v1::RecordingSealed;

use crate::setup::*;

fn sealed() -> RecordingSealed {
    RecordingSealed { recording_id: recording().to_string(), tenant: "acme".into(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_consumer_gets_each_recording_once_even_if_it_comes_later_than_the_announcement() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let all: Vec<_> = (0..5).map(|_| sealed()).collect();
    for one in &all {
        bus.publish_sealed(one).await.unwrap();
        // The outbox was not sure.
        bus.publish_sealed(one).await.unwrap();
    }
    // Whoever gets this one next got no double before.
    let last = sealed();
    bus.publish_sealed(&last).await.unwrap();
    for name in ["shipper", "journal"] {
        let mut consumer = bus.sealed(name).await.unwrap();
        for one in all.iter().chain([&last]) {
            let delivery = soon("the next recording", consumer.next()).await.unwrap();
            assert_eq!(&delivery.message, one);
            assert_eq!(delivery.attempt, 1);
            delivery.ack().await.unwrap();
        }
    }
    let raw = nats.raw().await;
    soon("what all have acknowledged to be gone", async {
        while raw.get_stream("SEALED").await.unwrap().cached_info().state.messages > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn announcements_that_are_there_come_together_in_their_order_and_what_another_reader_has_is_seen() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let all: Vec<_> = (0..40).map(|_| sealed()).collect();
    for one in &all {
        bus.publish_sealed(one).await.unwrap();
    }
    let mut reader = bus.sealed("journal").await.unwrap();
    let (mut read, mut most) = (Vec::new(), 0);
    while read.len() < all.len() {
        let some = soon("the next ones", reader.next_some(7)).await.unwrap();
        most = most.max(some.len());
        read.extend(some);
    }
    assert!((2..=7).contains(&most), "{most} at once");
    let messages: Vec<_> = read.iter().map(|delivery| &delivery.message).collect();
    assert_eq!(messages, all.iter().collect::<Vec<_>>());

    let other = bus.sealed("journal").await.unwrap();
    let (after, before) = (read[9].sequence, read[13].sequence);
    assert_eq!(other.not_acknowledged(after, before).await.unwrap(), all[10..13]);
    assert_eq!(other.not_acknowledged(after, after + 1).await.unwrap(), []);
    for delivery in read.drain(..12) {
        delivery.ack().await.unwrap();
    }
    assert_eq!(other.not_acknowledged(after, before).await.unwrap(), all[12..13]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_goes_on_after_a_restart_of_the_server_and_gets_again_what_it_did_not_acknowledge() {
    let mut nats = Nats::start();
    let bus = nats.bus().await;
    let mut consumer = bus.sealed("shipper").await.unwrap();
    let (first, second) = (sealed(), sealed());
    bus.publish_sealed(&first).await.unwrap();
    let delivery = soon("the first", consumer.next()).await.unwrap();
    // Whoever follows a reader that died sees at once what that one had at hand.
    let follower = bus.sealed("shipper").await.unwrap();
    assert_eq!(follower.handed_out().await.unwrap(), std::slice::from_ref(&first));
    delivery.ack().await.unwrap();
    assert!(follower.handed_out().await.unwrap().is_empty());
    nats.kill();
    until("disconnected", || !bus.is_connected()).await;
    assert!(bus.publish_sealed(&second).await.is_err(), "not stored is not said to be");
    nats.restart();
    until("connected", || bus.is_connected()).await;
    bus.publish_sealed(&second).await.unwrap();
    let mut delivery = soon("the second", consumer.next()).await.unwrap();
    if delivery.message == first {
        // A server that is killed may forget an acknowledgement: delivery is at least once.
        delivery.ack().await.unwrap();
        delivery = soon("the second", consumer.next()).await.unwrap();
    }
    assert_eq!(delivery.message, second);
    delivery.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_or_handled_goes_to_dead_and_holds_up_nothing() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let raw = nats.raw().await;
    raw.publish("sealed.acme.x", "\u{1}not protobuf".into()).await.unwrap().await.unwrap();
    let (unusable, good) = (sealed(), sealed());
    bus.publish_sealed(&unusable).await.unwrap();
    bus.publish_sealed(&good).await.unwrap();
    let mut consumer = bus.sealed("journal").await.unwrap();
    let delivery = soon("the readable one", consumer.next()).await.unwrap();
    assert_eq!(delivery.message, unusable);
    delivery.dead_letter("names no target").await.unwrap();
    let delivery = soon("the good one", consumer.next()).await.unwrap();
    assert_eq!(delivery.message, good);
    delivery.ack().await.unwrap();
    let dead = raw.get_stream("DEAD").await.unwrap();
    assert_eq!(dead.cached_info().state.messages, 2);
    let last = dead.get_last_raw_message_by_subject("dead.SEALED").await.unwrap();
    assert_eq!(last.headers.get("Callseal-Reason").unwrap().as_str(), "names no target");
}
