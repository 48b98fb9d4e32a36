//! The way from ingest to CALLS, with NATS away, full or back.

use std::{collections::BTreeMap, time::Duration};

use bus::{Bus, BusError, BusOptions, CallPublisher, CallPublisherOptions, Pressure};
use tokio_util::sync::CancellationToken;

use crate::setup::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_arrives_numbered_without_a_hole() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let publisher = nats.publisher(&bus).await;
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    (0..200).for_each(|_| call.send(audio(8_000)));
    soon("all acknowledged", publisher.drained()).await;
    let seen = messages(&bus, |seen| numbers(seen, recording).len() == 200).await;
    assert_eq!(numbers(&seen, recording), (0..200).collect::<Vec<_>>());
    let first = seen.iter().find(|m| m.recording_id == recording.to_string()).unwrap();
    assert_eq!((first.tenant.as_str(), first.node.as_str()), ("acme", "node-1"));
    assert_eq!(first.epoch, publisher.epoch().to_string());
    until("the spool was not needed", || publisher.pressure() == Pressure::Normal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_can_be_sent_from_a_thread_without_a_runtime() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let publisher = nats.publisher(&bus).await;
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    std::thread::spawn(move || (0..5).for_each(|_| call.send(audio(10)))).join().unwrap();
    messages(&bus, |seen| numbers(seen, recording).len() == 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missing_after_nats_was_killed_under_a_call() {
    let mut nats = Nats::start();
    let bus = nats.bus().await;
    let publisher = nats.publisher(&bus).await;
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    let sender = tokio::spawn(async move {
        for _ in 0..400 {
            call.send(audio(4_000));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    nats.kill();
    until("calls go to the spool", || publisher.pressure() == Pressure::Spooling).await;
    soon("what is spooled is safe", publisher.drained()).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    nats.restart();
    sender.await.unwrap();
    let seen = messages(&bus, |seen| numbers(seen, recording).len() == 400).await;
    assert_eq!(numbers(&seen, recording), (0..400).collect::<Vec<_>>());
    until("the spool is empty again", || publisher.pressure() == Pressure::Normal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_taken_while_nats_has_never_been_there() {
    let mut nats = Nats::start();
    nats.kill();
    let bus = Bus::connect(BusOptions::new(nats.url(), "test")).await.unwrap();
    assert!(!bus.is_connected());
    let publisher = nats.publisher(&bus).await;
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    (0..20).for_each(|_| call.send(audio(100)));
    soon("all in the spool", publisher.drained()).await;
    assert!(matches!(bus.ensure_streams().await, Err(BusError::NotConnected)));
    let making = tokio::spawn({
        let bus = bus.clone();
        async move { bus.ensure_streams_when_reachable(CancellationToken::new()).await }
    });
    nats.restart();
    soon("the streams", making).await.unwrap().unwrap();
    messages(&bus, |seen| numbers(seen, recording).len() == 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_sends_calls_to_the_spool_until_it_is_purged() {
    let nats = Nats::start();
    let bus = nats.bus_with(|options| options.calls_max_bytes = 1 << 20).await;
    let publisher = nats.publisher(&bus).await;
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    // 3 MiB into 1 MiB.
    (0..96).for_each(|_| call.send(audio(32 << 10)));
    soon("all safe", publisher.drained()).await;
    assert_eq!(publisher.pressure(), Pressure::Spooling);
    let partition = bus.partition(PARTITION);
    let mut reader = partition.read_from(0).await.unwrap();
    let mut seen = Vec::new();
    // As signer does: read, flush, purge.
    while numbers(&seen, recording).len() < 96 {
        let entry = soon("the next message", reader.next()).await.unwrap();
        seen.push(entry.content.unwrap());
        if seen.len().is_multiple_of(8) {
            partition.purge_to(entry.sequence).await.unwrap();
        }
    }
    assert_eq!(numbers(&seen, recording), (0..96).collect::<Vec<_>>());
    partition.purge_to(u64::MAX - 1).await.unwrap();
    until("the spool is empty again", || publisher.pressure() == Pressure::Normal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_never_holds_only_what_waits_for_a_message_outside() {
    let nats = Nats::start();
    let bus = nats.bus_with(|options| options.calls_max_bytes = 1 << 20).await;
    let publisher = nats.publisher(&bus).await;
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    const COUNT: u64 = 400;
    // Of mixed sizes: a small one fits where a large one is refused.
    let sender = tokio::spawn(async move {
        for number in 0..COUNT {
            call.send(audio(if number % 3 == 0 { 1 << 10 } else { 32 << 10 }));
            if number % 8 == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let partition = bus.partition(PARTITION);
    let mut reader = partition.read_from(0).await.unwrap();
    // As signer does: what waits for an earlier number stays in the stream, and all behind it.
    let (mut next, mut held, mut read) = (0, BTreeMap::new(), 0);
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    // On its own: however long the next one takes, waiting for it is not begun anew.
    tokio::spawn(async move { while tell.send(reader.next().await.unwrap()).await.is_ok() {} });
    let assembled = async {
        while next < COUNT {
            let entry = tokio::time::timeout(Duration::from_millis(50), told.recv()).await;
            if let Ok(entry) = entry.map(Option::unwrap) {
                read = entry.sequence;
                held.insert(entry.content.unwrap().number, read);
                while held.remove(&next).is_some() {
                    next += 1;
                }
                held.retain(|number, _| *number > next);
            } else {
                let keep_from = held.values().min().copied().unwrap_or(read + 1);
                partition.purge_to(keep_from - 1).await.unwrap();
            }
        }
    };
    soon("all of the call", assembled).await;
    sender.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nearly_full_spool_refuses_new_calls_and_keeps_running_ones() {
    let mut nats = Nats::start();
    let bus = nats.bus().await;
    nats.kill();
    until("disconnected", || !bus.is_connected()).await;
    let options = CallPublisherOptions {
        spool_max_bytes: 1 << 20,
        ..CallPublisherOptions::new("node-1".parse().unwrap(), nats.spool_dir())
    };
    let publisher = CallPublisher::start(bus.clone(), options, CancellationToken::new()).await.unwrap();
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    (0..12).for_each(|_| call.send(audio(64 << 10)));
    assert_eq!(publisher.pressure(), Pressure::Spooling);
    (0..4).for_each(|_| call.send(audio(64 << 10)));
    assert_eq!(publisher.pressure(), Pressure::Full);
    (0..8).for_each(|_| call.send(audio(64 << 10)));
    soon("all safe, even beyond the limit", publisher.drained()).await;
    nats.restart();
    messages(&bus, |seen| numbers(seen, recording).len() == 24).await;
    until("new calls are taken again", || publisher.pressure() == Pressure::Normal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_may_be_in_flight_goes_through_the_spool() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let options = CallPublisherOptions {
        max_in_flight: 2,
        ..CallPublisherOptions::new("node-1".parse().unwrap(), nats.spool_dir())
    };
    let publisher = CallPublisher::start(bus.clone(), options, CancellationToken::new()).await.unwrap();
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    (0..500).for_each(|_| call.send(audio(2_000)));
    let seen = messages(&bus, |seen| numbers(seen, recording).len() == 500).await;
    assert_eq!(numbers(&seen, recording), (0..500).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_nats_never_takes_is_kept_as_a_file_and_holds_up_nothing() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let publisher = nats.publisher(&bus).await;
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    call.send(audio(10));
    call.send(audio(1_200_000));
    call.send(audio(10));
    soon("all settled", publisher.drained()).await;
    messages(&bus, |seen| numbers(seen, recording).len() == 2).await;
    // Those on either side may have overtaken it, and files are not written in one moment.
    let kept = || -> Vec<u64> {
        let files = std::fs::read_dir(nats.spool_dir().join("set-aside")).into_iter().flatten().flatten();
        files.map(|file| file.metadata().unwrap().len()).collect()
    };
    until("kept as a file", || kept().iter().any(|size| *size > 1_200_000)).await;
    assert_eq!(kept().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_sends_calls_to_the_spool_and_nothing_is_missing_afterwards() {
    let nats = Nats::start();
    let bus = nats.bus().await;
    let publisher = nats.publisher(&bus).await;
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    (0..10).for_each(|_| call.send(audio(1_000)));
    soon("acknowledged", publisher.drained()).await;
    nats.freeze();
    (0..50).for_each(|_| call.send(audio(1_000)));
    soon("safe although nobody answers", publisher.drained()).await;
    assert_eq!(publisher.pressure(), Pressure::Spooling);
    nats.thaw();
    let seen = messages(&bus, |seen| numbers(seen, recording).len() == 60).await;
    assert_eq!(numbers(&seen, recording), (0..60).collect::<Vec<_>>());
    until("the spool is empty again", || publisher.pressure() == Pressure::Normal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_cannot_be_written_refuses_new_calls_and_keeps_all_until_it_can() {
    let mut nats = Nats::start();
    let bus = nats.bus().await;
    nats.kill();
    until("disconnected", || !bus.is_connected()).await;
    let publisher = nats.publisher(&bus).await;
    // In one step: the publisher may be making a file in it at this moment.
    let away = nats.dir.path().join("away");
    std::fs::rename(nats.spool_dir(), &away).unwrap();
    std::fs::remove_dir_all(&away).unwrap();
    let recording = recording();
    let mut call = publisher.call(&tenant(), recording);
    (0..10).for_each(|_| call.send(audio(1_000)));
    until("new calls are refused", || publisher.pressure() == Pressure::Full).await;
    std::fs::create_dir(nats.spool_dir()).unwrap();
    soon("written after all", publisher.drained()).await;
    assert_eq!(publisher.pressure(), Pressure::Spooling);
    nats.restart();
    messages(&bus, |seen| numbers(seen, recording).len() == 10).await;
}
