//! Keys as telephone events: each press is told once, whatever the network does to its packets.

use std::time::Duration;

use media::dtmf::sender::{EventPacket, key_press};
use media::dtmf::{EventReceiver, Key, PressedKey};
use media::rtp::RtpPacket;
use proptest::prelude::*;

const EVENTS: u8 = 101;
const CLOCK_HZ: u32 = 8_000;
const TICK: Duration = Duration::from_millis(20);
const NOW: i64 = 1_700_000_000_000_000;

/// A packet on its way.
#[derive(Debug, Clone)]
struct Sent {
    at_unix_us: i64,
    ssrc: u32,
    timestamp: u32,
    event: EventPacket,
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

/// The packets of a press that begins `at` after [`NOW`]; the RTP clock starts shortly before it
/// wraps.
fn press(key: Key, at: Duration, held: Duration) -> Vec<Sent> {
    let at_us = i64::try_from(at.as_micros()).unwrap();
    let base = (u32::MAX - 4_000).wrapping_add((at_us * 8 / 1_000) as u32);
    key_press(key, held, TICK, CLOCK_HZ)
        .into_iter()
        .map(|event| Sent {
            at_unix_us: NOW + at_us + i64::try_from(event.send_after.as_micros()).unwrap(),
            ssrc: 7,
            timestamp: base.wrapping_add(event.timestamp_offset),
            event,
        })
        .collect()
}

fn hear_one(receiver: &mut EventReceiver, sent: &Sent) -> Option<PressedKey> {
    let packet = RtpPacket {
        ssrc: sent.ssrc,
        sequence: 0,
        timestamp: sent.timestamp,
        marker: sent.event.marker,
        payload_type: EVENTS,
        payload: &sent.event.payload,
    };
    receiver.packet(&packet, sent.at_unix_us)
}

fn hear<'a>(sent: impl IntoIterator<Item = &'a Sent>) -> Vec<PressedKey> {
    let mut receiver = EventReceiver::new([(EVENTS, CLOCK_HZ)]);
    sent.into_iter().filter_map(|sent| hear_one(&mut receiver, sent)).collect()
}

fn text(pressed: &[PressedKey]) -> String {
    pressed.iter().map(|press| press.key.character()).collect()
}

const MS_100: Duration = Duration::from_millis(100);

#[test]
fn a_press_is_told_with_its_first_packet() {
    let sent = press(key("1"), Duration::ZERO, MS_100);
    let heard = hear(&sent);
    assert_eq!(heard, [PressedKey { key: key("1"), pressed_at_unix_us: NOW + 20_000, duration: TICK }]);
}

#[test]
fn lost_begins_and_lost_ends_cost_no_press_and_make_none() {
    let first = press(key("5"), Duration::ZERO, MS_100);
    let second = press(key("5"), Duration::from_millis(200), MS_100);
    for of_first in &first {
        for of_second in &second {
            let heard = hear([of_first, of_second]);
            assert_eq!(text(&heard), "55", "{of_first:?} and {of_second:?}");
        }
    }
}

#[test]
fn the_same_key_twice_at_once_is_two_presses() {
    // The second begins in the very moment in which the first ends: only its timestamp tells.
    let mut sent = press(key("7"), Duration::ZERO, MS_100);
    sent.extend(press(key("7"), MS_100, MS_100));
    assert_eq!(text(&hear(&sent)), "77");
}

#[test]
fn a_key_held_for_half_a_minute_is_one_press_over_all_its_segments() {
    let sent = press(key("*"), Duration::ZERO, Duration::from_secs(30));
    let segments: std::collections::BTreeSet<u32> = sent.iter().map(|sent| sent.timestamp).collect();
    assert_eq!(segments.len(), 4);
    assert_eq!(text(&hear(&sent)), "*");
    // The reports that say how far a segment came may all be lost.
    let without = sent.iter().filter(|sent| sent.event.payload[2..] < [0xF0, 0][..]);
    assert_eq!(text(&hear(without)), "*");
    // And what follows is a new press.
    let mut then = sent.clone();
    then.extend(press(key("*"), Duration::from_secs(31), MS_100));
    assert_eq!(text(&hear(&then)), "**");
}

#[test]
fn a_held_key_goes_on_over_a_change_of_ssrc_and_a_new_press_is_told() {
    let mut sent = press(key("3"), Duration::ZERO, Duration::from_secs(1));
    let half = sent.len() / 2;
    for sent in &mut sent[half..] {
        sent.ssrc = 8;
        sent.timestamp = sent.timestamp.wrapping_add(123_456);
    }
    let mut again = press(key("3"), Duration::from_millis(1_100), MS_100);
    for sent in &mut again {
        sent.ssrc = 9;
    }
    sent.extend(again);
    assert_eq!(text(&hear(&sent)), "33");
}

#[test]
fn a_looped_capture_whose_timestamps_never_change_is_heard_again_and_again() {
    let once = press(key("1"), Duration::ZERO, MS_100);
    let mut sent = once.clone();
    for turn in 1..3 {
        sent.extend(once.iter().cloned().map(|mut sent| {
            sent.at_unix_us += turn * 6_000_000;
            sent
        }));
    }
    assert_eq!(text(&hear(&sent)), "111");
}

#[test]
fn other_events_other_types_and_cut_off_payloads_are_passed_over() {
    let mut receiver = EventReceiver::new([(EVENTS, CLOCK_HZ), (102, 48_000), (103, 0)]);
    assert!(receiver.takes(102) && !receiver.takes(100));
    let mut packet = RtpPacket {
        ssrc: 1,
        sequence: 1,
        timestamp: 1,
        marker: true,
        payload_type: EVENTS,
        payload: &[16, 0, 0, 160],
    };
    assert_eq!(receiver.packet(&packet, NOW), None, "hook flash");
    packet.payload = &[1, 0, 0];
    assert_eq!(receiver.packet(&packet, NOW), None);
    packet.payload = &[1, 0, 3, 0xC0];
    packet.payload_type = 100;
    assert_eq!(receiver.packet(&packet, NOW), None);
    packet.payload_type = 102;
    let heard = receiver.packet(&packet, NOW).unwrap();
    assert_eq!((heard.key, heard.duration), (key("1"), TICK), "960 units at 48 kHz are 20 ms");
    packet.payload_type = 103;
    packet.timestamp = 2;
    assert!(receiver.packet(&packet, NOW).is_some(), "a clock rate of 0 in the SDP is no division by zero");
}

/// A number dialled over a bad network: the packets of each press, each lost, doubled or delayed.
#[derive(Debug, Clone)]
struct Fate {
    lost: bool,
    doubled: bool,
    delay_us: i64,
}

fn fate() -> impl Strategy<Value = Fate> {
    (prop::bool::weighted(0.4), prop::bool::weighted(0.3), 0..300_000_i64)
        .prop_map(|(lost, doubled, delay_us)| Fate { lost, doubled, delay_us })
}

proptest! {
    #[test]
    fn a_number_dialled_over_a_bad_network_arrives_key_by_key(
        keys in prop::collection::vec(prop::sample::select(Key::ALL.to_vec()), 1..12),
        held_ms in 40..400_u64,
        fates in prop::collection::vec(fate(), 400),
    ) {
        let mut fates = fates.iter().cycle();
        let mut arriving = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let at = Duration::from_secs(index as u64);
            let packets = press(*key, at, Duration::from_millis(held_ms));
            let last = packets.len() - 1;
            let mut survived = false;
            for (position, sent) in packets.into_iter().enumerate() {
                let fate = fates.next().unwrap();
                // Of each press something arrives: what never came cannot be heard.
                if fate.lost && (survived || position != last) {
                    continue;
                }
                survived = true;
                let mut late = sent.clone();
                late.at_unix_us += fate.delay_us;
                if fate.doubled {
                    let mut copy = sent;
                    copy.at_unix_us += fate.delay_us / 2 + 1;
                    arriving.push(copy);
                }
                arriving.push(late);
            }
        }
        arriving.sort_by_key(|sent| sent.at_unix_us);
        let expected: String = keys.iter().map(|key| key.character()).collect();
        prop_assert_eq!(text(&hear(&arriving)), expected);
    }

    #[test]
    fn any_packets_are_heard_without_a_panic(
        packets in prop::collection::vec(
            (any::<u32>(), any::<u32>(), any::<bool>(), 100..104_u8, prop::collection::vec(any::<u8>(), 0..8), any::<i64>()),
            0..200,
        ),
    ) {
        let mut receiver = EventReceiver::new([(101, CLOCK_HZ), (102, 0), (103, u32::MAX)]);
        for (ssrc, timestamp, marker, payload_type, payload, arrival_unix_us) in packets {
            let packet =
                RtpPacket { ssrc: ssrc % 3, sequence: 0, timestamp, marker, payload_type, payload: &payload };
            receiver.packet(&packet, arrival_unix_us);
        }
    }
}
