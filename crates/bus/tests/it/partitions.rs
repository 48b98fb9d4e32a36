//! Signer's view: read from a mark, purge, survive.

use std::time::Duration;

use crate::setup::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_goes_on_over_restarts_of_the_server_without_a_skip_or_a_repetition() {
    let mut nats = Nats::start();
    let bus = nats.bus().await;
    let publisher = nats.publisher(&bus).await;
    let mut call = publisher.call(&tenant(), recording());
    let sender = tokio::spawn(async move {
        for _ in 0..600 {
            call.send(audio(2_000));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let reading = tokio::spawn({
        let bus = bus.clone();
        async move {
            let mut reader = bus.partition(PARTITION).read_from(0).await.unwrap();
            let (mut sequences, mut numbers) = (Vec::new(), std::collections::BTreeSet::new());
            while numbers.len() < 600 {
                let entry = soon("the next message", reader.next()).await.unwrap();
                sequences.push(entry.sequence);
                let message = entry.content.unwrap();
                if !is_node_started(&message) {
                    numbers.insert(message.number);
                }
            }
            sequences
        }
    });
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        nats.kill();
        tokio::time::sleep(Duration::from_millis(700)).await;
        nats.restart();
    }
    sender.await.unwrap();
    let sequences = reading.await.unwrap();
    // A second reader, undisturbed, has to see the same.
    let mut reader = bus.partition(PARTITION).read_from(0).await.unwrap();
    for sequence in sequences {
        assert_eq!(soon("the same again", reader.next()).await.unwrap().sequence, sequence);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_deletes_up_to_the_mark_and_in_its_partition_only() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let partition = bus.partition(PARTITION);
    assert_eq!(partition.last_sequence().await.unwrap(), 0);
    let publisher = nats.publisher(&bus).await;
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    (0..10).for_each(|_| call.send(audio(10)));
    soon("all acknowledged", publisher.drained()).await;
    let other = bus.partition(PARTITION + 1);
    until("the node has started", || publisher.pressure() == bus::Pressure::Normal).await;
    let mut reader = partition.read_from(1).await.unwrap();
    let mut sequences = Vec::new();
    for _ in 0..11 {
        let entry = soon("the next message", reader.next()).await.unwrap();
        assert!(entry.stored_unix_us > 1_700_000_000_000_000);
        sequences.push(entry.sequence);
    }
    assert_eq!(partition.last_sequence().await.unwrap(), sequences[10]);
    let other_last = soon("the other partition", async {
        loop {
            match other.last_sequence().await.unwrap() {
                0 => tokio::time::sleep(Duration::from_millis(10)).await,
                last => return last,
            }
        }
    })
    .await;

    partition.purge_to(sequences[4]).await.unwrap();
    partition.purge_to(sequences[4]).await.unwrap();
    let mut reader = partition.read_from(0).await.unwrap();
    assert_eq!(soon("the first that is left", reader.next()).await.unwrap().sequence, sequences[5]);
    let mut reader = partition.read_from(sequences[7]).await.unwrap();
    assert_eq!(soon("the first wanted", reader.next()).await.unwrap().sequence, sequences[7]);
    partition.purge_to(sequences[10]).await.unwrap();
    assert_eq!(partition.last_sequence().await.unwrap(), 0);
    assert_eq!(other.last_sequence().await.unwrap(), other_last);
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_handed_out_as_such_and_can_be_buried_with_its_bytes() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let raw = nats.raw().await;
    let subject = format!("calls.05.acme.{}", recording());
    raw.publish(subject, "\u{1}not protobuf".into()).await.unwrap().await.unwrap();
    let publisher = nats.publisher(&bus).await;
    let recording = recording();
    publisher.call(&tenant(), recording).send(audio(1));
    let mut reader = bus.partition(PARTITION).read_from(0).await.unwrap();
    let entry = soon("the poison", reader.next()).await.unwrap();
    let poison = entry.content.unwrap_err();
    bus.dead_letter("CALLS", entry.sequence, &poison.reason, &poison.payload).await.unwrap();
    // Twice, as after a crash between burying and the mark: stored once.
    bus.dead_letter("CALLS", entry.sequence, &poison.reason, &poison.payload).await.unwrap();
    let dead = raw.get_stream("DEAD").await.unwrap();
    assert_eq!(dead.cached_info().state.messages, 1);
    let kept = dead.get_last_raw_message_by_subject("dead.CALLS").await.unwrap();
    assert_eq!(&kept.payload[..], b"\x01not protobuf");
    assert_eq!(kept.headers.get("Callseal-Sequence").unwrap().as_str(), entry.sequence.to_string());
    loop {
        let entry = soon("reading goes on", reader.next()).await.unwrap();
        if !is_node_started(&entry.content.unwrap()) {
            break;
        }
    }
}
