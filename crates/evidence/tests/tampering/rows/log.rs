//! The log.

use crate::deeds::{
    again, bundle, change_entry, change_of_key, flip, reorder_entries, replace_log, rotated, strip, turn_into,
};
use crate::logged::TestLog;
use crate::scene::{CALLS, remove, whole};
use crate::signed::run;
use evidence::Section;
use evidence::log::What;
use jiff::SignedDuration;
use std::fs;
use std::path::Path;

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "an entry changed",
        |copy| change_entry(copy, "Position: 3", "Position: 9"),
        "entries of the log are not those that were signed",
    ),
    ("entries reordered", reorder_entries, "entries of the log are not those that were signed"),
    ("a byte of the entries", |copy| flip(&bundle(copy)), "log: "),
    (
        "a byte of a tile",
        |copy| {
            let size = whole().size();
            flip(&copy.path(&format!("log/acme/tile/0/000.p/{size}")));
        },
        "the log's tiles are not those of the signed tree",
    ),
    ("the entries removed", |copy| fs::remove_file(bundle(copy)).unwrap(), "of the log are missing"),
    ("a byte of the checkpoint", |copy| flip(&copy.path("log/acme/checkpoint")), "checkpoint is"),
    (
        "the checkpoint removed",
        |copy| fs::remove_file(copy.path("log/acme/checkpoint")).unwrap(),
        "the log has no checkpoint",
    ),
    ("the statement of the log's key changed", |copy| flip(&copy.statement()), "log key statement"),
    (
        "another key for the log, by its own statement",
        |copy| {
            let forger = crate::logged::log_key("0a1b2c3d");
            fs::remove_dir_all(copy.path("log")).unwrap();
            TestLog::new(copy.top.path(), &whole().other_key, forger).checkpoint();
        },
        "of which there is no trusted certificate",
    ),
    (
        "the log removed",
        |copy| fs::remove_dir_all(copy.path("log")).unwrap(),
        "the log of tenant acme is missing",
    ),
    (
        "the log and all proofs removed",
        strip,
        "the log of tenant acme is missing: archive.txt names the tenant",
    ),
    (
        "a change of key without the old key's signature",
        |copy| {
            rotated(copy);
            fs::remove_file(change_of_key(copy).with_extension("old.sig")).unwrap();
        },
        ".old.sig is missing or cannot be read",
    ),
    (
        "a change of key that the new key signed for the old one",
        |copy| {
            rotated(copy);
            let path = change_of_key(copy);
            fs::copy(path.with_extension("new.sig"), path.with_extension("old.sig")).unwrap();
        },
        "the key change statement was not signed by the old key",
    ),
    (
        "a change of key by another statement",
        |copy| {
            rotated(copy);
            flip(&change_of_key(copy));
        },
        "is not the statement that the entry names",
    ),
    (
        "a change of key without its statement",
        |copy| {
            rotated(copy);
            fs::remove_file(change_of_key(copy)).unwrap();
        },
        "nothing proves that change: keys/change-",
    ),
    (
        "the log begun anew, by the right keys",
        |copy| {
            fs::remove_dir_all(copy.path("log")).unwrap();
            let mut log = TestLog::new(copy.top.path(), &whole().key, crate::logged::log_key("ffffffff"));
            log.add(whole().start, What::Heartbeat);
            log.checkpoint();
        },
        "is of a log that no certified key of this archive signs",
    ),
    (
        "the log forked: another history by the right keys",
        |copy| {
            let (_top, mut making) = again([1, 2, 3, 5, 6, 7, 8, 9, 10]);
            making.heartbeat();
            replace_log(copy, &making.top.join("log"));
        },
        "the log was forked: the proof of recording",
    ),
    (
        "a checkpoint of another history among the copies",
        |copy| {
            let (_top, making) = again([1, 3]);
            let copies = making.top.join("log/acme/checkpoints");
            run(
                "cp",
                &["-R", copies.to_str().unwrap(), copy.path("log/acme").to_str().unwrap()],
                Path::new("/"),
            );
        },
        "two signed checkpoints contradict each other",
    ),
    (
        "the log rolled back, recordings left",
        |copy| {
            let (_top, mut making) = again(1..=3);
            run("cp", &["-R", "log", "older"], &making.top);
            making.later(SignedDuration::from_hours(2));
            making.call(&whole().key, CALLS[4]);
            turn_into(copy, &making);
            fs::remove_dir_all(copy.path("log")).unwrap();
            fs::rename(copy.path("older"), copy.path("log")).unwrap();
        },
        "the log was rolled back: it had",
    ),
    (
        "the log rolled back and recordings removed, against the checkpoint that the auditor kept",
        |copy| {
            let (_top, making) = again(1..=5);
            replace_log(copy, &making.top.join("log"));
            (6..=10).for_each(|number| remove(&copy.sealed(number)));
            copy.options.checkpoints = vec![whole().checkpoints[9].clone()];
        },
        "compared with the checkpoint given: the log was rolled back",
    ),
    (
        "the log forked and proofs made anew, against the checkpoint that the auditor kept",
        |copy| {
            let (_top, mut making) = again([1, 2, 3, 6]);
            making.heartbeat();
            fs::remove_dir_all(copy.top.path()).unwrap();
            run(
                "cp",
                &["-R", making.top.to_str().unwrap(), copy.top.path().to_str().unwrap()],
                Path::new("/"),
            );
            copy.options.checkpoints = vec![whole().checkpoints[3].clone()];
        },
        "compared with the checkpoint given: the log was forked",
    ),
    (
        "the log begun anew, against the checkpoint that the auditor kept",
        |copy| {
            fs::remove_dir_all(copy.path("log")).unwrap();
            CALLS.iter().for_each(|call| {
                let _gone = fs::remove_file(copy.file(call.number, Section::LogProof));
            });
            let mut log = TestLog::new(copy.top.path(), &whole().key, crate::logged::log_key("ffffffff"));
            log.add(whole().start, What::Heartbeat);
            log.checkpoint();
            copy.options.checkpoints = vec![whole().checkpoints[3].clone()];
        },
        "of which a checkpoint was given, is not here",
    ),
];
