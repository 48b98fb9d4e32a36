//! What odd senders and broken networks do, one at a time.

mod network;

use std::collections::BTreeMap;

use media::{
    Codec, PayloadMap, Timeline, TimelineConfig,
    timeline::{GapCause, PushOutcome, TrackId},
};
use network::{BEGIN_US, Collector, Recorded, rtp};

const SECOND: i64 = 1_000_000;
const TICK: i64 = 20_000;

/// A timeline with one stream, driven in packets of 20 ms.
struct Line {
    timeline: Timeline,
    /// Payload bytes in the order of sending, by SSRC.
    sent: BTreeMap<u32, Vec<u8>>,
}

impl Line {
    fn new() -> Self {
        Self { timeline: Timeline::new(TimelineConfig::default()), sent: BTreeMap::new() }
    }

    /// Pushes A-law; the bytes count up and never are silence.
    fn push(&mut self, at_us: i64, ssrc: u32, sequence: i64, timestamp: i64) {
        let sent = self.sent.entry(ssrc).or_default();
        let payload: Vec<u8> = (sent.len()..sent.len() + 160).map(|at| (at / 160 % 0xD0) as u8).collect();
        sent.extend(&payload);
        let datagram = rtp(ssrc, sequence as u16, timestamp as u32, 8, &payload);
        let outcome = self.timeline.push(0, BEGIN_US + at_us, &datagram, false);
        assert_eq!(outcome, PushOutcome::Audio(Codec::Pcma));
    }

    /// A regular sender from packet `from` to `to`, in step with the clock.
    fn talk(&mut self, ssrc: u32, from: i64, to: i64) {
        for at in from..to {
            self.push(at * TICK, ssrc, at, at * 160);
        }
    }

    fn finish(self) -> (Recorded, BTreeMap<u32, Vec<u8>>) {
        (Collector::default().finish(self.timeline), self.sent)
    }
}

fn layer(recorded: &Recorded, layer: u8) -> &[u8] {
    let track = TrackId { stream: 0, layer, codec: Codec::Pcma };
    recorded.tracks.get(&track).map_or(&[], Vec::as_slice)
}

fn spoken(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| *byte != 0xD5).collect()
}

#[test]
fn a_packet_that_comes_when_its_place_is_final_is_kept_in_a_further_layer_at_its_place() {
    let mut line = Line::new();
    line.talk(1, 0, 100);
    line.talk(1, 101, 400);
    line.push(400 * TICK, 1, 100, 100 * 160);
    let (recorded, sent) = line.finish();
    let late = &layer(&recorded, 1)[100 * 160..];
    assert_eq!(late, &sent[&1][399 * 160..], "the late payload");
    assert_eq!(layer(&recorded, 0).len(), 400 * 160);
    assert!(layer(&recorded, 0)[100 * 160..101 * 160].iter().all(|byte| *byte == 0xD5));
    let stream = &recorded.report.streams[0];
    assert_eq!((stream.packets.late, stream.packets.lost), (1, 0));
    assert_eq!(stream.gaps[0].cause, GapCause::Lost);
}

#[test]
fn two_sources_at_the_same_time_are_never_mixed_and_the_second_takes_over_when_the_first_ends() {
    let mut line = Line::new();
    for at in 0..1_000 {
        if at < 600 {
            line.push(at * TICK, 1, at, at * 160);
        }
        if at >= 300 {
            line.push(at * TICK + 7_000, 2, at, at * 160 + 99);
        }
    }
    let (recorded, sent) = line.finish();
    let (main, second) = (spoken(layer(&recorded, 0)), spoken(layer(&recorded, 1)));
    assert_eq!(main[..600 * 160], sent[&1], "the first source keeps the channel");
    let taken_over = main.len() - 600 * 160;
    assert_eq!(second, sent[&2][..sent[&2].len() - taken_over]);
    assert_eq!(main[600 * 160..], sent[&2][sent[&2].len() - taken_over..]);
    assert!(taken_over >= 395 * 160, "{taken_over}");
    assert_eq!(layer(&recorded, 0).len(), 1_000 * 160 + 7 * 8, "at its place");
    assert!(recorded.report.streams[0].packets.concurrent >= 300);
}

#[test]
fn a_source_that_begins_a_little_early_is_laid_behind_the_end_of_the_former() {
    let mut line = Line::new();
    for at in 0..600 {
        if at < 310 {
            line.push(at * TICK, 1, at, at * 160);
        }
        if at >= 300 {
            line.push(at * TICK, 2, at, at * 160);
        }
    }
    let (recorded, sent) = line.finish();
    assert_eq!(layer(&recorded, 0), [&sent[&1][..], &sent[&2]].concat());
    assert_eq!(recorded.tracks.len(), 1);
}

#[test]
fn a_codec_change_opens_a_further_track_and_the_first_goes_on_when_it_comes_back() {
    let mut timeline = Timeline::new(TimelineConfig::default());
    let mut map = PayloadMap::new();
    map.insert(96, "PCMU", 8_000);
    timeline.describe_stream(0, map);
    for at in 0..300_i64 {
        let payload_type = if (100..200).contains(&at) { 96 } else { 8 };
        let datagram = rtp(1, at as u16, at as u32 * 160, payload_type, &[at as u8 / 2; 160]);
        timeline.push(0, BEGIN_US + at * TICK, &datagram, false);
    }
    let recorded = Collector::default().finish(timeline);
    let stream = &recorded.report.streams[0];
    let spans: Vec<_> = stream.codecs.iter().map(|span| (span.codec, span.from_sample)).collect();
    assert_eq!(spans, [(Codec::Pcma, 0), (Codec::Pcmu, 16_000), (Codec::Pcma, 32_000)]);
    assert!(stream.gaps.is_empty());
    let mu = &recorded.tracks[&TrackId { stream: 0, layer: 0, codec: Codec::Pcmu }];
    assert!(mu[..16_000].iter().all(|byte| *byte == 0xFF) && mu.len() == 32_000);
    assert_eq!(mu[16_000], 50);
    let a = layer(&recorded, 0);
    assert!(a[16_000..32_000].iter().all(|byte| *byte == 0xD5));
    assert_eq!((a[15_999], a[32_000], a.len()), (49, 100, 48_000));
}

#[test]
fn events_and_comfort_noise_are_not_loss() {
    let mut timeline = Timeline::new(TimelineConfig::default());
    let mut map = PayloadMap::new();
    map.insert(101, "telephone-event", 8_000);
    timeline.describe_stream(0, map);
    for at in 0..300_i64 {
        let (kind, timestamp, size) = match at {
            100..110 => (101, 100 * 160, 4),
            150 => (13, 150 * 160, 1),
            151..180 => continue,
            _ => (8, at * 160, 160),
        };
        // Numbers go on over the pause of voice activity detection.
        let sequence = if at >= 180 { at - 29 } else { at };
        let datagram = rtp(1, sequence as u16, timestamp as u32, kind, &vec![7; size]);
        timeline.push(0, BEGIN_US + at * TICK, &datagram, false);
    }
    let recorded = Collector::default().finish(timeline);
    let stream = &recorded.report.streams[0];
    assert_eq!((stream.packets.lost, stream.packets.not_audio, stream.packets.received), (0, 11, 271));
    let gaps: Vec<_> = stream.gaps.iter().map(|gap| (gap.cause, gap.start_ms(), gap.length_ms())).collect();
    assert_eq!(gaps, [(GapCause::Quiet, 2_000, 200), (GapCause::Quiet, 3_000, 600)]);
}

#[test]
fn a_network_that_stalls_and_then_delivers_everything_leaves_no_trace() {
    let mut line = Line::new();
    line.talk(1, 0, 200);
    for at in 200..700 {
        line.push(700 * TICK + at * 10, 1, at, at * 160);
    }
    line.talk(1, 701, 900);
    let (recorded, sent) = line.finish();
    let stream = &recorded.report.streams[0];
    assert_eq!(stream.gaps.len(), 1, "only the packet that was not sent: {:?}", stream.gaps);
    assert_eq!(stream.gaps[0].cause, GapCause::Lost);
    assert_eq!(spoken(layer(&recorded, 0)), sent[&1]);
    assert_eq!(layer(&recorded, 0).len(), 900 * 160);
}

#[test]
fn audio_that_was_held_back_until_the_recorder_answered_begins_when_it_was_spoken() {
    let mut line = Line::new();
    for at in 0..75 {
        line.push(75 * TICK + at * 10, 1, at, at * 160);
    }
    line.talk(1, 75, 300);
    let (recorded, sent) = line.finish();
    assert_eq!(layer(&recorded, 0), sent[&1]);
    let started = recorded.report.started_unix_us.unwrap();
    assert!((started - BEGIN_US).abs() < 1_000, "{}", started - BEGIN_US);
}

#[test]
fn numbers_that_restart_break_nothing_while_timestamps_go_on() {
    let mut line = Line::new();
    line.talk(1, 0, 200);
    for at in 200..400 {
        // The least delay is not met again: the line of the timestamps is believed.
        line.push(at * TICK + 3_000 + at % 3 * 1_000, 1, at + 30_000, at * 160);
    }
    let (recorded, sent) = line.finish();
    assert_eq!(layer(&recorded, 0), sent[&1]);
    assert_eq!(recorded.report.streams[0].packets.lost, 0);
}

#[test]
fn senders_that_break_every_rule_lose_no_byte_and_no_order() {
    type Sender = fn(i64) -> (i64, i64, i64);
    let senders: [(&str, Sender); 6] = [
        ("numbers stand still", |at| (at * TICK, 5, at * 160)),
        ("timestamps stand still", |at| (at * TICK, at, 5)),
        ("twice as fast as time", |at| (at * TICK / 2, at, at * 160)),
        ("everything at once", |at| (0, at, at * 160)),
        ("timestamps advance by half", |at| (at * TICK, at, at * 80)),
        ("the recorder's clock is put back an hour", |at| {
            (at * TICK - if at > 300 { 3_600 * SECOND } else { 0 }, at, at * 160)
        }),
    ];
    for (name, sender) in senders {
        let mut line = Line::new();
        for at in 0..1_000 {
            let (at_us, sequence, timestamp) = sender(at);
            line.push(at_us, 1, sequence, timestamp);
        }
        let (recorded, sent) = line.finish();
        let bytes: usize = recorded.tracks.values().map(|track| spoken(track).len()).sum();
        assert_eq!(bytes, 160_000, "{name}");
        if recorded.tracks.len() == 1 {
            assert!(spoken(layer(&recorded, 0)) == sent[&1], "{name}: the order");
        } else {
            assert_eq!(name, "numbers stand still");
        }
    }
}

#[test]
fn a_side_that_is_played_ahead_of_time_puts_no_silence_into_the_other() {
    let mut timeline = Timeline::new(TimelineConfig::default());
    let mut push = |stream: u32, at_us: i64, at: i64| {
        let datagram = rtp(stream, at as u16, at as u32 * 160, 8, &[1; 160]);
        timeline.push(stream, BEGIN_US + at_us, &datagram, false);
    };
    for at in 0..3_000 {
        push(0, at * TICK, at);
        // Music that is sent five seconds ahead.
        if at < 2_750 {
            push(1, (at - 250).max(0) * TICK, at);
        }
    }
    let recorded = Collector::default().finish(timeline);
    let drift = recorded.report.streams[0].gaps.iter().filter(|gap| gap.cause == GapCause::Drift);
    assert_eq!(drift.count(), 0, "{:?}", recorded.report.streams[0].gaps);
}

/// Two sides; from the first minute on packets of the second take 30 ms longer. Returns the silence
/// that was inserted into it.
fn inserted_when_the_way_gets_longer(sender_reports: bool) -> u64 {
    let mut timeline = Timeline::new(TimelineConfig::default());
    for at in 0..6_000_i64 {
        for stream in 0..2 {
            let sent_us = at * TICK;
            let delay_us = if stream == 1 && at >= 3_000 { 35_000 } else { 5_000 };
            let arrival_us = BEGIN_US + sent_us + delay_us;
            let datagram = rtp(stream, at as u16, at as u32 * 160, 8, &[1; 160]);
            timeline.push(stream, arrival_us, &datagram, false);
            if sender_reports && at % 200 == 0 {
                // A sender's wall clock that is wrong by years, as they are.
                let report = network::sender_report(stream, sent_us + 77 * SECOND, at as u32 * 160);
                assert_eq!(timeline.push(stream, arrival_us, &report, true), PushOutcome::Rtcp);
            }
        }
    }
    let recorded = Collector::default().finish(timeline);
    let gaps = recorded.report.streams[1].gaps.iter();
    gaps.filter(|gap| gap.cause == GapCause::Drift).map(|gap| gap.length_ms()).sum()
}

#[test]
fn sender_reports_tell_a_longer_way_from_a_slower_clock() {
    assert_eq!(inserted_when_the_way_gets_longer(true), 0);
    assert_eq!(inserted_when_the_way_gets_longer(false), 30);
}

#[test]
fn a_described_stream_that_never_talks_is_in_the_report_as_silence() {
    let mut line = Line::new();
    line.timeline.describe_stream(1, PayloadMap::new());
    line.talk(1, 0, 100);
    let (recorded, _) = line.finish();
    let silent = &recorded.report.streams[1];
    assert_eq!((silent.start_sample, silent.packets.received), (None, 0));
    assert_eq!((silent.gaps[0].cause, silent.gaps[0].length_samples), (GapCause::LateStart, 16_000));
}

#[test]
fn an_empty_recording_has_no_start_and_no_length() {
    let mut timeline = Timeline::new(TimelineConfig::default());
    timeline.finish();
    assert!(timeline.take_ready().is_empty());
    assert_eq!((timeline.report().started_unix_us, timeline.report().length_samples), (None, 0));
    // What comes after the end is still kept.
    timeline.push(0, BEGIN_US, &rtp(1, 1, 1, 8, &[1; 160]), false);
    timeline.finish();
    assert_eq!(timeline.take_ready()[0].bytes, [1; 160]);
}
