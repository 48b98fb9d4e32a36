//! Keeping the sides in step.
//!
//! Each sender has its own crystal: two of them part by up to some 100 ppm, 360 ms an hour. The
//! lag of a stream is how far its line lies behind the wall clock. Network queues only add to it,
//! so the smallest value over a window of ten seconds is the estimate. Where *all* streams that
//! talked have sender reports, the change of sender clock − RTP time takes its place: it has no
//! jitter at all. It is believed as long as it stays within 50 ms of the arrivals.
//!
//! The stream with the smallest lag leads: it defines the recording's clock, on which new segments
//! begin. Those that lag 15 ms or more behind it get silence of that length. A stream that is
//! suddenly far ahead (half a second within a window: a sender that plays faster than time) does
//! not lead.

use serde::{Deserialize, Serialize};

use super::{PUSH_LIMIT, RATE_HZ, stream::Stream};

/// Length of an estimate: ten seconds.
pub(super) const WINDOW: i64 = 10 * RATE_HZ;

/// The least estimated drift that is corrected, in samples: 15 ms, about where a listener begins
/// to hear an echo between the channels.
pub const LEAST_CORRECTION: i64 = 120;

/// Audio packets in a window that make an estimate: one second of talk.
const ENOUGH_PACKETS: u32 = 50;

/// Sender reports further from the arrivals than this (50 ms) are not believed.
const BELIEVED: i64 = 400;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Drift {
    lead: i64,
}

/// One stream's window.
struct Measured {
    stream: usize,
    segment: usize,
    /// By arrivals.
    lag: i64,
    /// By sender reports.
    reported: Option<i64>,
}

impl Drift {
    /// The recording's clock minus the wall clock, in samples.
    pub fn lead(&self) -> i64 {
        self.lead
    }

    pub fn close_window(&mut self, streams: &mut [Stream]) {
        let measured: Vec<_> =
            streams.iter().enumerate().filter_map(|(at, stream)| measure(at, stream)).collect();
        let by_report = measured.iter().all(|one| one.reported.is_some());
        let believed =
            measured.iter().all(|one| one.reported.is_none_or(|lag| (lag - one.lag).abs() <= BELIEVED));
        for one in &measured {
            let stream = &mut streams[one.stream];
            if !believed || one.reported.is_none() {
                let segment = &stream.segments[one.segment];
                stream.report_base = segment.report_offset().map(|offset| (segment.id, offset - one.lag));
            }
        }
        let lag_of = |one: &Measured| one.reported.filter(|_| by_report && believed).unwrap_or(one.lag);
        let leading = measured.iter().map(lag_of).filter(|lag| -lag <= self.lead + PUSH_LIMIT).min();
        if let Some(leading) = leading {
            self.lead = -leading;
            for one in &measured {
                let behind = lag_of(one) - leading;
                if behind >= LEAST_CORRECTION {
                    streams[one.stream].segments[one.segment].owed = behind;
                }
            }
        }
        for segment in streams.iter_mut().flat_map(|stream| &mut stream.segments) {
            segment.next_window();
        }
    }
}

/// The window of the segment that holds the main layer, if it talked enough.
fn measure(at: usize, stream: &Stream) -> Option<Measured> {
    let holder = stream.layers[0].holder?;
    let index = stream.segments.iter().position(|segment| segment.id == holder.segment)?;
    let segment = &stream.segments[index];
    let lag = segment.lag().filter(|_| segment.packets_in_window >= ENOUGH_PACKETS)?;
    let reported = match (segment.report_offset(), stream.report_base) {
        (Some(offset), Some((id, base))) if id == segment.id => Some(offset - base),
        _ => None,
    };
    Some(Measured { stream: at, segment: index, lag, reported })
}
