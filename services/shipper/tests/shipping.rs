//! The shipper as a process, against real NATS, real folders and a real OpenSSH server.

mod world;

use std::{fs, os::unix::fs::FileExt as _};

use harness::{sshd::Sshd, wait};
use sha2::{Digest as _, Sha256};
use wire::{
    delivery_v1::{Change, ChangeRequest, ChangeResponse},
    event_v1::event::What,
};
use world::{PATIENCE, World, files_below, sftp};

const ARCHIVE: &str = "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {name: archive, namespace: acme}\n\
                       spec: {subFolder: \"calls/$Y/$M/$D\", folder: {path: archive}}\n";

fn shipped(what: What) -> Option<String> {
    match what {
        What::Shipped(shipped) => Some(shipped.target),
        _ => None,
    }
}

fn fault(what: What) -> Option<wire::event_v1::Fault> {
    match what {
        What::Fault(fault) => Some(fault),
        _ => None,
    }
}

async fn until_gone(world: &World, sealed: &wire::recording_v1::RecordingSealed) {
    // What a killed shipper left for the sweep comes within a minute.
    let emptied = || async { (!world.is_staged(sealed)).then_some(()) };
    wait::until("staging to be emptied", PATIENCE * 2, emptied).await.unwrap();
}

#[tokio::test]
async fn a_recording_reaches_both_targets_with_the_certificate_and_then_leaves_staging() {
    let ssh_dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(ssh_dir.path()).await.unwrap();
    let mut world =
        World::new(&format!("{ARCHIVE}{}", sftp(&sshd, &sshd.host_key("ed25519").unwrap()))).await;
    let shipper = world.shipper(&[]);
    let sealed = world.seal(&["archive", "remote"]).await;
    let mut targets = [world.event("shipped", shipped).await, world.event("shipped", shipped).await];
    targets.sort();
    assert_eq!(targets, ["archive", "remote"]);
    until_gone(&world, &sealed).await;

    let names: Vec<&str> = sealed.files.iter().map(|file| file.name.as_str()).collect();
    // The recording began at midnight in Berlin; in UTC that is the day before.
    for (root, folder) in
        [(world.path("data/archive"), "calls/2026/07/02/"), (sshd.home().join("archive"), "")]
    {
        let mut expected: Vec<String> = names.iter().map(|name| format!("{folder}{name}")).collect();
        expected.push("callseal.pem".into());
        expected.sort();
        assert_eq!(files_below(&root), expected);
        assert_eq!(fs::metadata(root.join(format!("{folder}{}", names[0]))).unwrap().len(), 300_000);
    }
    // Announced again, as after a crash of the signer: nothing happens, and nothing is missed.
    world.bus.publish_sealed(&sealed).await.unwrap();
    let log = shipper.output();
    shipper.stop(PATIENCE).unwrap();
    for secret in ["+4970311234", "+4922198765", "PRIVATE KEY"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn f81_an_sftp_target_whose_private_key_is_sealed_is_delivered_to_and_no_file_or_log_shows_it() {
    let ssh_dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(ssh_dir.path()).await.unwrap();
    let world = World::new("").await;
    let vault = vault::Vault::open(&world.path("data/vault.key")).unwrap();
    let login = config::rewrite::SecretAt {
        line: 2,
        tenant: "acme".parse().unwrap(),
        name: "login".parse().unwrap(),
    };
    let plain = sftp(&sshd, &sshd.host_key("ed25519").unwrap());
    let configuration = config::rewrite::seal_values(&plain, &[login], &vault, None).unwrap();
    assert_eq!(configuration.sealed, 1);
    world.configure(&configuration.text);
    assert!(!fs::read_to_string(world.path("config/resources.yaml")).unwrap().contains("PRIVATE KEY"));

    let shipper = world.shipper(&[]);
    let sealed = world.seal(&["remote"]).await;
    until_gone(&world, &sealed).await;
    assert!(files_below(&sshd.home().join("archive")).contains(&sealed.files[0].name));
    let log = shipper.output();
    shipper.stop(PATIENCE).unwrap();
    let of_the_key = plain.lines().skip_while(|line| !line.contains("PRIVATE KEY")).nth(1).unwrap().trim();
    assert!(!log.contains(of_the_key) && !log.contains("PRIVATE KEY"), "{log}");
}

/// Its storage gives back something else than it was given: whatever was put there counts for nothing.
#[tokio::test]
async fn a_file_of_somebody_else_is_kept_the_recordings_own_stands_beside_it_and_somebody_is_told() {
    let mut world = World::new(ARCHIVE).await;
    let sealed = world.prepare(&["archive"]);
    let folder = world.path("data/archive/calls/2026/07/02");
    fs::create_dir_all(&folder).unwrap();
    let name = &sealed.files[0].name;
    fs::write(folder.join(name), "somebody else's").unwrap();
    let _shipper = world.shipper(&[]);
    world.bus.publish_sealed(&sealed).await.unwrap();
    let told = world.event("the alarm", fault).await;
    assert_eq!(told.r#where, "target archive");
    assert!(
        told.problem.contains("a different file of the same name stands there already"),
        "{}",
        told.problem
    );
    until_gone(&world, &sealed).await;
    assert_eq!(fs::read(folder.join(name)).unwrap(), b"somebody else's");
    let beside = folder.join(name.replace(".wav", " (2).wav"));
    let stored = fs::read(beside).unwrap();
    assert_eq!(Sha256::digest(stored).to_vec(), sealed.files[0].sha256);
}

#[tokio::test]
async fn what_reads_back_differently_is_brought_again_before_staging_is_emptied() {
    // All of it is read back within three seconds.
    let slow = ARCHIVE.replace("spec: {", "spec: {transfer: {bytesPerSecond: 100000}, ");
    let mut world = World::new(&slow).await;
    let _shipper = world.shipper(&[]);
    let sealed = world.seal(&["archive"]).await;
    let folder = world.path("data/archive/calls/2026/07/02");
    let (wav, aside) =
        (folder.join(&sealed.files[0].name), folder.join(sealed.files[0].name.replace(".wav", " (2).wav")));
    wait::until("the audio to have its name", PATIENCE, || async { wav.exists().then_some(()) })
        .await
        .unwrap();
    fs::OpenOptions::new().write(true).open(&wav).unwrap().write_all_at(b"x", 299_999).unwrap();
    let told = world.event("that it is another", fault).await;
    assert!(told.problem.contains("reads back differently"), "{told:?}");
    assert!(world.is_staged(&sealed));
    world.configure(ARCHIVE);
    until_gone(&world, &sealed).await;
    assert_eq!(Sha256::digest(fs::read(&aside).unwrap()).to_vec(), sealed.files[0].sha256);
}

#[tokio::test]
async fn a_target_that_is_down_holds_up_neither_the_other_nor_itself_when_it_is_back_and_staging_is_kept() {
    let ssh_dir = tempfile::tempdir().unwrap();
    let mut sshd = Sshd::start(ssh_dir.path()).await.unwrap();
    let mut world = World::new(&format!("{ARCHIVE}{}", sftp(&sshd, &sshd.fingerprint("rsa").unwrap()))).await;
    sshd.stop().unwrap();
    let _shipper = world.shipper(&[]);
    let sealed = world.seal(&["archive", "remote"]).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let next = |what| fault(What::clone(&what)).map(|fault| fault.r#where).or_else(|| shipped(what));
        seen.push(world.event("one shipped, one failed", next).await);
    }
    seen.sort();
    assert_eq!(seen, ["archive", "target remote"]);
    assert!(world.is_staged(&sealed));
    sshd.start_again().await.unwrap();
    // Events are sent side by side: either may come first.
    let mut told = Vec::new();
    for _ in 0..2 {
        let next = |what| match fault(What::clone(&what)) {
            Some(fault) => Some(format!("{} {}", fault.r#where, fault.problem)),
            None => shipped(what).map(|target| format!("{target} has it")),
        };
        told.push(world.event("one shipped, and the target back", next).await);
    }
    told.sort();
    assert_eq!(told, ["remote has it", "target remote works again"]);
    until_gone(&world, &sealed).await;
}

#[tokio::test]
async fn a_changed_host_key_is_told_with_both_fingerprints_and_a_new_pin_takes_effect_without_a_restart() {
    let ssh_dir = tempfile::tempdir().unwrap();
    let mut sshd = Sshd::start(ssh_dir.path()).await.unwrap();
    let pinned = sshd.fingerprint("ed25519").unwrap();
    let mut world = World::new(&sftp(&sshd, &pinned)).await;
    sshd.stop().unwrap();
    sshd.new_host_keys().unwrap();
    sshd.start_again().await.unwrap();
    let _shipper = world.shipper(&[]);
    let sealed = world.seal(&["remote"]).await;
    let told = world.event("the changed key", fault).await;
    let shown = sshd.fingerprint("ed25519").unwrap();
    assert!(told.problem.contains(&pinned) && told.problem.contains(&shown), "{}", told.problem);
    assert!(world.is_staged(&sealed) && files_below(&sshd.home()).is_empty());
    world.configure(&sftp(&sshd, &shown));
    assert_eq!(world.event("shipped", shipped).await, "remote");
    until_gone(&world, &sealed).await;
}

#[tokio::test]
async fn a_crash_after_any_step_loses_nothing_and_ships_nothing_twice() {
    for step in ["taken-in", "file-put", "brought", "noted-done", "staging-emptied"] {
        let world = World::new(ARCHIVE).await;
        let sealed = world.prepare(&["archive"]);
        // The signer died in mid-write, too.
        let unfinished = world.path("staging").join(&sealed.staging_prefix).join("x_info.txt#1");
        fs::write(unfinished, "half").unwrap();
        world.bus.publish_sealed(&sealed).await.unwrap();
        let mut shipper = world.shipper(&["--fail-at", step]);
        wait::until("the shipper to die", PATIENCE, || std::future::ready(shipper.ended().unwrap()))
            .await
            .unwrap_or_else(|error| panic!("{step}: {error}"));
        let _shipper = world.shipper(&[]);
        until_gone(&world, &sealed).await;
        let mut expected: Vec<String> =
            sealed.files.iter().map(|file| format!("calls/2026/07/02/{}", file.name)).collect();
        expected.push("callseal.pem".into());
        expected.sort();
        assert_eq!(files_below(&world.path("data/archive")), expected, "{step}");
    }
}

#[tokio::test]
async fn a_recording_without_a_target_stays_in_staging_and_somebody_is_told() {
    let mut world = World::new(ARCHIVE).await;
    let _shipper = world.shipper(&[]);
    let (kept, other) = (world.seal(&[]).await, world.seal(&["archive"]).await);
    assert!(world.event("the fault", fault).await.problem.contains("names no storage target"));
    until_gone(&world, &other).await;
    assert!(world.is_staged(&kept));
}

#[tokio::test]
async fn a_recording_whose_target_is_deleted_waits_in_staging_until_it_is_back_and_released() {
    let mut world = World::new("").await;
    let _shipper = world.shipper(&["--orphan-after", "0.5"]);
    let sealed = world.seal(&["archive"]).await;
    assert!(world.event("the orphan", fault).await.problem.contains("not in the configuration"));
    world.configure(ARCHIVE);
    let told = world.event("its return", fault).await;
    assert!(told.problem.contains("callseal release archive"), "{}", told.problem);
    // What comes from now on goes to the target that is there now.
    let new = world.seal(&["archive"]).await;
    assert_eq!(world.event("shipped", shipped).await, "archive");
    until_gone(&world, &new).await;
    assert!(world.is_staged(&sealed));

    let request = ChangeRequest {
        tenant: "acme".into(),
        name: "archive".into(),
        change: Change::Release.into(),
        ..Default::default()
    };
    let subject = bus::subjects::change_destination("shipper");
    let answer: ChangeResponse = world.bus.request(&subject, &request, PATIENCE).await.unwrap();
    assert_eq!((answer.orders, answer.error.as_str()), (1, ""));
    assert_eq!(world.event("shipped", shipped).await, "archive");
    until_gone(&world, &sealed).await;
}

#[tokio::test]
async fn a_recording_damaged_in_staging_is_set_aside_and_the_others_go_on() {
    let mut world = World::new(ARCHIVE).await;
    let damaged = world.prepare(&["archive"]);
    let wav = world.path("staging").join(damaged.staging_key(&damaged.files[0].name));
    fs::write(wav, "not what was sealed").unwrap();
    world.bus.publish_sealed(&damaged).await.unwrap();
    let good = world.seal(&["archive"]).await;
    let _shipper = world.shipper(&[]);
    until_gone(&world, &good).await;
    let aside = |what| fault(what).filter(|fault| fault.problem.contains("set aside"));
    let told = world.event("the recording to be set aside", aside).await;
    assert!(told.problem.contains("not what was sealed") && !told.will_retry, "{}", told.problem);
    assert!(world.is_staged(&damaged));
    assert!(
        !files_below(&world.path("data/archive")).iter().any(|name| name.contains(&damaged.recording_id))
    );
}

#[tokio::test]
async fn a_disk_of_staging_that_is_away_is_told_and_sets_no_recording_aside() {
    let mut world = World::new(ARCHIVE).await;
    let sealed = world.prepare(&["archive"]);
    let (staging, away) = (world.path("staging"), world.path("unmounted"));
    fs::rename(&staging, &away).unwrap();
    fs::create_dir(&staging).unwrap();
    world.bus.publish_sealed(&sealed).await.unwrap();
    let _shipper = world.shipper(&[]);
    let told = world.event("the fault", fault).await;
    assert!(told.problem.contains("staging") && told.will_retry, "{}", told.problem);
    fs::remove_dir(&staging).unwrap();
    fs::rename(&away, &staging).unwrap();
    assert_eq!(world.event("shipped", shipped).await, "archive");
    until_gone(&world, &sealed).await;
}
