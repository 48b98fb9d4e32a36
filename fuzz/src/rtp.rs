//! Datagrams of RTP and RTCP, and the timeline that they are laid on.

use media::{Timeline, TimelineConfig, rtp::SenderReport};

/// Datagrams, each after its stream (1 byte: its lowest two bits, and whether it came on the RTCP port),
/// the time since the last one in milliseconds (1 byte; 255: a minute) and its length (1 byte).
pub(crate) fn datagrams(mut data: &[u8]) {
    // As a single datagram, too: so that what is longer than 255 bytes is read at least once.
    let _report = SenderReport::parse(data);
    let mut timeline = Timeline::new(TimelineConfig::default());
    let mut now_us = 1_700_000_000_000_000_i64;
    let mut handed_out = 0;
    timeline.push(0, now_us, data, false);
    while let Some(([place, after, length], rest)) = data.split_first_chunk::<3>() {
        let (datagram, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        data = rest;
        now_us += match after {
            255 => 60_000_000,
            after => 1_000 * i64::from(*after),
        };
        timeline.push(u32::from(place & 3), now_us, datagram, place & 4 != 0);
        if place & 8 != 0 {
            // A signer that starts anew goes on from what it wrote down.
            let restored = Timeline::restore(&timeline.snapshot()).expect("its own snapshot");
            assert!(restored == timeline, "a restored timeline is the same");
            timeline = restored;
        }
        handed_out += timeline.take_ready().iter().map(|run| run.bytes.len()).sum::<usize>();
    }
    timeline.finish();
    handed_out += timeline.take_ready().iter().map(|run| run.bytes.len()).sum::<usize>();
    let _started = timeline.started_unix_us();
    // Silence is no payload: nothing is handed out that nobody sent.
    assert!(handed_out < 1 << 26, "{handed_out} bytes");
}
