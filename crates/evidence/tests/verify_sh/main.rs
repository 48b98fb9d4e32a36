//! `verify.sh` in the shells and with the tools of Linux, small Linux and BSD: what is good passes, and
//! each kind of damage is found and named.
//!
//! Each recording that is judged starts some sixty small programs, so none comes after the damaged one, one shell is shown all kinds of
//! damage and each other system those that its tools could stumble over; with `ALL_DAMAGES` set
//! (`make soak`) every system is shown all.

mod archives;
mod damages;
#[path = "../provable/mod.rs"]
mod provable;
#[path = "../signed/mod.rs"]
mod signed;
#[path = "../systems/mod.rs"]
mod systems;

use std::iter;

use damages::{Damage, files, log, signatures};
use provable::{Kind, Provable};
use signed::TestKey;
use systems::System;

/// Good archives, one with each kind of log key.
struct Scene {
    key: TestKey,
    good: [Provable; 2],
}

impl Scene {
    fn new() -> Self {
        let key = TestKey::new();
        Self { good: [Kind::Ed25519, Kind::P256].map(|kind| Provable::new(kind, &key)), key }
    }
}

/// What is good passes.
fn passes(system: &System, Scene { key, good }: &Scene) {
    for archive in good {
        let said = system.verify(&[archive.path()]);
        assert_eq!(said.code, 0, "{said}");
        for number in 1..=3 {
            assert!(said.has(&format!("ok     {}\n", archive.base(number))), "{said}");
        }
        assert!(said.has("chain  acme/regulated: 3 recordings, from position 1 to 3\n"), "{said}");
        assert!(said.has(&fingerprint(key)) && said.has("3 recordings verified: all good\n"), "{said}");
    }
}

/// Each damage is found, named, and laid to nobody else.
fn finds(system: &System, damages: impl IntoIterator<Item = Damage>, Scene { key, good }: &Scene) {
    for (damage, archive) in iter::zip(damages, good.iter().cycle()) {
        let archive = archive.copy();
        (damage.done)(&archive, key);
        if damage.recording < 3 {
            archive.take_away(3);
        }
        let said = system.verify(&[archive.path()]);
        let Damage { name, recording, words, .. } = damage;
        assert_eq!(said.code, 1, "{name}: {said}");
        let line = match recording {
            0 => said.line(&|line| line.starts_with("WRONG ")),
            number => said.line(&|line| line.starts_with(&format!("WRONG  {}: ", archive.base(number)))),
        };
        assert!(line.contains(words), "{name}: {said}");
        // Nobody else is blamed: only what is done to all concerns the first.
        for number in 1..recording {
            assert!(said.has(&format!("ok     {}\n", archive.base(number))), "{name}: {said}");
        }
        assert!(said.has("SOMETHING IS WRONG"), "{name}: {said}");
    }
}

/// As openssl shows it.
fn fingerprint(key: &TestKey) -> String {
    let hex = key.certificate.fingerprint().to_string().to_uppercase();
    let pairs: Vec<&str> = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap()).collect();
    pairs.join(":")
}

#[test]
fn what_is_good_passes_in_dash_and_damaged_files_are_found() {
    let (system, scene) = (System::shell(&["dash"]), Scene::new());
    passes(&system, &scene);
    finds(&system, files(), &scene);
}

#[test]
fn damaged_signatures_are_found_in_dash() {
    finds(&System::shell(&["dash"]), signatures(), &Scene::new());
}

#[test]
fn damage_to_the_log_is_found_in_dash() {
    finds(&System::shell(&["dash"]), log(), &Scene::new());
}

fn judges_as_dash(system: &System) {
    let all = std::env::var_os("ALL_DAMAGES").is_some();
    let damages = files().into_iter().chain(signatures()).chain(log());
    let scene = Scene::new();
    passes(system, &scene);
    finds(system, damages.filter(|damage| all || damage.everywhere), &scene);
}

#[test]
fn bash_judges_as_dash() {
    judges_as_dash(&System::shell(&["bash", "--posix"]));
}

#[test]
fn busybox_with_its_own_tools_judges_as_dash() {
    judges_as_dash(&System::busybox());
}

#[test]
fn the_tools_of_bsd_and_macos_judge_as_dash() {
    judges_as_dash(&System::bsd());
}
