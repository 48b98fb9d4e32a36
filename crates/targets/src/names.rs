//! Names that a put makes up: of the unfinished file, of a file that must stand aside.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use sha2::{Digest as _, Sha256};

use crate::Digest;

/// Name of the unfinished file: hidden, without a number, and the same for each attempt at the same
/// file, so that the next attempt finds and resumes what the last one left. The name is part of it:
/// two calls in which nobody spoke have the same audio, and are put at the same time.
pub(crate) fn unfinished(name: &str, sha256: &Digest) -> String {
    let both = Sha256::new().chain_update(sha256).chain_update(name).finalize();
    format!(".callseal-{}.part", hex::encode(&both[..12]))
}

/// Whether it is the name of an [`unfinished`] file.
pub(crate) fn is_unfinished(name: &str) -> bool {
    let number = name.strip_prefix(".callseal-").and_then(|rest| rest.strip_suffix(".part"));
    number.is_some_and(|number| number.len() == 24 && number.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `name` with a number before its ending: `a_info.txt` → `a_info (2).txt`.
pub(crate) fn aside(name: &str, number: u32) -> String {
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => format!("{stem} ({number}).{ending}"),
        _ => format!("{name} ({number})"),
    }
}

/// `folder/name`, or `name` alone.
pub(crate) fn join(folder: &str, name: &str) -> String {
    match folder.trim_matches('/') {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

/// A word that no other process and no earlier call of this one has used.
pub(crate) fn unique() -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_micros());
    format!("{now:x}-{:x}-{:x}", std::process::id(), CALLS.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_stands_aside_keeps_its_ending() {
        assert_eq!(aside("a_info.txt", 2), "a_info (2).txt");
        assert_eq!(aside("plain", 3), "plain (3)");
        assert_eq!(aside(".hidden", 2), ".hidden (2)");
    }

    #[test]
    fn an_unfinished_file_is_known_by_its_name() {
        assert!(is_unfinished(&unfinished("a.wav", &[7; 32])));
        for other in [".callseal-.part", ".callseal-00.part", "callseal.pem", "a.part"] {
            assert!(!is_unfinished(other), "{other}");
        }
    }

    #[test]
    fn a_join_makes_no_empty_level() {
        assert_eq!(join("", "a"), "a");
        assert_eq!(join("/2026/11/", "a"), "2026/11/a");
    }
}
