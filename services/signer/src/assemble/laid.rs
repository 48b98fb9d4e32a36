//! What lies on a finished timeline, in the form that is stored.

use media::{
    Codec, Timeline,
    timeline::{StreamReport, TrackId},
};

use crate::state::call_record::{GapLaid, Laid, StreamLaid, TrackLaid};

/// The number by which segments name a track: stream, layer and codec in one.
pub fn track_number(track: TrackId) -> u32 {
    let codec = match track.codec {
        Codec::Pcma => 0,
        Codec::Pcmu => 1,
    };
    (track.stream << 8) | (u32::from(track.layer & 0x0f) << 4) | codec
}

/// The record of a timeline; all of it only after [`Timeline::finish`].
pub fn describe(timeline: &Timeline) -> Laid {
    let report = timeline.report();
    let tracks = report.tracks.iter().map(|one| TrackLaid {
        track: track_number(one.track),
        stream: one.track.stream,
        layer: u32::from(one.track.layer),
        codec: one.track.codec.name().to_owned(),
        start_sample: one.start_sample,
        end_sample: one.end_sample,
        payload_samples: one.payload_samples,
    });
    Laid {
        origin_unix_us: report.started_unix_us.unwrap_or(0),
        length_samples: report.length_samples,
        tracks: tracks.collect(),
        streams: report.streams.iter().map(stream).collect(),
    }
}

fn stream(report: &StreamReport) -> StreamLaid {
    let gaps = report.gaps.iter().map(|gap| GapLaid {
        start_sample: gap.start_sample,
        samples: gap.length_samples,
        cause: gap.cause.as_str().to_owned(),
    });
    StreamLaid {
        stream: report.stream,
        received: report.packets.received,
        lost: report.packets.lost,
        duplicates: report.packets.duplicate,
        late: report.packets.late,
        malformed: report.packets.malformed,
        concurrent: report.packets.concurrent,
        unsupported: report.packets.unsupported,
        gaps: gaps.collect(),
    }
}
