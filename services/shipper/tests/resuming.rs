//! Killed at every step, slowed down, on several machines: each recording comes whole, once.

mod world;

use std::{fs, path::Path};

use harness::{postgres::Postgres, sshd::Sshd, wait};
use wire::{
    delivery_v1::{ListShipmentsRequest, ListShipmentsResponse, Shipment, SweepRequest, SweepResponse},
    event_v1::event::What,
    recording_v1::RecordingSealed,
};
use world::{PATIENCE, World, files_below, sftp};

const ARCHIVE: &str = "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {name: archive, namespace: acme}\n\
                       spec: {folder: {path: archive}}\n";
/// 300 KB come in three seconds.
const SLOW: &str = "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {name: archive, namespace: acme}\n\
                    spec: {transfer: {bytesPerSecond: 100000}, folder: {path: archive}}\n";

async fn until_gone(world: &World, sealed: &RecordingSealed) {
    // What a killed shipper left for the sweep comes within a minute.
    let emptied = || async { (!world.is_staged(sealed)).then_some(()) };
    wait::until("staging to be emptied", PATIENCE * 2, emptied).await.unwrap();
}

/// Everything of the recordings lies in `root` as it was sealed, once, and nothing else but what a target
/// has beside recordings.
fn fsck(root: &Path, recordings: &[&RecordingSealed]) {
    use sha2::Digest as _;
    let mut expected: Vec<&str> =
        recordings.iter().flat_map(|sealed| &sealed.files).map(|file| file.name.as_str()).collect();
    expected.push("callseal.pem");
    expected.sort_unstable();
    assert_eq!(files_below(root), expected);
    for file in recordings.iter().flat_map(|sealed| &sealed.files) {
        let found = fs::read(root.join(&file.name)).unwrap();
        assert_eq!(sha2::Sha256::digest(found).to_vec(), file.sha256);
    }
}

async fn shipments(world: &World) -> Vec<Shipment> {
    let subject = bus::subjects::shipments("shipper");
    let answer: ListShipmentsResponse =
        world.bus.request(&subject, &ListShipmentsRequest::default(), PATIENCE).await.unwrap();
    assert_eq!(answer.error, "");
    answer.shipments
}

#[tokio::test]
async fn a_shipper_killed_at_any_step_leaves_each_file_whole_and_once_in_a_folder_and_over_sftp() {
    let ssh_dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(ssh_dir.path()).await.unwrap();
    let remote = sftp(&sshd, &sshd.host_key("ed25519").unwrap());
    for step in ["file-stored", "file-put", "file-noted", "brought", "noted-done", "staging-emptied"] {
        let world = World::new(&format!("{ARCHIVE}{remote}")).await;
        let _emptied = fs::remove_dir_all(sshd.home().join("archive"));
        let sealed = world.seal(&["archive", "remote"]).await;
        let mut shipper = world.shipper(&["--fail-at", step]);
        wait::until("the shipper to die", PATIENCE, || std::future::ready(shipper.ended().unwrap()))
            .await
            .unwrap_or_else(|error| panic!("{step}: {error}"));
        let _shipper = world.shipper(&[]);
        until_gone(&world, &sealed).await;
        for root in [world.path("data/archive"), sshd.home().join("archive")] {
            fsck(&root, &[&sealed]);
        }
    }
}

#[tokio::test]
async fn what_was_verified_before_a_crash_is_neither_put_nor_read_again() {
    let world = World::new(ARCHIVE).await;
    let sealed = world.seal(&["archive"]).await;
    // The audio is large enough to be noted at once; the shipper dies right after that.
    let mut shipper = world.shipper(&["--fail-at", "file-noted"]);
    wait::until("the shipper to die", PATIENCE, || std::future::ready(shipper.ended().unwrap()))
        .await
        .unwrap();
    let wav = world.path("data/archive").join(&sealed.files[0].name);
    // Whoever reads it now sees another file, and whoever puts it now finds the name taken.
    let known = fs::read(&wav).unwrap();
    fs::write(&wav, "changed since").unwrap();
    let _shipper = world.shipper(&[]);
    until_gone(&world, &sealed).await;
    assert_eq!(fs::read_to_string(&wav).unwrap(), "changed since");
    fs::write(&wav, known).unwrap();
    fsck(&world.path("data/archive"), &[&sealed]);
}

/// As an administrator does whose disk is full in the middle of a recording.
#[tokio::test]
async fn a_target_that_is_moved_between_two_attempts_gets_every_file_of_a_recording() {
    for moved in [
        ARCHIVE.replace("path: archive", "path: moved"),
        ARCHIVE.replace("{folder", "{subFolder: moved, folder"),
    ] {
        let world = World::new(ARCHIVE).await;
        let sealed = world.seal(&["archive"]).await;
        // The audio is noted as verified where the target was.
        let mut shipper = world.shipper(&["--fail-at", "file-noted"]);
        wait::until("the shipper to die", PATIENCE, || std::future::ready(shipper.ended().unwrap()))
            .await
            .unwrap();
        world.configure(&moved);
        let _shipper = world.shipper(&[]);
        until_gone(&world, &sealed).await;
        let root = [world.path("data/moved"), world.path("data/archive/moved")];
        let root = root.iter().find(|root| root.is_dir()).unwrap();
        for file in &sealed.files {
            assert_eq!(fs::metadata(root.join(&file.name)).unwrap().len(), file.size, "{moved}");
        }
    }
}

#[tokio::test]
async fn a_transfer_keeps_to_its_bytes_a_second_until_the_configuration_says_otherwise() {
    let mut world = World::new(&SLOW.replace("100000", "1000")).await;
    let _shipper = world.shipper(&[]);
    let sealed = world.seal(&["archive"]).await;
    // At this rate it would take ten minutes, both ways.
    wait::until("the audio to be under way", PATIENCE, || async {
        let found = fs::read_dir(world.path("data/archive")).into_iter().flatten().flatten();
        found.filter_map(|entry| entry.metadata().ok()).any(|file| file.len() > 2_000).then_some(())
    })
    .await
    .unwrap();
    assert!(!world.path("data/archive").join(&sealed.files[0].name).exists());
    world.configure(ARCHIVE);
    let shipped = world
        .event("shipped", |what| match what {
            What::Shipped(shipped) => Some(shipped),
            _ => None,
        })
        .await;
    assert_eq!((shipped.verified_by.as_str(), shipped.files.len()), ("read-back", sealed.files.len()));
    assert_eq!(shipped.files[0].file, ".wav");
    until_gone(&world, &sealed).await;
    fsck(&world.path("data/archive"), &[&sealed]);
    let shown = shipments(&world).await;
    assert_eq!((shown.len(), shown[0].state.as_str(), shown[0].files.len()), (1, "done", sealed.files.len()));
}

#[tokio::test]
async fn two_shippers_share_the_work_and_when_one_is_killed_in_mid_upload_the_other_goes_on() {
    let world = World::new(SLOW).await;
    let postgres = Postgres::start().await.unwrap();
    let state = format!("{}?schema=shipper", postgres.url());
    let shared = |name| world.shipper_on(name, &state, &["--lease", "5"]);
    let (first, second) = (shared("first"), shared("second"));
    let mut recordings = Vec::new();
    for _ in 0..6 {
        recordings.push(world.seal(&["archive"]).await);
    }
    let says = |process: &harness::process::Process| process.output().matches("shipped").count();
    wait::until("both to have brought one", PATIENCE, || async {
        (says(&first) > 0 && says(&second) > 0).then_some(())
    })
    .await
    .unwrap();
    // All are slow, so it has something in hand; what it does not end, the other gets after five seconds.
    first.kill_hard().unwrap();
    for sealed in &recordings {
        until_gone(&world, sealed).await;
    }
    fsck(&world.path("data/archive"), &recordings.iter().collect::<Vec<_>>());
    let shown = shipments(&world).await;
    assert!(shown.len() == 6 && shown.iter().all(|s| s.state == "done"), "{shown:?}");
}

#[tokio::test]
async fn two_hundred_recordings_reach_three_targets_whole_while_one_operation_in_twenty_fails() {
    const MANY: usize = 200;
    let ssh_dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(ssh_dir.path()).await.unwrap();
    let second = ARCHIVE.replace("archive,", "second,").replace("path: archive", "path: second");
    let remote = sftp(&sshd, &sshd.host_key("ed25519").unwrap());
    let world = World::new(&format!("{ARCHIVE}{second}{remote}")).await;
    let mut recordings = Vec::new();
    for _ in 0..MANY {
        recordings.push(world.seal_small(&["archive", "second", "remote"]).await);
    }
    let faults = ["--inject-faults", "0.05", "--retry-after", "0.02", "--concurrency", "4"];
    let shipper = world.shipper(&faults);
    wait::until("staging to be emptied", PATIENCE * 4, || async {
        recordings.iter().all(|sealed| !world.is_staged(sealed)).then_some(())
    })
    .await
    .unwrap();
    let all: Vec<&RecordingSealed> = recordings.iter().collect();
    for root in [world.path("data/archive"), world.path("data/second"), sshd.home().join("archive")] {
        fsck(&root, &all);
    }
    let peak = fs::read_to_string(format!("/proc/{}/status", shipper.id())).unwrap();
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak_kib: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    assert!(peak_kib < 200 * 1024, "{peak_kib} KiB at most");
}

#[tokio::test]
async fn the_sweep_finds_what_waits_for_a_target_and_is_not_in_staging() {
    // No server listens there.
    let ssh_dir = tempfile::tempdir().unwrap();
    let mut sshd = Sshd::start(ssh_dir.path()).await.unwrap();
    let mut world = World::new(&sftp(&sshd, &sshd.host_key("ed25519").unwrap())).await;
    sshd.stop().unwrap();
    let _shipper = world.shipper(&[]);
    let (sealed, kept) = (world.seal(&["remote"]).await, world.seal(&["remote"]).await);
    wait::until("both to wait", PATIENCE, || async { (shipments(&world).await.len() == 2).then_some(()) })
        .await
        .unwrap();
    fs::remove_dir_all(world.path("staging").join(&sealed.staging_prefix)).unwrap();
    let sweep = || async {
        let found: SweepResponse =
            world.bus.request(bus::subjects::SHIPPER_SWEEP, &SweepRequest {}, PATIENCE).await.unwrap();
        assert_eq!(found.error, "");
        found.findings
    };
    let findings = sweep().await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].recording_id, sealed.recording_id);
    assert!(findings[0].problem.contains("not in staging"), "{findings:?}");
    assert_eq!(sweep().await.len(), 1);
    let lost = world
        .event("the loss", |what| match what {
            What::Fault(fault) if fault.r#where == "staging" => Some(fault.problem),
            _ => None,
        })
        .await;
    assert_eq!(lost, findings[0].problem);
    assert!(world.is_staged(&kept));
}

#[tokio::test]
async fn a_target_whose_host_key_nobody_pinned_is_not_contacted_and_its_recordings_wait_until_it_is() {
    let ssh_dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(ssh_dir.path()).await.unwrap();
    let pinned = sftp(&sshd, &sshd.host_key("ed25519").unwrap());
    let incomplete = {
        let (before, rest) = pinned.split_once("hostKeys: [").unwrap();
        let (_, after) = rest.split_once(']').unwrap();
        format!("{before}hostKeys: []{after}")
    };
    let mut world = World::new(&incomplete).await;
    let _shipper = world.shipper(&[]);
    let sealed = world.seal(&["remote"]).await;
    let told = world
        .event("that it is incomplete", |what| match what {
            What::Fault(fault) if fault.r#where == "target remote" => Some(fault.problem),
            _ => None,
        })
        .await;
    assert!(told.contains("no host key is pinned"), "{told}");
    assert!(world.is_staged(&sealed) && files_below(&sshd.home()).is_empty());
    world.configure(&pinned);
    until_gone(&world, &sealed).await;
}
