//! Keys as telephone events in RTP (RFC 4733): the sending side, for tests and load generators.

use std::time::Duration;

use super::Key;

/// How often an end report is sent (RFC 4733 section 2.5.1.4).
const END_REPORTS: usize = 3;

/// Longest duration of one segment, in timestamp units (RFC 4733 section 2.5.1.3).
const SEGMENT_UNITS: u64 = 0xFFFF;

/// Power of the tone that the receiver may play, in dBm0 without its sign.
const VOLUME: u8 = 10;

/// One packet of a key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// When to send it, counted from the press.
    pub send_after: Duration,
    /// What to add to the RTP timestamp that belongs to the moment of the press. It is 0 for all
    /// packets but those of a press so long that it takes several segments.
    pub timestamp_offset: u32,
    /// The marker bit: set in the first packet.
    pub marker: bool,
    /// The payload.
    pub payload: [u8; 4],
}

/// The packets of one key press in the order in which they are sent: one every `interval`, the
/// first after one interval, the end three times at once.
///
/// `interval` below a millisecond counts as one.
pub fn key_press(key: Key, held: Duration, interval: Duration, clock_rate_hz: u32) -> Vec<EventPacket> {
    let interval = interval.max(Duration::from_millis(1));
    let units_at = |after: Duration| {
        u64::try_from(after.as_micros() * u128::from(clock_rate_hz) / 1_000_000).unwrap_or(0)
    };
    let mut packets = Vec::new();
    let mut segment_start = 0_u64;
    let mut after = interval;
    loop {
        let at_end = after >= held;
        let now = after.min(held);
        while units_at(now) - segment_start > SEGMENT_UNITS {
            packets.push(packet(key, now, segment_start, SEGMENT_UNITS, false));
            segment_start += SEGMENT_UNITS;
        }
        let units = units_at(now) - segment_start;
        let copies = if at_end { END_REPORTS } else { 1 };
        packets.extend(std::iter::repeat_n(packet(key, now, segment_start, units, at_end), copies));
        if at_end {
            break;
        }
        after += interval;
    }
    packets[0].marker = true;
    packets
}

fn packet(key: Key, send_after: Duration, segment_start: u64, units: u64, end: bool) -> EventPacket {
    // Both fields wrap or are bounded by the segment: RTP time is modulo 2^32, a segment ends at 0xFFFF.
    let [high, low] = (units as u16).to_be_bytes();
    EventPacket {
        send_after,
        timestamp_offset: segment_start as u32,
        marker: false,
        payload: [key.event_code(), u8::from(end) << 7 | VOLUME, high, low],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_of_60_ms_is_two_updates_and_three_ends() {
        let key = "#".parse().unwrap();
        let packets = key_press(key, Duration::from_millis(60), Duration::from_millis(20), 8_000);
        let payloads: Vec<_> = packets.iter().map(|packet| packet.payload).collect();
        let end = [11, 0x8A, 0x01, 0xE0];
        assert_eq!(payloads, [[11, 0x0A, 0, 160], [11, 0x0A, 1, 64], end, end, end]);
        assert_eq!(packets.iter().filter(|packet| packet.marker).count(), 1);
        assert!(packets[0].marker);
    }

    #[test]
    fn a_press_beyond_eight_seconds_goes_on_in_a_second_segment() {
        let key = "1".parse().unwrap();
        let packets = key_press(key, Duration::from_secs(9), Duration::from_millis(20), 8_000);
        let last = packets[packets.len() - 1];
        assert_eq!(last.timestamp_offset, 0xFFFF);
        assert_eq!(
            u16::from_be_bytes([last.payload[2], last.payload[3]]),
            72_000_u32.wrapping_sub(0xFFFF) as u16
        );
        assert!(
            packets.iter().any(|packet| packet.payload[2..] == [0xFF, 0xFF] && packet.payload[1] & 0x80 == 0)
        );
    }
}
