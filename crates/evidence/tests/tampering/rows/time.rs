//! Time.

use crate::deeds::again;
use crate::logged_authority::Authority;
use crate::scene::{CALLS, whole};
use crate::signed::run;
use evidence::Section;
use jiff::SignedDuration;
use std::fs;
use std::path::Path;

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "a backdated clock",
        |copy| {
            let (_top, mut making) = again(1..=3);
            let authority = Authority::valid_until("20491231235959Z");
            let size = making.log.checkpoint().checkpoint.size;
            let of = |ending: &str| making.top.join(format!("log/acme/checkpoints/{size:020}{ending}"));
            authority.stamp(&of(""), &of(".tsr"));
            // Sealed after the stamp, today, by a clock of the day before yesterday.
            making.call(&whole().key, CALLS[4]);
            making.heartbeat();
            fs::remove_dir_all(copy.top.path()).unwrap();
            run(
                "cp",
                &["-R", making.top.to_str().unwrap(), copy.top.path().to_str().unwrap()],
                Path::new("/"),
            );
            copy.options.authorities = Some(authority.trusted());
        },
        "an authority stamped the log without it: the clock was set back",
    ),
    (
        "a clock that is ahead",
        |copy| {
            let (_top, mut making) = again(1..=3);
            making.later(SignedDuration::from_hours(72));
            making.heartbeat();
            let size = making.log.checkpoint().checkpoint.size;
            let of = |ending: &str| making.top.join(format!("log/acme/checkpoints/{size:020}{ending}"));
            let authority = Authority::valid_until("20491231235959Z");
            authority.stamp(&of(""), &of(".tsr"));
            fs::remove_dir_all(copy.top.path()).unwrap();
            run(
                "cp",
                &["-R", making.top.to_str().unwrap(), copy.top.path().to_str().unwrap()],
                Path::new("/"),
            );
            copy.options.authorities = Some(authority.trusted());
        },
        "the clock was ahead",
    ),
    (
        "an authority whose certificate had expired",
        |copy| {
            let authority = Authority::valid_until("20210101000000Z");
            authority.stamp(&copy.file(5, Section::HashList), &copy.file(5, Section::TimeStamp));
            copy.options.authorities = Some(authority.trusted());
        },
        "the authority's certificate had expired when the time stamp was made",
    ),
    (
        "a time stamp by somebody else",
        |copy| {
            let (authority, other) =
                (Authority::valid_until("20491231235959Z"), Authority::valid_until("20491231235959Z"));
            authority.stamp(&copy.file(5, Section::HashList), &copy.file(5, Section::TimeStamp));
            copy.options.authorities = Some(other.trusted());
        },
        "the time stamp (_hash.tsr) is wrong: the time stamp was not made by one of the authorities given",
    ),
    (
        "a time stamp of another recording",
        |copy| {
            let authority = Authority::valid_until("20491231235959Z");
            authority.stamp(&copy.file(3, Section::HashList), &copy.file(5, Section::TimeStamp));
            copy.options.authorities = Some(authority.trusted());
        },
        "the time stamp is one of other data",
    ),
];
