//! What `verify.sh` has to say of good archives and of damaged ones, whatever the system.

use std::iter;

use crate::{
    damages::{Damage, files, log, signatures},
    provable::{Kind, Provable},
    signed::TestKey,
    systems::System,
};

/// Good archives, one with each kind of log key.
pub struct Scene {
    key: TestKey,
    good: [Provable; 2],
}

impl Scene {
    pub fn new() -> Self {
        let key = TestKey::new();
        Self { good: [Kind::Ed25519, Kind::P256].map(|kind| Provable::new(kind, &key)), key }
    }
}

/// What is good passes.
pub fn passes(system: &System, Scene { key, good }: &Scene) {
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
pub fn finds(system: &System, damages: impl IntoIterator<Item = Damage>, Scene { key, good }: &Scene) {
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

/// Shows a system what is good, and the damages that its tools could stumble over.
pub fn judges_as_dash(system: &System) {
    let all = std::env::var_os("ALL_DAMAGES").is_some();
    let damages = files().into_iter().chain(signatures()).chain(log());
    let scene = Scene::new();
    passes(system, &scene);
    finds(system, damages.filter(|damage| all || damage.everywhere), &scene);
}
