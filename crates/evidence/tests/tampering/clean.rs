//! What is no tampering: verified clean, and said.

use crate::deeds::{again, change_of_key, strip, turn_into};
use crate::logged::write;
use crate::logged_authority::Authority;
use crate::scene::{CALLS, Copy, DELETED, remove, said, whole};
use crate::signed::{TestKey, recording, run};
use evidence::Section;
use evidence::verify::{Keyring, Options};
use jiff::SignedDuration;
use std::fs;

#[test]
fn an_archive_that_nobody_touched_is_good_and_says_what_became_of_what_is_not_here() {
    let mut copy = Copy::new();
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!(report.recordings.len(), 7);
    let [consent, regulated] = report.lanes.as_slice() else { panic!("{:?}", report.lanes) };
    assert_eq!((regulated.recordings, regulated.absent.elsewhere), (4, 1));
    assert_eq!((consent.recordings, consent.absent.elsewhere), (3, 1));
    let deletion = &regulated.absent.deleted.first[0];
    assert_eq!(deletion.what.recording, recording(DELETED));
    assert_eq!((deletion.reason.as_str(), deletion.by.as_str()), ("the caller asked for it", "dpo"));
    let log = &report.archives[0].logs[0];
    assert_eq!(log.target.as_deref(), Some("vault"));
    assert_eq!(log.head.as_ref().unwrap().size, whole().checkpoints.last().unwrap().checkpoint.size);
}

#[test]
fn an_archive_whose_oldest_years_are_gone_is_good_and_says_so() {
    let mut copy = Copy::new();
    fs::remove_dir_all(copy.path("2025")).unwrap();
    copy.options.retention = SignedDuration::from_hours(40);
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    let expired: Vec<_> = report.lanes.iter().map(|lane| lane.absent.expired.clone().unwrap()).collect();
    assert_eq!([expired[0].recordings, expired[1].recordings], [1, 2]);
    // Except to somebody who knows that nothing can have expired yet.
    copy.options.complete = true;
    let said = said(&copy.verify());
    assert!(
        said.iter().any(|missing| missing.contains("position 1") && missing.contains("MISSING")),
        "{said:?}"
    );
}

#[test]
fn an_archive_of_one_rules_part_is_good_under_its_own_name() {
    // What lies at the other target: the same log, and the recordings meant for it.
    let (_top, making) = again(1..=10);
    let mut copy = Copy::new();
    fs::remove_dir_all(copy.path("2025")).unwrap();
    fs::remove_dir_all(copy.path("2026")).unwrap();
    for call in CALLS.iter().filter(|call| call.targets.contains(&"cloud")) {
        for path in making.sealed[call.number as usize - 1].files() {
            write(&copy.path(call.year).join(path.file_name().unwrap()), &fs::read(&path).unwrap());
        }
    }
    copy.options.target = Some("cloud".into());
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!(report.recordings.len(), 4);
    let elsewhere: u64 = report.lanes.iter().map(|lane| lane.absent.elsewhere).sum();
    assert_eq!(elsewhere, 6);
}

#[test]
fn a_log_whose_signing_key_was_rotated_is_good_and_says_which_keys_signed() {
    let whole = whole();
    let (_top, mut making) = again([1, 3]);
    making.rotate(&whole.other_key, &whole.key);
    making.call(&whole.other_key, CALLS[4]);
    making.heartbeat();
    let mut copy = Copy { top: tempfile::tempdir().unwrap(), options: Options::default(), trusted: None };
    run("cp", &["-R", ".", copy.top.path().to_str().unwrap()], &making.top);
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    let signed_by = |key: &TestKey| {
        let id = Some(key.certificate.public_key().id());
        report.recordings.iter().filter(|recording| recording.signed_by == id).count()
    };
    assert_eq!((signed_by(&whole.key), signed_by(&whole.other_key)), (2, 1));
    let notes: Vec<_> = report.archives[0].logs[0].notes.iter().map(ToString::to_string).collect();
    assert!(notes.iter().any(|note| note.contains("every two years")), "{notes:?}");
    // By the old certificate alone, the newer recording cannot be judged.
    let mut keys = Keyring::new();
    keys.add(whole.key.certificate.clone());
    copy.trusted = Some(keys);
    assert!(!copy.verify().is_good());
}

#[test]
fn what_was_sealed_a_moment_before_the_logs_end_may_be_on_its_way() {
    let (_top, mut making) = again(1..=3);
    remove(&making.sealed[2]);
    let mut copy = Copy { top: tempfile::tempdir().unwrap(), options: Options::default(), trusted: None };
    run("cp", &["-R", ".", copy.top.path().to_str().unwrap()], &making.top);
    let sealed_at = making.later(SignedDuration::ZERO);
    copy.options.now = sealed_at + SignedDuration::from_mins(50);
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!(report.lanes[1].absent.on_the_way, 1);
    copy.options.now = sealed_at + SignedDuration::from_mins(60);
    let hour_later = said(&copy.verify());
    assert!(hour_later.len() == 1 && hour_later[0].contains("position 2"), "{hour_later:?}");
    copy.options.now = sealed_at;
    copy.options.grace = SignedDuration::ZERO;
    let said = said(&copy.verify());
    assert!(said.len() == 1 && said[0].contains("position 2"), "{said:?}");
}

#[test]
fn without_a_log_and_a_label_it_is_said_of_each_lane_that_nothing_tells_of_its_end() {
    let mut copy = Copy::new();
    assert!(copy.verify().lanes.iter().all(|lane| lane.has_log));
    strip(&mut copy);
    fs::remove_file(copy.path("archive.txt")).unwrap();
    // Its beginning is there: chains show holes, and these two have one where a recording went elsewhere.
    fs::remove_dir_all(copy.path("2026")).unwrap();
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert!(report.lanes.len() == 2 && report.lanes.iter().all(|lane| !lane.has_log));
}

#[test]
fn deliveries_under_way_and_links_out_are_counted_and_no_fault() {
    let mut copy = Copy::new();
    write(&copy.path("2026/.callseal-00ff.part"), b"x");
    std::os::unix::fs::symlink("/etc", copy.path("more")).unwrap();
    std::os::unix::fs::symlink("callseal.pem", copy.path("same.pem")).unwrap();
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!((report.unfinished, report.links_out), (1, 1));
}

#[test]
fn a_time_in_which_the_log_says_nothing_and_a_lost_key_are_told_loudly() {
    let (_top, mut making) = again([1, 3]);
    making.later(SignedDuration::from_hours(4));
    making.heartbeat();
    making.replace(&whole().other_key, &whole().key);
    let mut copy = Copy { top: tempfile::tempdir().unwrap(), options: Options::default(), trusted: None };
    turn_into(&copy, &making);
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    let log = &report.archives[0].logs[0];
    let loud: Vec<_> = log.notes.iter().filter(|note| note.is_loud()).map(ToString::to_string).collect();
    assert_eq!(loud.len(), 2, "{loud:?}");
    assert!(loud[0].contains("the log says nothing") && loud[1].contains("did NOT agree"), "{loud:?}");
    // The new key has to have signed all the same.
    fs::remove_file(change_of_key(&copy).with_extension("new.sig")).unwrap();
    assert!(said(&copy.verify())[0].contains(".new.sig is missing"));
}

#[test]
fn good_time_stamps_are_counted_and_without_an_authority_said_to_be_unjudged() {
    let mut copy = Copy::new();
    let authority = Authority::valid_until("20491231235959Z");
    authority.stamp(&copy.file(5, Section::HashList), &copy.file(5, Section::TimeStamp));
    let size = whole().size();
    let of = |ending: &str| copy.path(&format!("log/acme/checkpoints/{size:020}{ending}"));
    authority.stamp(&of(""), &of(".tsr"));
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    assert_eq!(report.archives[0].logs[0].stamps.not_checked, 1);
    copy.options.authorities = Some(authority.trusted());
    let report = copy.verify();
    assert_eq!(said(&report), [] as [String; 0]);
    let stamps = &report.archives[0].logs[0].stamps;
    assert_eq!((stamps.good, stamps.newest.as_ref().unwrap().0), (1, size));
}
