//! Recordings of the archive.

use crate::deeds::{again, turn_into};
use crate::logged::{seal, write};
use crate::scene::{remove, whole};
use crate::signed::info;
use std::fs;

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "every recording removed",
        |copy| (1..=10).for_each(|number| remove(&copy.sealed(number))),
        "acme/regulated: position 6: recording 01949c3e-7a5b-7000-8000-000000000009",
    ),
    (
        "the oldest removed, long before they can have expired",
        |copy| [1, 3].into_iter().for_each(|number| remove(&copy.sealed(number))),
        "acme/regulated: position 1: recording 01949c3e-7a5b-7000-8000-000000000001",
    ),
    (
        "the newest removed, and the log ends right after it",
        |copy| {
            let (_top, making) = again(1..=3);
            remove(&making.sealed[2]);
            turn_into(copy, &making);
        },
        "acme/regulated: position 2: recording 01949c3e-7a5b-7000-8000-000000000003",
    ),
    (
        "a target's name mistyped",
        |copy| copy.options.target = Some("vualt".into()),
        "no recording was ever sealed for a target vualt: the log names cloud, vault",
    ),
    (
        "two targets' names on the archive",
        |copy| {
            let label = b"Callseal archive\nTenant: acme\nTarget: vault\nTenant: acme\nTarget: cloud\n";
            write(&copy.path("archive.txt"), label);
        },
        "says that this archive is the target vault of tenant acme, and the target cloud",
    ),
    (
        "a recording removed from the middle",
        |copy| remove(&copy.sealed(5)),
        "acme/regulated: position 4: recording 01949c3e-7a5b-7000-8000-000000000005",
    ),
    (
        "the end of the chain cut off",
        |copy| remove(&copy.sealed(10)),
        "acme/consent: position 4: recording 01949c3e-7a5b-7000-8000-000000000010",
    ),
    (
        "all of a lane removed",
        |copy| [2, 6, 10].into_iter().for_each(|number| remove(&copy.sealed(number))),
        "acme/consent: position 1: recording 01949c3e-7a5b-7000-8000-000000000002",
    ),
    (
        "a recording put into the place of another",
        |copy| {
            remove(&copy.sealed(5));
            let mut forged = info(25, &whole().key, Some(whole().sealed[3].head.clone()));
            forged.started = whole().start.to_zoned(jiff::tz::TimeZone::UTC);
            seal(&copy.path("2026"), &forged, &whole().key);
        },
        "01949c3e-7a5b-7000-8000-000000000025 is not in the log",
    ),
    (
        "an older recording put back although it was deleted",
        |copy| {
            let (_top, making) = again(1..=7);
            for path in making.sealed[6].files() {
                fs::copy(&path, copy.path("2026").join(path.file_name().unwrap())).unwrap();
            }
        },
        "was deleted, says the log, and is here",
    ),
    (
        "a recording of another target",
        |copy| {
            let (_top, making) = again(1..=4);
            for path in making.sealed[3].files() {
                fs::copy(&path, copy.path("2025").join(path.file_name().unwrap())).unwrap();
            }
        },
        "was not meant for this archive (vault)",
    ),
    (
        "a recording moved here from another tenant",
        |copy| {
            let mut foreign = info(27, &whole().key, None);
            foreign.lane.tenant = "beta".parse().unwrap();
            seal(&copy.path("2026"), &foreign, &whole().key);
        },
        "a recording of tenant beta in the archive of another",
    ),
    (
        "another target's name on the archive",
        |copy| write(&copy.path("archive.txt"), b"Callseal archive\nTenant: acme\nTarget: cloud\n"),
        "was not meant for this archive (cloud)",
    ),
];
