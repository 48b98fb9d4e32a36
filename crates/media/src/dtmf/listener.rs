//! All forms of a key press at one ear: a telephone may send a key as an event, sound it in the
//! audio and send an INFO as well, and has still been pressed once.

use std::collections::VecDeque;
use std::time::Duration;

use super::info::InfoKey;
use super::{EventReceiver, Key, PressedKey, ToneDetector};
use crate::Codec;
use crate::codec::PayloadKind;
use crate::rtp::RtpPacket;

/// Two forms in RTP belong to one press if they begin within this time. Gateways let the first
/// milliseconds of a tone through before they cut it out and send the event.
const SAME_IN_RTP_US: i64 = 300_000;

/// The same for an INFO, which goes another way, over proxies, and is repeated when lost.
const SAME_IN_SIP_US: i64 = 1_000_000;

/// How many presses are remembered.
const REMEMBERED: usize = 32;

/// How a press came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Event,
    Tone,
    Info,
}

/// A press that was told.
#[derive(Debug, Clone)]
struct Told {
    key: Key,
    /// The forms in which it has come, each with the time at which the press began by it.
    reports: Vec<(Form, i64)>,
}

/// Hears one party in all forms and tells each key press once.
#[derive(Debug, Clone)]
pub struct Listener {
    events: EventReceiver,
    tones: Option<(Codec, ToneDetector)>,
    told: VecDeque<Told>,
}

impl Listener {
    /// A listener for a stream whose SDP names these payload types `telephone-event`, each with its
    /// clock rate in hertz.
    pub fn new(events: impl IntoIterator<Item = (u8, u32)>) -> Self {
        Self { events: EventReceiver::new(events), tones: None, told: VecDeque::new() }
    }

    /// Hears one packet of the stream. `kind` is what [`PayloadMap::kind`](crate::PayloadMap::kind)
    /// says of its payload type.
    pub fn packet(
        &mut self,
        packet: &RtpPacket<'_>,
        kind: PayloadKind,
        arrival_unix_us: i64,
    ) -> Option<PressedKey> {
        if self.events.takes(packet.payload_type) {
            let press = self.events.packet(packet, arrival_unix_us)?;
            return self.tell_once(Form::Event, press);
        }
        let PayloadKind::Audio(codec) = kind else {
            return None;
        };
        let (_, tones) = match self.tones.take() {
            Some((same, tones)) if same == codec => self.tones.insert((same, tones)),
            _ => self.tones.insert((codec, ToneDetector::new(codec))),
        };
        let press = tones.packet(packet, arrival_unix_us)?;
        self.tell_once(Form::Tone, press)
    }

    /// Hears the key of an INFO request of the same party.
    pub fn info(&mut self, info: InfoKey, arrival_unix_us: i64) -> Option<PressedKey> {
        let press = PressedKey {
            key: info.key,
            pressed_at_unix_us: arrival_unix_us,
            duration: info.duration.unwrap_or(Duration::ZERO),
        };
        self.tell_once(Form::Info, press)
    }

    /// The press, unless it came in another form before. Each form confirms a press once: the same
    /// key twice in one form is two presses.
    fn tell_once(&mut self, form: Form, press: PressedKey) -> Option<PressedKey> {
        let report = (form, press.pressed_at_unix_us);
        if let Some(told) = self.told.iter_mut().find(|told| told.key == press.key && told.takes(report)) {
            told.reports.push(report);
            return None;
        }
        if self.told.len() == REMEMBERED {
            self.told.pop_front();
        }
        self.told.push_back(Told { key: press.key, reports: vec![report] });
        Some(press)
    }
}

impl Told {
    /// True if a report in a form that this press has not come in is about this press.
    fn takes(&self, (form, at_unix_us): (Form, i64)) -> bool {
        let near = |(other, other_unix_us): &(Form, i64)| {
            let in_sip = form == Form::Info || *other == Form::Info;
            let within_us = if in_sip { SAME_IN_SIP_US } else { SAME_IN_RTP_US };
            at_unix_us.saturating_sub(*other_unix_us).saturating_abs() <= within_us
        };
        self.reports.iter().all(|(known, _)| *known != form) && self.reports.iter().any(near)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which presses are told of a row of reports: form, key, milliseconds.
    fn told(reports: &[(Form, &str, i64)]) -> Vec<usize> {
        let mut listener = Listener::new([]);
        let press = |key: &str, at_ms: i64| PressedKey {
            key: key.parse::<Key>().unwrap(),
            pressed_at_unix_us: 1_700_000_000_000_000 + at_ms * 1_000,
            duration: Duration::from_millis(40),
        };
        reports
            .iter()
            .enumerate()
            .filter(|(_, (form, key, at_ms))| listener.tell_once(*form, press(key, *at_ms)).is_some())
            .map(|(position, _)| position)
            .collect()
    }

    #[test]
    fn a_press_that_comes_in_three_forms_is_told_once() {
        use Form::{Event, Info, Tone};
        assert_eq!(told(&[(Tone, "1", 0), (Event, "1", 60), (Info, "1", 400)]), [0]);
        assert_eq!(told(&[(Info, "1", 0), (Event, "1", 500), (Tone, "1", 480)]), [0]);
        assert_eq!(told(&[(Event, "1", 20), (Tone, "1", 0)]), [0]);
    }

    #[test]
    fn a_key_pressed_twice_is_told_twice_in_whichever_forms_it_comes() {
        use Form::{Event, Info, Tone};
        assert_eq!(told(&[(Event, "1", 0), (Event, "1", 100)]), [0, 1]);
        assert_eq!(
            told(&[
                (Event, "1", 0),
                (Tone, "1", 5),
                (Event, "1", 250),
                (Tone, "1", 255),
                (Info, "1", 300),
                (Info, "1", 550)
            ]),
            [0, 2]
        );
        assert_eq!(told(&[(Event, "1", 0), (Tone, "2", 5)]), [0, 1]);
        assert_eq!(told(&[(Event, "1", 0), (Tone, "1", 301)]), [0, 1]);
        assert_eq!(told(&[(Event, "1", 0), (Info, "1", 1_001)]), [0, 1]);
    }

    #[test]
    fn a_stream_whose_codec_changes_is_heard_on() {
        let mut listener = Listener::new([(101, 8_000)]);
        let mut packet = RtpPacket {
            ssrc: 1,
            sequence: 0,
            timestamp: 0,
            marker: true,
            payload_type: 8,
            payload: &[0xD5; 160],
        };
        assert_eq!(listener.packet(&packet, PayloadKind::Audio(Codec::Pcma), 0), None);
        packet.payload_type = 0;
        assert_eq!(listener.packet(&packet, PayloadKind::Audio(Codec::Pcmu), 0), None);
        packet.payload_type = 18;
        assert_eq!(listener.packet(&packet, PayloadKind::Unsupported, 0), None);
        packet.payload_type = 101;
        packet.payload = &[3, 10, 0, 160];
        let press = listener.packet(&packet, PayloadKind::NotAudio, 7).unwrap();
        assert_eq!((press.key.character(), press.pressed_at_unix_us), ('3', 7));
    }
}
