//! `kill -9` at any moment: no cosignature is out that the witness does not remember.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use evidence::log::SignedCheckpoint;
use harness::witness::Witness;

use super::{
    log::{ORIGIN, TestLog},
    talk::{get, post},
};

const ROUNDS: u64 = 12;

#[test]
fn after_kill_9_a_witness_knows_everything_it_signed() {
    let data = tempfile::tempdir().unwrap();
    let log = TestLog::new(5_000, None);
    let mut seen = 0;
    for round in 0..ROUNDS {
        let witness = Witness::start(data.path(), "audit.example/w", &[log.vkey()]).unwrap();
        let remembered = remembered(&witness);
        // What was in the middle when it died may be remembered without having been answered.
        assert!(remembered >= seen, "it signed {seen} and remembers {remembered}");
        assert!(remembered <= seen + 1, "{seen} {remembered}");
        if seen > 1 {
            // A history that differs from its first entry on: refused, whatever was remembered.
            let forked = TestLog::new(remembered + 1, Some(0));
            let said = post(&witness.url, &forked.request(remembered, remembered + 1).to_bytes()).unwrap();
            assert_eq!(said.status, 422);
        }
        seen = asked_until_killed(witness, &log, remembered, round);
    }
    assert!(seen > ROUNDS, "each round got some answers");
}

fn remembered(witness: &Witness) -> u64 {
    let newest = get(&witness.url, &format!("/checkpoints/{ORIGIN}"));
    if newest.status == 404 {
        return 0;
    }
    SignedCheckpoint::parse(&newest.body).unwrap().checkpoint.size
}

/// Asks for one entry more each time, while the witness is killed after some answers, at a moment that
/// differs from round to round. Returns the largest size it answered with a cosignature.
fn asked_until_killed(witness: Witness, log: &TestLog, mut size: u64, round: u64) -> u64 {
    let (url, answers) = (witness.url.clone(), AtomicU64::new(0));
    let first = size;
    thread::scope(|scope| {
        let answers = &answers;
        let killer = scope.spawn(move || {
            let begun = Instant::now();
            while answers.load(Ordering::SeqCst) < 3 + round {
                assert!(begun.elapsed() < Duration::from_secs(60), "{}", witness.output());
                thread::yield_now();
            }
            // Somewhere within the next write.
            let moment = Instant::now();
            while moment.elapsed() < Duration::from_micros(150 * round) {
                std::hint::spin_loop();
            }
            witness.kill_hard().unwrap();
        });
        while let Ok(said) = post(&url, &log.request(size, size + 1).to_bytes()) {
            said.cosignatures();
            size += 1;
            answers.store(size - first, Ordering::SeqCst);
        }
        killer.join().unwrap();
    });
    size
}
