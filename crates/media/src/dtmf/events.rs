//! Keys as telephone events in RTP (RFC 4733): the receiving side, for one stream.
//!
//! A press is told with the first packet that is seen of it, whichever that is: begin or end may be
//! lost, packets may come twice or late. All packets of a press share one RTP timestamp, and that,
//! not the marker bit, tells presses apart (RFC 4733 section 2.5.1.2).

use std::collections::VecDeque;
use std::time::Duration;

use super::{Key, PressedKey};
use crate::rtp::RtpPacket;

/// Bytes of one event report (RFC 4733 section 2.3).
const REPORT_BYTES: usize = 4;

/// Longest duration of one segment, in timestamp units; a longer press goes on in a further
/// segment (RFC 4733 section 2.5.1.3).
const SEGMENT_UNITS: u32 = 0xFFFF;

/// How many presses are remembered: more than anybody dials within [`FORGOTTEN_AFTER_US`].
const REMEMBERED: usize = 64;

/// A press is forgotten this long after its last packet. Network copies come within a second; and
/// a sender whose timestamps stand still (a looped capture) is heard again after this time.
const FORGOTTEN_AFTER_US: i64 = 5_000_000;

/// A held key goes on over a change of SSRC if no more time than this lies between the packets.
const HANDED_OVER_WITHIN_US: i64 = 200_000;

/// Hears the telephone events of one RTP stream and tells each key press once.
#[derive(Debug, Clone)]
pub struct EventReceiver {
    types: Vec<(u8, u32)>,
    /// Newest last.
    seen: VecDeque<Seen>,
}

/// One segment of a press.
#[derive(Debug, Clone, Copy)]
struct Seen {
    ssrc: u32,
    timestamp: u32,
    key: Key,
    /// Longest duration that was reported, in timestamp units.
    units: u32,
    ended: bool,
    last_arrival_unix_us: i64,
}

/// A report as it stands in a packet.
struct Report {
    key: Key,
    end: bool,
    units: u16,
}

impl EventReceiver {
    /// A receiver for the payload types that the SDP names `telephone-event`, each with its clock
    /// rate in hertz. Packets of other types are passed over.
    pub fn new(types: impl IntoIterator<Item = (u8, u32)>) -> Self {
        Self { types: types.into_iter().collect(), seen: VecDeque::new() }
    }

    /// True if packets of this type are events.
    pub fn takes(&self, payload_type: u8) -> bool {
        self.clock_rate_hz(payload_type).is_some()
    }

    /// Hears one packet. A press is told by the first of its packets that arrives; `None` for all
    /// others, for events that are no keys, and for packets that make no sense. Of several reports
    /// packed into one packet the first is read.
    pub fn packet(&mut self, packet: &RtpPacket<'_>, arrival_unix_us: i64) -> Option<PressedKey> {
        let clock_rate_hz = self.clock_rate_hz(packet.payload_type)?;
        let report = Report::parse(packet.payload)?;
        self.seen
            .retain(|seen| arrival_unix_us.saturating_sub(seen.last_arrival_unix_us) < FORGOTTEN_AFTER_US);
        let known = self.seen.iter_mut().find(|seen| {
            seen.ssrc == packet.ssrc && seen.timestamp == packet.timestamp && seen.key == report.key
        });
        if let Some(seen) = known {
            seen.units = seen.units.max(u32::from(report.units));
            seen.ended |= report.end;
            seen.last_arrival_unix_us = seen.last_arrival_unix_us.max(arrival_unix_us);
            return None;
        }
        let goes_on =
            !packet.marker && self.seen.iter().any(|seen| seen.goes_on_in(packet, &report, arrival_unix_us));
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(Seen {
            ssrc: packet.ssrc,
            timestamp: packet.timestamp,
            key: report.key,
            units: u32::from(report.units),
            ended: report.end,
            last_arrival_unix_us: arrival_unix_us,
        });
        (!goes_on).then(|| PressedKey {
            key: report.key,
            pressed_at_unix_us: arrival_unix_us,
            duration: Duration::from_micros(u64::from(report.units) * 1_000_000 / u64::from(clock_rate_hz)),
        })
    }

    /// The clock of a payload type, never 0.
    fn clock_rate_hz(&self, payload_type: u8) -> Option<u32> {
        self.types
            .iter()
            .find(|(known, _)| *known == payload_type)
            .map(|(_, clock_rate_hz)| (*clock_rate_hz).max(1))
    }
}

impl Seen {
    /// True if a packet with a new timestamp or a new SSRC is the same press, still held.
    fn goes_on_in(&self, packet: &RtpPacket<'_>, report: &Report, arrival_unix_us: i64) -> bool {
        if self.ended || self.key != report.key {
            return false;
        }
        if self.ssrc != packet.ssrc {
            return arrival_unix_us.saturating_sub(self.last_arrival_unix_us) <= HANDED_OVER_WITHIN_US;
        }
        // The next segment begins exactly where this one stopped. The report that said how far it
        // came may be lost, so the longest possible segment counts too.
        let ahead = packet.timestamp.wrapping_sub(self.timestamp);
        ahead != 0 && (ahead == self.units || ahead == SEGMENT_UNITS)
    }
}

impl Report {
    fn parse(payload: &[u8]) -> Option<Self> {
        let bytes: [u8; REPORT_BYTES] = payload.get(..REPORT_BYTES)?.try_into().ok()?;
        Some(Self {
            key: Key::from_event_code(bytes[0])?,
            end: bytes[1] & 0x80 != 0,
            units: u16::from_be_bytes([bytes[2], bytes[3]]),
        })
    }
}
