//! Hears the keys that people press during a recorded call.
//!
//! Keys come as RTP events (RFC 4733) and, only where the tenant wants it, as tones in G.711. They
//! never leave this process: they may be digits of a PIN. What counts goes out, the outcome.
//!
//! SIP INFO (`application/dtmf-relay`) within the recording session is not read: it comes from the
//! recording client and nothing in it says whose key it is. A refusal, a consent or a stop that
//! cannot be attributed to one side is none.

use std::time::Duration;

use domain::{Side, StopKeys};
use media::{
    Codec,
    dtmf::{CodeMatcher, EventReceiver, PressedKey, ToneDetector},
    rtp::RtpPacket,
};
use wire::call_v1::{Payload, Stream};

use crate::media::chunk::RawChunk;

/// A gateway may let a key through both as event and as tone: within this time it is one press.
const SAME_PRESS_US: i64 = 500_000;
/// Most time between two keys of a stop code.
const BETWEEN_KEYS: Duration = Duration::from_secs(4);

/// A key press of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeardKey {
    /// Who pressed it.
    pub side: Side,
    /// Which key; when it was pressed.
    pub pressed: PressedKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Event,
    Tone,
}

/// Listens to the streams of some sides of a call.
#[derive(Debug)]
pub struct Ears {
    sides: Vec<Side>,
    in_band: bool,
    streams: Vec<Ear>,
    /// The last press of each side and how it came, to tell one press that came in both ways.
    last: Vec<(Means, HeardKey)>,
}

#[derive(Debug)]
struct Ear {
    index: u32,
    side: Side,
    /// As the stream was described, to see whether it changed.
    payloads: Vec<Payload>,
    /// Bit n: payload type n is an event.
    event_types: u128,
    events: EventReceiver,
    tones: Vec<(u8, ToneDetector)>,
}

impl Ears {
    /// Listens to the streams of these sides. `in_band`: tones within the speech count, too.
    pub fn new(streams: &[Stream], sides: &[Side], in_band: bool) -> Self {
        let mut ears = Self { sides: sides.to_vec(), in_band, streams: Vec::new(), last: Vec::new() };
        ears.learn(streams);
        ears
    }

    /// The streams as they are described now. A key that is held meanwhile is still one press.
    pub fn learn(&mut self, streams: &[Stream]) {
        for stream in streams {
            let side = stream.known_side().ok().filter(|side| self.sides.contains(side));
            let known = self.streams.iter().position(|ear| ear.index == stream.index);
            match (known, side) {
                (Some(at), Some(side)) if self.streams[at].payloads == stream.payloads => {
                    self.streams[at].side = side;
                }
                (Some(at), Some(side)) => self.streams[at] = Ear::new(stream, side, self.in_band),
                (Some(at), None) => {
                    self.streams.swap_remove(at);
                }
                (None, Some(side)) => self.streams.push(Ear::new(stream, side, self.in_band)),
                (None, None) => {}
            }
        }
    }

    /// Listens to the streams of these sides from now on. A key that is held meanwhile on a side that
    /// stays is still one press.
    pub fn listen_to(&mut self, sides: &[Side], streams: &[Stream]) {
        self.sides = sides.to_vec();
        self.learn(streams);
    }

    /// The keys whose press is first heard in this chunk, in the order in which they were pressed.
    pub fn listen(&mut self, chunk: &RawChunk) -> Vec<HeardKey> {
        let mut keys = Vec::new();
        if self.streams.iter().all(Ear::is_deaf) {
            return keys;
        }
        for heard in chunk.heard().filter(|heard| !heard.rtcp) {
            let Some(ear) = self.streams.iter_mut().find(|ear| ear.index == heard.stream) else { continue };
            if let Some((means, pressed)) = ear.hear(heard.data, heard.arrival_unix_us) {
                let key = HeardKey { side: ear.side, pressed };
                if !self.is_same_press(means, &key) {
                    keys.push(key);
                }
            }
        }
        keys.sort_by_key(|key| key.pressed.pressed_at_unix_us);
        keys
    }

    fn is_same_press(&mut self, means: Means, key: &HeardKey) -> bool {
        let last = self.last.iter_mut().find(|(_, last)| last.side == key.side);
        let apart =
            |last: &HeardKey| last.pressed.pressed_at_unix_us.abs_diff(key.pressed.pressed_at_unix_us);
        match last {
            Some((by, last))
                if *by != means
                    && last.pressed.key == key.pressed.key
                    && apart(last) <= SAME_PRESS_US.unsigned_abs() =>
            {
                true
            }
            Some(place) => {
                *place = (means, *key);
                false
            }
            None => {
                self.last.push((means, *key));
                false
            }
        }
    }
}

impl Ear {
    fn new(stream: &Stream, side: Side, in_band: bool) -> Self {
        let types = stream.payloads.iter().filter_map(|p| {
            let number = u8::try_from(p.payload_type).ok().filter(|number| *number < 128)?;
            Some((number, p))
        });
        let (mut events, mut tones) = (Vec::new(), Vec::new());
        for (number, payload) in types {
            if payload.encoding.eq_ignore_ascii_case("telephone-event") {
                events.push((number, payload.clock_rate_hz));
            } else if let Some(codec) =
                Codec::from_sdp(&payload.encoding, payload.clock_rate_hz).filter(|_| in_band)
            {
                tones.push((number, ToneDetector::new(codec)));
            }
        }
        Self {
            index: stream.index,
            side,
            payloads: stream.payloads.clone(),
            event_types: events.iter().fold(0, |types, (number, _)| types | 1 << number),
            events: EventReceiver::new(events),
            tones,
        }
    }

    /// No key can come by this stream.
    fn is_deaf(&self) -> bool {
        self.event_types == 0 && self.tones.is_empty()
    }

    fn hear(&mut self, datagram: &[u8], arrival_unix_us: i64) -> Option<(Means, PressedKey)> {
        // Most packets are speech, in which nobody looks for keys: one byte tells.
        let payload_type = datagram.get(1)? & 0x7F;
        if self.event_types >> payload_type & 1 == 1 {
            let packet = RtpPacket::parse(datagram).ok()?;
            return self.events.packet(&packet, arrival_unix_us).map(|key| (Means::Event, key));
        }
        let (_, tones) = self.tones.iter_mut().find(|(number, _)| *number == payload_type)?;
        let packet = RtpPacket::parse(datagram).ok()?;
        tones.packet(&packet, arrival_unix_us).map(|key| (Means::Tone, key))
    }
}

/// Waits for the keys by which one of the tenant's own users stops the recording (F-32).
#[derive(Debug)]
pub struct StopWatch {
    ears: Ears,
    code: CodeMatcher,
    codes: Vec<(Side, CodeMatcher)>,
}

impl StopWatch {
    /// Listens for these keys; `None` if they can never come.
    pub fn new(keys: &StopKeys, streams: &[Stream]) -> Option<Self> {
        let code = CodeMatcher::new(&keys.code, BETWEEN_KEYS).ok()?;
        Some(Self {
            ears: Ears::new(streams, &keys.sides, keys.in_band),
            codes: keys.sides.iter().map(|side| (*side, code.clone())).collect(),
            code,
        })
    }

    /// From now on the keys of these sides count, and of no other. Who comes to a side has to dial the
    /// whole code.
    pub fn listen_to(&mut self, sides: &[Side], streams: &[Stream]) {
        self.codes.retain(|(side, _)| sides.contains(side));
        for side in sides {
            if !self.codes.iter().any(|(known, _)| known == side) {
                self.codes.push((*side, self.code.clone()));
            }
        }
        self.ears.listen_to(sides, streams);
    }

    /// The streams as they are described now.
    pub fn learn(&mut self, streams: &[Stream]) {
        self.ears.learn(streams);
    }

    /// The side that completed the code within this chunk, and when. Unix time, microseconds. Keys
    /// up to `after_unix_us` don't count: they answered a question.
    pub fn listen(&mut self, chunk: &RawChunk, after_unix_us: i64) -> Option<(Side, i64)> {
        let keys = self.ears.listen(chunk);
        keys.into_iter().filter(|key| key.pressed.pressed_at_unix_us > after_unix_us).find_map(|key| {
            let PressedKey { key: pressed, pressed_at_unix_us: at, .. } = key.pressed;
            let (side, code) = self.codes.iter_mut().find(|(side, _)| *side == key.side)?;
            code.key(pressed, at).then_some((*side, at))
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use media::dtmf::sender;

    use super::*;

    pub(in crate::call) const EVENT: u8 = 101;

    /// A stream of A-law and telephone events.
    pub(in crate::call) fn stream(index: u32, side: Side) -> Stream {
        let payload = |payload_type, encoding: &str| Payload {
            payload_type,
            encoding: encoding.to_owned(),
            clock_rate_hz: 8_000,
            channels: 1,
        };
        let payloads = vec![payload(8, "PCMA"), payload(EVENT.into(), "telephone-event")];
        let mut stream = Stream { index, payloads, ..Stream::default() };
        stream.set_side(side.into());
        stream
    }

    /// Writes the packets of a key press of 100 ms into a chunk.
    fn press(chunk: &mut RawChunk, stream: u32, key: &str, at_unix_us: i64) {
        let packets = sender::key_press(
            key.parse().unwrap(),
            Duration::from_millis(100),
            Duration::from_millis(20),
            8_000,
        );
        for (n, event) in (0_u16..).zip(packets) {
            let mut packet = vec![0x80, EVENT | u8::from(event.marker) << 7];
            packet.extend(n.to_be_bytes());
            packet.extend(u32::try_from(at_unix_us / 125).unwrap().to_be_bytes());
            packet.extend([0, 0, 0, 7]);
            packet.extend(event.payload);
            let arrival = at_unix_us + i64::try_from(event.send_after.as_micros()).unwrap() - 20_000;
            assert!(chunk.push(stream, false, arrival, &packet));
        }
    }

    fn dialled(ears: &mut Ears, keys: &[(u32, &str, i64)]) -> Vec<(Side, char, i64)> {
        let mut chunk = RawChunk::with_capacity(1 << 16);
        keys.iter().for_each(|(stream, key, at)| press(&mut chunk, *stream, key, *at));
        let heard = ears.listen(&chunk).into_iter();
        heard.map(|k| (k.side, k.pressed.key.character(), k.pressed.pressed_at_unix_us)).collect()
    }

    #[test]
    fn keys_of_the_sides_that_are_listened_to_are_heard_in_the_order_of_their_times() {
        let streams = [stream(0, Side::Caller), stream(1, Side::Callee), stream(2, Side::Caller)];
        let mut ears = Ears::new(&streams, &[Side::Caller], false);
        let keys = [(0, "2", 2_000_000), (1, "3", 2_500_000), (2, "1", 1_000_000)];
        assert_eq!(
            dialled(&mut ears, &keys),
            [(Side::Caller, '1', 1_000_000), (Side::Caller, '2', 2_000_000)]
        );
    }

    #[test]
    fn a_stream_that_changes_sides_is_listened_to_anew() {
        let mut ears = Ears::new(&[stream(0, Side::Callee)], &[Side::Caller], false);
        assert_eq!(dialled(&mut ears, &[(0, "1", 1_000_000)]), []);
        ears.learn(&[stream(0, Side::Caller)]);
        assert_eq!(dialled(&mut ears, &[(0, "1", 2_000_000)]), [(Side::Caller, '1', 2_000_000)]);
        ears.learn(&[stream(0, Side::Callee)]);
        assert_eq!(dialled(&mut ears, &[(0, "1", 3_000_000)]), []);
    }

    #[test]
    fn a_press_that_comes_as_event_and_as_tone_is_one() {
        let mut ears = Ears::new(&[], &[Side::Caller], true);
        let key = |key: &str, at| HeardKey {
            side: Side::Caller,
            pressed: PressedKey {
                key: key.parse().unwrap(),
                pressed_at_unix_us: at,
                duration: Duration::ZERO,
            },
        };
        assert!(!ears.is_same_press(Means::Event, &key("1", 1_000_000)));
        assert!(ears.is_same_press(Means::Tone, &key("1", 1_040_000)));
        assert!(!ears.is_same_press(Means::Event, &key("1", 1_300_000)), "a second press, by the same means");
        assert!(!ears.is_same_press(Means::Tone, &key("2", 1_350_000)));
        assert!(!ears.is_same_press(Means::Event, &key("2", 3_000_000)), "much later");
    }

    #[test]
    fn only_an_own_side_completes_the_stop_code_and_only_alone() {
        let keys = StopKeys { code: "*1".into(), sides: vec![Side::Callee], in_band: false };
        let streams = [stream(0, Side::Caller), stream(1, Side::Callee)];
        let stopped = |keys: &StopKeys, dialled: &[(u32, &str, i64)], after| {
            let mut chunk = RawChunk::with_capacity(1 << 16);
            dialled.iter().for_each(|(stream, key, at)| press(&mut chunk, *stream, key, *at));
            StopWatch::new(keys, &streams)?.listen(&chunk, after)
        };
        let (star, one) = (1_000_000, 2_000_000);
        assert_eq!(stopped(&keys, &[(1, "*", star), (1, "1", one)], 0), Some((Side::Callee, one)));
        assert_eq!(stopped(&keys, &[(0, "*", star), (0, "1", one)], 0), None);
        assert_eq!(stopped(&keys, &[(0, "*", star), (1, "1", one)], 0), None, "one key each");
        assert_eq!(stopped(&keys, &[(1, "*", star), (1, "1", one)], star), None, "the * answered a question");
        let both = StopKeys { sides: vec![Side::Caller, Side::Callee], ..keys.clone() };
        assert_eq!(stopped(&both, &[(0, "*", star), (1, "1", one)], 0), None, "one key each");
        assert_eq!(stopped(&both, &[(0, "*", star), (0, "1", one)], 0), Some((Side::Caller, one)));
        let nobodys = StopKeys { sides: vec![], ..keys.clone() };
        assert_eq!(stopped(&nobodys, &[(1, "*", star), (1, "1", one)], 0), None);
        assert!(StopWatch::new(&StopKeys { code: "no keys".into(), ..keys }, &streams).is_none());
    }

    #[test]
    fn who_comes_to_a_side_has_to_dial_the_whole_code() {
        let keys = StopKeys { code: "*1".into(), sides: vec![Side::Callee], in_band: false };
        let streams = [stream(0, Side::Caller), stream(1, Side::Callee)];
        let mut watch = StopWatch::new(&keys, &streams).unwrap();
        let dials = |watch: &mut StopWatch, stream, key: &str, at| {
            let mut chunk = RawChunk::with_capacity(1 << 16);
            press(&mut chunk, stream, key, at);
            watch.listen(&chunk, 0)
        };
        assert_eq!(dials(&mut watch, 1, "*", 1_000_000), None);
        watch.listen_to(&[], &streams);
        assert_eq!(dials(&mut watch, 1, "1", 2_000_000), None, "nobody's, for now");
        watch.listen_to(&[Side::Callee], &streams);
        assert_eq!(dials(&mut watch, 1, "1", 3_000_000), None, "half of it is another's");
        assert_eq!(dials(&mut watch, 1, "*", 3_500_000), None);
        watch.listen_to(&[Side::Caller, Side::Callee], &streams);
        assert_eq!(
            dials(&mut watch, 1, "1", 4_000_000),
            Some((Side::Callee, 4_000_000)),
            "who stayed goes on"
        );
        assert_eq!(dials(&mut watch, 0, "*", 5_000_000), None);
        assert_eq!(
            dials(&mut watch, 0, "1", 5_500_000),
            Some((Side::Caller, 5_500_000)),
            "who came may, too"
        );
    }
}
