//! Two histories of one log, shown at the same time.

use std::{collections::BTreeSet, sync::Barrier, thread};

use harness::witness::Witness;

use super::{log::TestLog, talk::post};

const THREADS: u64 = 8;

#[test]
fn of_two_histories_shown_at_once_only_one_is_ever_signed() {
    let data = tempfile::tempdir().unwrap();
    let size = 2 + THREADS;
    let (log, forked) = (TestLog::new(size, None), TestLog::new(size, Some(1)));
    let witness = Witness::start(data.path(), "audit.example/w", &[log.vkey()]).unwrap();
    post(&witness.url, &log.request(0, 1).to_bytes()).unwrap().cosignatures();

    let requests: Vec<_> = (0..THREADS)
        .map(|number| {
            let history = if number % 2 == 0 { &log } else { &forked };
            (number % 2, history.request(1, 2 + number))
        })
        .collect();
    let together = Barrier::new(requests.len());
    let mut signed: Vec<(u64, u64)> = thread::scope(|scope| {
        let asking: Vec<_> = requests
            .iter()
            .map(|(history, request)| {
                let (together, url) = (&together, &witness.url);
                scope.spawn(move || {
                    together.wait();
                    let said = post(url, &request.to_bytes()).unwrap();
                    assert!([200, 409].contains(&said.status), "{}", said.text());
                    (said.status == 200).then_some(*history)
                })
            })
            .collect();
        let answers = asking.into_iter().zip(2..).filter_map(|(a, size)| Some((a.join().unwrap()?, size)));
        answers.collect()
    });
    assert_eq!(signed.len(), 1, "all started from a tree of one entry: {signed:?}");

    // Now each goes on from what was signed; the other history gets nothing.
    let (history, mut seen) = signed[0];
    let (own, other) = if history == 0 { (&log, &forked) } else { (&forked, &log) };
    while seen < size {
        assert_eq!(post(&witness.url, &other.request(seen, size).to_bytes()).unwrap().status, 422);
        post(&witness.url, &own.request(seen, seen + 1).to_bytes()).unwrap().cosignatures();
        seen += 1;
        signed.push((history, seen));
    }
    let histories: BTreeSet<_> = signed.iter().map(|(history, _)| history).collect();
    assert_eq!(histories.len(), 1);
}
