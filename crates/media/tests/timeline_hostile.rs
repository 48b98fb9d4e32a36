//! Whatever comes in: no panic, no byte of audio lost, runs that never overlap.

mod network;

use std::collections::BTreeMap;

use media::{
    Timeline, TimelineConfig,
    timeline::{PushOutcome, TrackId},
};
use network::{BEGIN_US, rtp};
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Datagram {
    stream: u32,
    arrival_us: i64,
    bytes: Vec<u8>,
    rtcp: bool,
}

fn arrivals() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => (0..20_000_000_i64).prop_map(|us| BEGIN_US + us),
        1 => any::<i64>(),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0)],
    ]
}

/// Packets that are well formed and agree with nothing before them.
fn packets() -> impl Strategy<Value = Datagram> {
    let near = prop_oneof![3 => 0..300_u16, 1 => any::<u16>()];
    let times = prop_oneof![3 => 0..50_000_u32, 1 => any::<u32>()];
    let kinds = prop_oneof![4 => Just(8_u8), 2 => Just(0), 1 => 0..128_u8];
    (0..3_u32, arrivals(), 0..3_u32, near, times, kinds, 0..400_usize, any::<u8>()).prop_map(
        |(stream, arrival_us, ssrc, sequence, timestamp, kind, size, byte)| {
            let bytes = rtp(ssrc, sequence, timestamp, kind, &vec![byte; size]);
            Datagram { stream, arrival_us, bytes, rtcp: false }
        },
    )
}

fn noise() -> impl Strategy<Value = Datagram> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(|mut bytes| {
            // Looks like RTP or RTCP at first sight.
            if let Some(first) = bytes.first_mut() {
                *first = *first & 0x3F | 0x80;
            }
            bytes
        }),
    ];
    (0..3_u32, arrivals(), bytes, any::<bool>()).prop_map(|(stream, arrival_us, bytes, rtcp)| Datagram {
        stream,
        arrival_us,
        bytes,
        rtcp,
    })
}

#[derive(Default)]
struct Output {
    ends: BTreeMap<TrackId, u64>,
}

impl Output {
    fn take(&mut self, timeline: &mut Timeline) -> Result<(), TestCaseError> {
        for run in timeline.take_ready() {
            let end = self.ends.entry(run.track).or_default();
            prop_assert!(run.start_sample >= *end, "runs are in order and do not overlap");
            *end = run.end_sample();
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_every_accepted_byte_comes_out(
        datagrams in prop::collection::vec(prop_oneof![5 => packets(), 1 => noise()], 0..600),
        sort: bool,
        restore_at in 0..600_usize,
    ) {
        let mut datagrams = datagrams;
        if sort {
            datagrams.sort_by_key(|datagram| datagram.arrival_us);
        }
        let mut timeline = Timeline::new(TimelineConfig::default());
        let (mut output, mut accepted, mut outcomes) = (Output::default(), 0, [0_u64; 3]);
        for (at, datagram) in datagrams.iter().enumerate() {
            match timeline.push(datagram.stream, datagram.arrival_us, &datagram.bytes, datagram.rtcp) {
                PushOutcome::Audio(_) => {
                    let packet = media::rtp::RtpPacket::parse(&datagram.bytes).unwrap();
                    accepted += packet.payload.len() as u64;
                    outcomes[0] += 1;
                }
                PushOutcome::Duplicate => outcomes[1] += 1,
                PushOutcome::Malformed(_) => outcomes[2] += 1,
                PushOutcome::NotAudio | PushOutcome::Unsupported(_) => outcomes[0] += 1,
                PushOutcome::Rtcp => {}
            }
            if at == restore_at {
                timeline = Timeline::restore(&timeline.snapshot()).unwrap();
            }
            output.take(&mut timeline)?;
        }
        timeline.finish();
        output.take(&mut timeline)?;
        let report = timeline.report();
        let laid: u64 = report.tracks.iter().map(|track| track.payload_samples).sum();
        prop_assert_eq!(laid, accepted);
        let count = |of: fn(&media::timeline::PacketCounts) -> u64| -> u64 {
            report.streams.iter().map(|stream| of(&stream.packets)).sum()
        };
        prop_assert_eq!(count(|counts| counts.received), outcomes[0]);
        prop_assert_eq!(count(|counts| counts.duplicate), outcomes[1]);
        prop_assert_eq!(count(|counts| counts.malformed), outcomes[2]);
    }
}
