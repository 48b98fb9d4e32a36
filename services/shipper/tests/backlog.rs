//! A long backlog: thousands of recordings wait in NATS, then on the list; memory does not grow.

mod world;

use std::{fs, time::Duration};

use bus::subjects;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::wait;
use wire::{
    delivery_v1::{ListDestinationsRequest, ListDestinationsResponse},
    recording_v1::{JournalRow, RecordingSealed},
};
use world::{PATIENCE, World, files_below};

/// Thousands of transactions on a slow disk.
const LONG: Duration = Duration::from_secs(240);

const MANY: usize = 1_000;

/// Bytes of one announcement, many more than they get: if they were held, that would stand out from what
/// allocators and SQLite's pages of each connection take.
const LARGE: usize = 64_000;

/// A target whose server refuses connections.
const AWAY: &str = "---\nkind: Secret\napiVersion: callseal.io/v1alpha1\nmetadata: {name: login, namespace: acme}\n\
    stringData: {password: x}\n---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\n\
    metadata: {name: away, namespace: acme}\nspec: {sftp: {host: 127.0.0.1, port: 1, user: u, \
    hostKeys: [\"SHA256:mVPwvezndPv/ARoIadVY98vAC0g+P/5633yTC4d/wXE\"], \
    password: {secretRef: {name: login, key: password}}}}\n";
const HERE: &str = "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\n\
    metadata: {name: away, namespace: acme}\nspec: {folder: {path: archive}}\n";

/// An announcement larger than they get, of a recording without files.
fn announcement() -> RecordingSealed {
    let recording_id = domain::RecordingId::new().to_string();
    RecordingSealed {
        tenant: "acme".into(),
        staging_prefix: format!("sealed/acme/{recording_id}"),
        recording_id,
        targets: vec!["away".into()],
        time_zone: "Europe/Berlin".into(),
        row: Some(JournalRow { caller_name: "x".repeat(LARGE), ..Default::default() }),
        ..Default::default()
    }
}

/// The most memory that the process has had resident, KiB.
fn most_resident_kib(process: &harness::process::Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn waiting(world: &World) -> u64 {
    let subject = subjects::destinations("shipper");
    let answer: ListDestinationsResponse =
        world.bus.request(&subject, &ListDestinationsRequest {}, PATIENCE).await.unwrap();
    answer
        .destinations
        .iter()
        .flat_map(|destination| &destination.waiting)
        .map(|waiting| waiting.orders)
        .sum()
}

async fn until_waiting(world: &World, count: usize) {
    wait::until(&format!("{count} orders"), LONG, || async {
        (waiting(world).await == count as u64).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn thousands_of_announcements_are_taken_in_without_being_held_in_memory() {
    let world = World::new(AWAY).await;
    let publish = |count: usize| {
        stream::iter(0..count)
            .map(|_| async { world.bus.publish_sealed(&announcement()).await })
            .buffer_unordered(32)
            .try_collect::<Vec<()>>()
    };
    publish(200).await.unwrap();
    let shipper = world.shipper(&[]);
    until_waiting(&world, 200).await;
    let before = most_resident_kib(&shipper);
    publish(MANY).await.unwrap();
    until_waiting(&world, 200 + MANY).await;
    let grown = most_resident_kib(&shipper) - before;
    println!("{before} KiB at 200 orders, {grown} KiB more at {MANY} more");
    let held = (MANY * LARGE / 1024) as u64;
    assert!(grown < held / 2, "{grown} KiB more for {MANY} orders of {held} KiB");
    shipper.stop(PATIENCE).unwrap();

    // The target comes back: all of them go there, and the one behind them.
    let last = world.seal(&["away"]).await;
    world.configure(HERE);
    let _shipper = world.shipper(&["--concurrency", "4"]);
    wait::until("the last recording to be brought", LONG, || async {
        (!world.is_staged(&last)).then_some(())
    })
    .await
    .unwrap();
    let brought = files_below(&world.path("data/archive"));
    assert!(last.files.iter().all(|file| brought.contains(&file.name)), "{} files", brought.len());
}
