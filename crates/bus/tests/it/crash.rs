//! Ingest killed while NATS is away: this test program runs itself as that ingest.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use bus::{Bus, BusOptions};
use domain::RecordingId;

use crate::setup::*;

const URL: &str = "BUS_TEST_CHILD_URL";
const SPOOL: &str = "BUS_TEST_CHILD_SPOOL";
const RECORDING: &str = "BUS_TEST_CHILD_RECORDING";

/// Sends without an end and says how much is safe. Does nothing unless started by the test below.
#[tokio::test(flavor = "multi_thread")]
async fn the_ingest_that_is_killed() {
    let (Ok(url), Ok(spool), Ok(id)) = (std::env::var(URL), std::env::var(SPOOL), std::env::var(RECORDING))
    else {
        return;
    };
    let bus = Bus::connect(BusOptions::new(url, "child")).await.unwrap();
    let publisher = publisher(&bus, spool.as_ref()).await;
    let mut call = publisher.call(&tenant(), id.parse().unwrap());
    for sent in 1.. {
        call.send(audio(3_000));
        if sent % 10 == 0 {
            publisher.drained().await;
            println!("safe {sent}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_ingest_has_spooled_arrives_before_its_node_is_said_to_have_started() {
    let mut nats = Nats::start();
    let bus = nats.bus().await;
    nats.kill();
    let recording: RecordingId = recording();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::the_ingest_that_is_killed", "--nocapture"])
        .env(URL, nats.url())
        .env(SPOOL, nats.spool_dir())
        .env(RECORDING, recording.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let safe = |line: String| line.split("safe ").nth(1)?.trim().parse::<u64>().ok();
    let said = lines.by_ref().filter_map(safe).find(|safe| *safe >= 500).expect("the child works");
    child.kill().unwrap();
    child.wait().unwrap();
    // What it still said before it died counts too.
    let safe = lines.filter_map(safe).last().unwrap_or(said);

    let publisher = nats.publisher(&bus).await;
    let mut call = publisher.call(&tenant(), crate::setup::recording());
    call.send(audio(5));
    nats.restart();
    let new_epoch = publisher.epoch().to_string();
    let started = |m: &wire::call_v1::CallMessage| is_node_started(m) && m.epoch == new_epoch;
    let seen = messages(&bus, |seen| seen.iter().any(started)).await;
    let got = numbers(&seen, recording);
    assert!(got.len() as u64 >= safe, "{} of {safe} safe messages arrived", got.len());
    assert_eq!(got, (0..got.len() as u64).collect::<Vec<_>>(), "without a hole");
    assert!(seen.iter().filter(|m| m.recording_id == recording.to_string()).all(|m| m.epoch != new_epoch));
    until("the spool is empty", || publisher.pressure() == bus::Pressure::Normal).await;
    for partition in 0..domain::partition::PARTITIONS {
        let partition = bus.partition(partition);
        let told = async {
            while partition.last_sequence().await.unwrap() == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        soon("each partition to be told that the node has started", told).await;
    }
}
