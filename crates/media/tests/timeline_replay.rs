//! A signer that is killed restores its last snapshot and reads on from its mark: the bytes must
//! be those that it would have made.

mod network;

use media::{Timeline, TimelineConfig};
use network::{Collector, Hold, Scenario, push, record, traffic};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn continuing_from_any_snapshot_makes_the_same_bytes(
        seed: u64, cut in 0.0..1.0, flush_every in 1..2_000_usize, hold: bool
    ) {
        let hold = if hold { Hold::Frozen } else { Hold::None };
        let scenario = Scenario {
            loss: 0.03, duplicates: 0.02, jitter_us: 120_000, offset_us: 700_000, ppm: [100, -100], hold,
            ssrc_change: true, sender_reports: true, ..Scenario::calm(seed, 40)
        };
        let deliveries = traffic(&scenario).deliveries;
        let whole = record(&deliveries);

        let cut = (deliveries.len() as f64 * cut) as usize;
        let mut timeline = Timeline::new(TimelineConfig::default());
        let mut collector = Collector::default();
        for (at, delivery) in deliveries.iter().enumerate() {
            if at == cut {
                let snapshot = timeline.snapshot();
                timeline = Timeline::restore(&snapshot).unwrap();
                prop_assert_eq!(timeline.snapshot(), snapshot);
            }
            push(&mut timeline, delivery);
            if at % flush_every == 0 {
                collector.drain(&mut timeline);
            }
        }
        prop_assert!(collector.finish(timeline) == whole);
    }
}

#[test]
fn the_state_of_a_long_call_stays_small() {
    let scenario = Scenario { jitter_us: 30_000, ..Scenario::calm(6, 600) };
    let mut timeline = Timeline::new(TimelineConfig::default());
    for delivery in &traffic(&scenario).deliveries {
        push(&mut timeline, delivery);
        timeline.take_ready();
    }
    let size = timeline.snapshot().len();
    assert!(size < 80_000, "{size} bytes");
}
