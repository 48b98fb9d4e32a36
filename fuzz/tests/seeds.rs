//! The seeds of each fuzz target with the plain compiler: what the fuzzer starts from, what it once found
//! (`seeds/<target>/found-*`), and damaged copies of both.

use std::{collections::BTreeSet, fs, path::PathBuf};

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn names_in(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(here().join(folder)).expect(folder);
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Copies are damaged at this many places at most: a longer seed is damaged at some of its places.
const PLACES: usize = 60;

fn run_seeds(target: &str) {
    let seeds = names_in(&format!("seeds/{target}"));
    assert!(!seeds.is_empty(), "{target} has no seeds");
    for seed in seeds {
        let bytes = fs::read(here().join("seeds").join(target).join(&seed)).unwrap();
        println!("{seed}");
        fuzz::run(target, &bytes);
        for at in (0..bytes.len()).step_by(bytes.len() / PLACES + 1) {
            let mut damaged = bytes.clone();
            for change in [0x01, 0x80, 0xff] {
                damaged[at] = bytes[at] ^ change;
                fuzz::run(target, &damaged);
            }
            fuzz::run(target, &bytes[..at]);
            fuzz::run(target, &bytes[at..]);
            fuzz::run(target, &[&bytes[..at], &bytes[at / 2..]].concat());
        }
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                run_seeds(stringify!($name));
            }
        )*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! {
    siprec_body siprec_sdp siprec_metadata siprec_headers dtmf_info rtp wav announcement recording_files
    certificate log_entry log_checkpoint log_proof log_statement witness time_stamp configuration drda_answers
}

#[test]
fn every_target_has_seeds_a_test_and_a_program_for_the_fuzzer() {
    let targets: BTreeSet<String> = fuzz::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets, TESTED.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(targets, names_in("seeds"));
    let programs = names_in("libfuzzer/fuzz_targets");
    assert_eq!(programs, targets.iter().map(|name| format!("{name}.rs")).collect());
    let manifest = fs::read_to_string(here().join("libfuzzer/Cargo.toml")).unwrap();
    for name in targets {
        assert!(
            manifest.contains(&format!("name = \"{name}\"\n")),
            "{name} is missing in libfuzzer/Cargo.toml"
        );
        let program = fs::read_to_string(here().join(format!("libfuzzer/fuzz_targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("fuzz::run(\"{name}\", data)")), "{program}");
    }
}
