//! The transparency log follows into each archive: against real folders and a real OpenSSH server.

mod published;
mod world;

use std::{fs, path::Path, time::Instant};

use harness::{installation::http_get, ports, process::Process, sshd::Sshd, wait};
use published::{CHANGE, Log, audited};
use wire::event_v1::event::What;
use world::{PATIENCE, World, files_below, sftp};

const ARCHIVE: &str = "---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {name: archive, namespace: acme}\n\
                       spec: {subFolder: \"calls/$Y\", folder: {path: archive}}\n";
/// A rule that names the target, so that it is in use before the first recording.
const RULE: &str = "---\nkind: RecordingRule\napiVersion: callseal.io/v1alpha1\nmetadata: {name: all, namespace: acme}\n\
                    spec: {order: 1, profile: legalDuty, scope: all, targets: [archive]}\n";

fn mirroring(world: &World, further: &[&str]) -> Process {
    world.shipper(&[&["--archive-log-every", "0.05"], further].concat())
}

async fn until_audited(archive: &Path, tenant: &str, size: u64) {
    wait::until(&format!("the log to come to {size} entries"), PATIENCE, || async {
        // The first time, the note comes after the checkpoint.
        (audited(archive, tenant) == Some(size) && archive.join("archive.txt").exists()).then_some(())
    })
    .await
    .unwrap();
}

fn fault(what: What) -> Option<wire::event_v1::Fault> {
    match what {
        What::Fault(fault) => Some(fault),
        _ => None,
    }
}

/// What of the log's partial tiles lies in an archive.
fn partial(archive: &Path) -> usize {
    files_below(&archive.join("log/acme/tile")).iter().filter(|path| path.contains(".p/")).count()
}

#[tokio::test]
async fn an_archive_gets_the_log_and_the_means_to_check_it_and_is_whole_at_each_moment() {
    let world = World::new(&format!("{ARCHIVE}{RULE}")).await;
    let mut log = Log::new(&world.path("staging"), "acme", 1);
    log.grow(5);
    let shipper = mirroring(&world, &[]);
    let archive = world.path("data/archive");
    // No recording was ever brought: the rule names the target.
    until_audited(&archive, "acme", 5).await;
    let expected = [
        "archive.txt",
        "callseal.pem",
        "log/acme/checkpoint",
        "log/acme/checkpoints/00000000000000000005",
        "log/acme/keys/0a1b2c3d.txt",
        "log/acme/keys/0a1b2c3d.txt.SHA256withRSA.sig",
        "log/acme/tile/0/000.p/5",
        "log/acme/tile/entries/000.p/5",
        "verify.sh",
    ];
    assert_eq!(files_below(&archive), expected);
    assert_eq!(fs::read_to_string(archive.join("verify.sh")).unwrap(), evidence::VERIFY_SH);
    let note = "Callseal archive\nTenant: acme\nTarget: archive\n";
    assert_eq!(fs::read_to_string(archive.join("archive.txt")).unwrap(), note);

    // It grows faster than it is brought, beyond full tiles, and whoever looks finds it whole.
    let mut seen = Vec::new();
    for step in 1..=60 {
        log.grow(step % 23 + 1);
        seen.extend(audited(&archive, "acme"));
        tokio::task::yield_now().await;
    }
    until_audited(&archive, "acme", log.size).await;
    assert!(log.size > 512 && seen.is_sorted());
    wait::until("the old partial tiles to be removed", PATIENCE, || async {
        (partial(&archive) == 3).then_some(())
    })
    .await
    .unwrap();

    // A time stamp comes later than its checkpoint, and makes it worth keeping.
    log.stamp();
    let stamped = archive.join(format!("log/acme/checkpoints/{:020}.tsr", log.size));
    wait::until("the time stamp", PATIENCE, || async { stamped.exists().then_some(()) }).await.unwrap();
    assert!(stamped.with_extension("").exists());
    shipper.stop(PATIENCE).unwrap();
}

#[tokio::test]
async fn the_log_keeps_to_the_bytes_a_second_of_its_target_both_ways() {
    const RATE: u64 = 20_000;
    let slow = ARCHIVE.replace("spec: {", &format!("spec: {{transfer: {{bytesPerSecond: {RATE}}}, "));
    let world = World::new(&format!("{slow}{RULE}")).await;
    let mut log = Log::new(&world.path("staging"), "acme", 1);
    let _shipper = mirroring(&world, &[]);
    log.grow(1);
    let archive = world.path("data/archive");
    until_audited(&archive, "acme", 1).await;
    log.grow(1_023);
    let begun = Instant::now();
    until_audited(&archive, "acme", 1_024).await;
    let took = begun.elapsed().as_secs_f64();
    let bundles: u64 = (0..4)
        .map(|number| archive.join(format!("log/acme/tile/entries/{number:03}")))
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    // A quarter second's bytes may go at once; what is read back counts as well.
    let least = 2.0 * bundles as f64 / RATE as f64 - 0.25;
    assert!(least > 1.0, "{bundles} bytes are too few to tell");
    assert!(took >= least, "{bundles} bytes there and back in {took:.2} s, not in {least:.2} s");
}

#[tokio::test]
async fn a_target_that_is_down_holds_up_nobody_is_told_and_catches_up() {
    let ssh_dir = tempfile::tempdir().unwrap();
    let mut sshd = Sshd::start(ssh_dir.path()).await.unwrap();
    let remote = sftp(&sshd, &sshd.host_key("ed25519").unwrap());
    let mut world = World::new(&format!("{ARCHIVE}{remote}")).await;
    let mut log = Log::new(&world.path("staging"), "acme", 1);
    log.grow(3);
    let _shipper = mirroring(&world, &["--archive-log-late-after", "0.3"]);
    let sealed = world.seal(&["archive", "remote"]).await;
    let (here, there) = (world.path("data/archive"), sshd.home().join("archive"));
    until_audited(&here, "acme", 3).await;
    until_audited(&there, "acme", 3).await;
    wait::until("staging to be emptied", PATIENCE, || async { (!world.is_staged(&sealed)).then_some(()) })
        .await
        .unwrap();

    sshd.stop().unwrap();
    log.grow(300);
    until_audited(&here, "acme", 303).await;
    let behind = |what| {
        fault(what)
            .filter(|fault| fault.problem.contains("log in it is behind") && fault.r#where == "target remote")
    };
    let told = world.event("the log to be late", behind).await;
    assert!(told.will_retry, "{told:?}");
    assert_eq!(audited(&there, "acme"), Some(3));
    sshd.start_again().await.unwrap();
    until_audited(&there, "acme", 303).await;
    let again = |what| {
        fault(what)
            .filter(|fault| fault.problem.contains("complete again") && fault.r#where == "target remote")
    };
    world.event("the log to be complete", again).await;
    // What was cut off in the middle may have left a hidden file.
    let tiles = |archive: &Path| {
        let files = files_below(&archive.join("log/acme/tile")).into_iter();
        files.filter(|path| !path.contains("/.callseal-")).collect::<Vec<_>>()
    };
    assert_eq!(tiles(&here), tiles(&there));
}

#[tokio::test]
async fn a_crash_in_the_middle_leaves_an_archive_that_is_whole_and_is_gone_on_with() {
    for (step, brought) in [("log-tiles", 5), ("log-checkpoint", 400)] {
        let world = World::new(&format!("{ARCHIVE}{RULE}")).await;
        let archive = world.path("data/archive");
        let mut log = Log::new(&world.path("staging"), "acme", 1);
        log.grow(5);
        let shipper = mirroring(&world, &[]);
        until_audited(&archive, "acme", 5).await;
        shipper.stop(PATIENCE).unwrap();
        log.grow(395);
        let mut shipper = mirroring(&world, &["--fail-at", step]);
        wait::until("the shipper to die", PATIENCE, || std::future::ready(shipper.ended().unwrap()))
            .await
            .unwrap();
        assert_eq!(audited(&archive, "acme"), Some(brought), "{step}");
        log.grow(1);
        // Something was lost meanwhile: what a target holds is asked of the target.
        fs::remove_file(archive.join("log/acme/tile/0/000")).unwrap();
        let _shipper = mirroring(&world, &[]);
        wait::until("what was lost", PATIENCE, || async {
            archive.join("log/acme/tile/0/000").exists().then_some(())
        })
        .await
        .unwrap();
        until_audited(&archive, "acme", 401).await;
        wait::until("the old partial tiles to be removed", PATIENCE, || async {
            (partial(&archive) == 3).then_some(())
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn an_older_log_and_one_of_another_installation_write_nothing_over() {
    let mut world = World::new(&format!("{ARCHIVE}{RULE}")).await;
    let archive = world.path("data/archive");
    let mut log = Log::new(&world.path("staging"), "acme", 1);
    log.grow(20);
    let shipper = mirroring(&world, &[]);
    until_audited(&archive, "acme", 20).await;
    shipper.stop(PATIENCE).unwrap();
    let before = files_below(&archive);

    for (number, words) in [(1, "does not continue"), (2, "log of another installation")] {
        fs::remove_dir_all(world.path("staging/log")).unwrap();
        Log::new(&world.path("staging"), "acme", number).grow(7);
        let shipper = mirroring(&world, &[]);
        let refused = |what| fault(what).filter(|fault| fault.problem.contains(words));
        world.event(words, refused).await;
        shipper.stop(PATIENCE).unwrap();
        assert_eq!((audited(&archive, "acme"), files_below(&archive)), (Some(20), before.clone()));
    }
}

/// Every file of the log in an archive with its bytes.
fn bytes(archive: &Path) -> Vec<(String, Vec<u8>)> {
    let log = archive.join("log");
    files_below(&log).into_iter().map(|path| (path.clone(), fs::read(log.join(&path)).unwrap())).collect()
}

#[tokio::test]
async fn a_forked_log_that_has_outgrown_the_archive_writes_nothing_over() {
    let mut world = World::new(&format!("{ARCHIVE}{RULE}")).await;
    let archive = world.path("data/archive");
    let mut log = Log::new(&world.path("staging"), "acme", 1);
    log.grow(300);
    let shipper = mirroring(&world, &[]);
    until_audited(&archive, "acme", 300).await;
    shipper.stop(PATIENCE).unwrap();
    let before = bytes(&archive);

    // The log of the same name, set back to an older state and grown on from there.
    fs::remove_dir_all(world.path("staging/log")).unwrap();
    let mut fork = Log::new(&world.path("staging"), "acme", 1);
    fork.grow(290);
    let mut fork = fork.fork();
    fork.grow(400);
    let port = ports::claim().unwrap();
    let shipper = mirroring(&world, &["--http", &format!("127.0.0.1:{port}")]);
    let refused = |what| fault(what).filter(|fault| fault.problem.contains("does not continue"));
    let told = world.event("the fork to be told", refused).await;
    assert!(told.r#where == "target archive", "{told:?}");
    let metric = "callseal_shipper_log_not_continued{destination=\"archive\",tenant=\"acme\"} 1";
    wait::until("the metric", PATIENCE, || async {
        http_get(port, "/metrics").await.is_ok_and(|(_, page)| page.contains(metric)).then_some(())
    })
    .await
    .unwrap();
    shipper.stop(PATIENCE).unwrap();
    assert!(bytes(&archive) == before, "a file of the log in the archive was changed");

    // The true log comes back, grown on: it is gone on with.
    fs::remove_dir_all(world.path("staging/log")).unwrap();
    let mut log = Log::new(&world.path("staging"), "acme", 1);
    log.grow(300);
    log.grow(400);
    let _shipper = mirroring(&world, &[]);
    until_audited(&archive, "acme", 700).await;
}

#[tokio::test]
async fn a_target_whose_checkpoint_was_taken_away_still_knows_a_fork_by_its_copies() {
    let mut world = World::new(&format!("{ARCHIVE}{RULE}")).await;
    let archive = world.path("data/archive");
    let mut log = Log::new(&world.path("staging"), "acme", 1);
    log.grow(30);
    let shipper = mirroring(&world, &[]);
    until_audited(&archive, "acme", 30).await;
    shipper.stop(PATIENCE).unwrap();
    fs::remove_file(archive.join("log/acme/checkpoint")).unwrap();
    let before = bytes(&archive);

    // Of another history, and of the same one that is set back.
    for (fork, size) in [(true, 40), (false, 20)] {
        fs::remove_dir_all(world.path("staging/log")).unwrap();
        let other = Log::new(&world.path("staging"), "acme", 1);
        let mut other = if fork { other.fork() } else { other };
        other.grow(size);
        let shipper = mirroring(&world, &[]);
        let words = format!("(with 30 entries) that the signer's log (with {size}) does not continue");
        let refused = |what| fault(what).filter(|fault| fault.problem.contains(&words));
        world.event(&words, refused).await;
        shipper.stop(PATIENCE).unwrap();
        assert!(bytes(&archive) == before, "a file of the log in the archive was changed");
    }

    // The log that goes on from the copy brings the checkpoint back.
    fs::remove_dir_all(world.path("staging/log")).unwrap();
    let mut log = Log::new(&world.path("staging"), "acme", 1);
    log.grow(30);
    log.grow(5);
    let _shipper = mirroring(&world, &[]);
    until_audited(&archive, "acme", 35).await;
}

#[tokio::test]
async fn a_target_gets_the_certificates_of_the_installation_and_of_its_tenant_and_no_others() {
    let world = World::new(&format!("{ARCHIVE}{RULE}")).await;
    let put = |path: &str, text: &str| {
        let path = world.path("staging/certificates").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("acme/0c0c.pem", "of acme");
    put("other/0d0d.pem", "of another tenant");
    let mut log = Log::new(&world.path("staging"), "acme", 1);
    log.grow(1);
    let _shipper = mirroring(&world, &[]);
    let archive = world.path("data/archive");
    until_audited(&archive, "acme", 1).await;
    let there = || {
        let files = files_below(&archive).into_iter().filter(|path| path.ends_with(".pem"));
        let mut texts: Vec<String> =
            files.map(|path| fs::read_to_string(archive.join(path)).unwrap()).collect();
        texts.sort();
        texts
    };
    assert_eq!(there(), ["of acme", "the certificate"]);
    // A new one of its own comes while the log stands still; those of others do not, though they were
    // there before it.
    put("other/0e0e.pem", "of another tenant, too");
    put("acme/0f0f.pem", "of acme, too");
    wait::until("the tenant's new certificate", PATIENCE, || async {
        (there() == ["of acme", "of acme, too", "the certificate"]).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_change_of_key_comes_with_its_statement_and_both_signatures_and_is_never_written_over() {
    let world = World::new(&format!("{ARCHIVE}{RULE}")).await;
    let archive = world.path("data/archive");
    let mut log = Log::new(&world.path("staging"), "acme", 1);
    log.grow(3);
    let shipper = mirroring(&world, &[]);
    until_audited(&archive, "acme", 3).await;
    log.change_key();
    log.grow(1);
    until_audited(&archive, "acme", 4).await;
    // They come before the checkpoint that tells of the change.
    let change = |ending: &str| archive.join(format!("log/acme/keys/{CHANGE}{ending}"));
    for ending in [".txt", ".old.sig", ".new.sig"] {
        assert_eq!(fs::read_to_string(change(ending)).unwrap(), ending);
    }
    shipper.stop(PATIENCE).unwrap();

    // What is there is left as it is, what was lost is brought again.
    fs::write(change(".old.sig"), "another").unwrap();
    fs::remove_file(change(".txt")).unwrap();
    log.grow(1);
    let shipper = mirroring(&world, &[]);
    until_audited(&archive, "acme", 5).await;
    assert_eq!(fs::read_to_string(change(".txt")).unwrap(), ".txt");
    assert_eq!(fs::read_to_string(change(".old.sig")).unwrap(), "another");
    shipper.stop(PATIENCE).unwrap();
}

#[tokio::test]
async fn tenants_that_share_a_folder_have_their_logs_apart_and_are_both_noted() {
    let of_other = |text: &str| text.replace("namespace: acme", "namespace: other");
    let other = "---\napiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {name: other}\n\
                 spec: {country: DE, timeZone: Europe/Berlin, whenUndecided: record}\n";
    let resources = format!("{ARCHIVE}{RULE}{other}{}{}", of_other(ARCHIVE), of_other(RULE));
    let world = World::new(&resources).await;
    let log = |tenant, number| Log::new(&world.path("staging"), tenant, number);
    let mut logs = [log("acme", 1), log("other", 2)];
    logs[0].grow(3);
    logs[1].grow(6);
    let _shipper = mirroring(&world, &[]);
    let archive = world.path("data/archive");
    until_audited(&archive, "acme", 3).await;
    until_audited(&archive, "other", 6).await;
    // One note may have been written over by the other, which is mended with the next checkpoint.
    let noted = |tenant: &str| {
        let note = fs::read_to_string(archive.join("archive.txt")).unwrap();
        assert!(note.starts_with("Callseal archive\nTenant: "), "{note}");
        note.matches(&format!("Tenant: {tenant}\nTarget: archive\n")).count()
    };
    wait::until("both notes", PATIENCE, || {
        logs.iter_mut().for_each(|log| log.grow(1));
        std::future::ready((noted("acme") == 1 && noted("other") == 1).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn certificates_of_many_keys_lie_beside_each_other() {
    let world = World::new(&format!("{ARCHIVE}{RULE}")).await;
    for number in 0..12 {
        fs::write(world.path(&format!("staging/certificates/{number:04x}.pem")), format!("{number}"))
            .unwrap();
    }
    Log::new(&world.path("staging"), "acme", 1).grow(1);
    let shipper = mirroring(&world, &[]);
    let archive = world.path("data/archive");
    until_audited(&archive, "acme", 1).await;
    shipper.stop(PATIENCE).unwrap();
    let certificates = || files_below(&archive).into_iter().filter(|path| path.ends_with(".pem")).count();
    assert_eq!(certificates(), 13);
    // One more, while the log stands still; those that are there are known again.
    fs::write(world.path("staging/certificates/ffff.pem"), "one more").unwrap();
    let _shipper = mirroring(&world, &[]);
    wait::until("the new certificate", PATIENCE, || async { (certificates() == 14).then_some(()) })
        .await
        .unwrap();
}
