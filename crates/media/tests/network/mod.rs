//! A network with two senders, made from a seed: what was sent, what of it was delivered and when.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;

use media::{
    Codec, Timeline, TimelineConfig,
    timeline::{Report, TrackId},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// Unix time at which the first side begins, in microseconds.
pub const BEGIN_US: i64 = 1_790_000_000_000_000;
/// Way through the network without any queue, in microseconds.
const LEAST_DELAY_US: i64 = 5_000;
const PACKET_US: f64 = 20_000.0;
pub const PACKET_SAMPLES: usize = 160;

/// What the second half of a hold looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nobody holds.
    None,
    /// Timestamps go on during the pause (RFC 3550).
    Continuing,
    /// Timestamps stand still during the pause.
    Frozen,
    /// Timestamps begin anew.
    Anew,
}

#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    pub seconds: i64,
    /// Shares of packets.
    pub loss: f64,
    pub duplicates: f64,
    /// Each packet is late by up to this; above 20 ms packets overtake each other.
    pub jitter_us: i64,
    /// The second side begins later.
    pub offset_us: i64,
    /// Errors of the senders' clocks.
    pub ppm: [i64; 2],
    /// Pauses in speech are not sent.
    pub dtx: bool,
    /// The first side holds in mid-call.
    pub hold: Hold,
    /// The second side changes its SSRC in mid-call.
    pub ssrc_change: bool,
    /// RTCP every five seconds.
    pub sender_reports: bool,
}

impl Scenario {
    pub fn calm(seed: u64, seconds: i64) -> Self {
        Self {
            seed,
            seconds,
            loss: 0.0,
            duplicates: 0.0,
            jitter_us: 0,
            offset_us: 0,
            ppm: [0, 0],
            dtx: false,
            hold: Hold::None,
            ssrc_change: false,
            sender_reports: false,
        }
    }
}

/// A datagram as the recorder gets it.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub arrival_us: i64,
    pub stream: u32,
    pub datagram: Vec<u8>,
    pub rtcp: bool,
}

/// A packet that arrived at least once.
#[derive(Debug, Clone)]
pub struct Expected {
    pub sent_us: i64,
    pub payload: Vec<u8>,
}

pub struct Traffic {
    /// In the order of arrival.
    pub deliveries: Vec<Delivery>,
    /// By stream, in the order of sending.
    pub expected: [Vec<Expected>; 2],
    /// Packets that never arrived, between the first and the last that did.
    pub lost: [u64; 2],
}

pub fn rtp(ssrc: u32, sequence: u16, timestamp: u32, payload_type: u8, payload: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0x80, payload_type];
    datagram.extend(sequence.to_be_bytes());
    datagram.extend(timestamp.to_be_bytes());
    datagram.extend(ssrc.to_be_bytes());
    datagram.extend(payload);
    datagram
}

pub fn sender_report(ssrc: u32, sent_us: i64, timestamp: u32) -> Vec<u8> {
    let ntp = ((sent_us as u128) << 32) / 1_000_000;
    let mut datagram = vec![0x80, 200, 0, 6];
    datagram.extend(ssrc.to_be_bytes());
    datagram.extend((ntp as u64).to_be_bytes());
    datagram.extend(timestamp.to_be_bytes());
    datagram.extend([0; 8]);
    datagram
}

/// Bytes that are never silence, so that silence in the output is the recorder's.
fn speech(rng: &mut SmallRng) -> Vec<u8> {
    (0..PACKET_SAMPLES).map(|_| rng.random_range(0..0xD5_u8)).collect()
}

pub fn traffic(scenario: &Scenario) -> Traffic {
    let mut rng = SmallRng::seed_from_u64(scenario.seed);
    let mut made = Traffic { deliveries: Vec::new(), expected: Default::default(), lost: [0, 0] };
    for stream in 0..2 {
        send(scenario, stream, &mut rng, &mut made);
    }
    made.deliveries.sort_by_key(|delivery| delivery.arrival_us);
    made
}

fn send(scenario: &Scenario, stream: usize, rng: &mut SmallRng, made: &mut Traffic) {
    let begin_us = BEGIN_US + if stream == 1 { scenario.offset_us } else { 0 };
    let rate = 1.0 + scenario.ppm[stream] as f64 / 1e6;
    let packets = scenario.seconds * 50;
    let (hold_from, hold_to) = (packets / 3, packets / 3 + rng.random_range(75..400));
    let change_at = packets / 2;
    let holds = stream == 0 && scenario.hold != Hold::None;

    let mut ssrc = rng.random::<u32>();
    // Both counters wrap early in the call.
    let mut sequence = 0xFFFF_u16 - rng.random_range(0..200);
    let mut origin = u32::MAX - rng.random_range(0..100_000);
    let mut talk_until = 0;
    let mut lost_run = 0;
    for tick in 0..packets {
        if holds && (hold_from..hold_to).contains(&tick) {
            continue;
        }
        if holds && tick == hold_to {
            match scenario.hold {
                Hold::Frozen => origin = origin.wrapping_sub((hold_to - hold_from) as u32 * 160),
                Hold::Anew => origin = rng.random(),
                Hold::None | Hold::Continuing => {}
            }
        }
        if stream == 1 && scenario.ssrc_change && tick == change_at {
            (ssrc, sequence, origin) = (rng.random(), rng.random(), rng.random());
        }
        if scenario.dtx && tick >= talk_until {
            if rng.random_bool(0.02) {
                talk_until = tick + rng.random_range(20..150);
            } else {
                continue;
            }
        }
        let sent_us = begin_us + (tick as f64 * PACKET_US / rate) as i64;
        let timestamp = origin.wrapping_add(tick as u32 * 160);
        if scenario.sender_reports && tick % 250 == 7 {
            let datagram = sender_report(ssrc, sent_us, timestamp);
            let arrival_us = sent_us + LEAST_DELAY_US;
            made.deliveries.push(Delivery { arrival_us, stream: stream as u32, datagram, rtcp: true });
        }
        let payload = speech(rng);
        let datagram = rtp(ssrc, sequence, timestamp, 8, &payload);
        sequence = sequence.wrapping_add(1);
        if rng.random_bool(scenario.loss) {
            lost_run += 1;
            continue;
        }
        // Loss before the first packet of a source is not visible to anybody.
        if !made.expected[stream].is_empty() {
            made.lost[stream] += lost_run;
        }
        lost_run = 0;
        made.expected[stream].push(Expected { sent_us, payload });
        for _ in 0..1 + usize::from(rng.random_bool(scenario.duplicates)) {
            let arrival_us = sent_us + LEAST_DELAY_US + rng.random_range(0..=scenario.jitter_us);
            let datagram = datagram.clone();
            made.deliveries.push(Delivery { arrival_us, stream: stream as u32, datagram, rtcp: false });
        }
    }
}

/// What a timeline made: whole tracks, silence included.
#[derive(Debug, PartialEq, Eq)]
pub struct Recorded {
    pub tracks: BTreeMap<TrackId, Vec<u8>>,
    pub report: Report,
}

impl Recorded {
    /// The main A-law track of a stream; empty if there is none.
    pub fn main(&self, stream: u32) -> &[u8] {
        let track = TrackId { stream, layer: 0, codec: Codec::Pcma };
        self.tracks.get(&track).map_or(&[], Vec::as_slice)
    }
}

/// Collects runs into whole tracks.
#[derive(Default)]
pub struct Collector(BTreeMap<TrackId, Vec<u8>>);

impl Collector {
    pub fn drain(&mut self, timeline: &mut Timeline) {
        for run in timeline.take_ready() {
            let track = self.0.entry(run.track).or_default();
            assert!(run.start_sample as usize >= track.len(), "runs of a track overlap");
            track.resize(run.start_sample as usize, run.track.codec.silence());
            track.extend(run.bytes);
        }
    }

    pub fn finish(mut self, mut timeline: Timeline) -> Recorded {
        timeline.finish();
        self.drain(&mut timeline);
        Recorded { tracks: self.0, report: timeline.report() }
    }
}

pub fn push(timeline: &mut Timeline, delivery: &Delivery) {
    timeline.push(delivery.stream, delivery.arrival_us, &delivery.datagram, delivery.rtcp);
}

pub fn record(deliveries: &[Delivery]) -> Recorded {
    let mut timeline = Timeline::new(TimelineConfig::default());
    let mut collector = Collector::default();
    for (at, delivery) in deliveries.iter().enumerate() {
        push(&mut timeline, delivery);
        if at % 1_000 == 0 {
            collector.drain(&mut timeline);
        }
    }
    collector.finish(timeline)
}
