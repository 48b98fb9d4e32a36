//! Which track goes into which channel of which file. Pure.
//!
//! - *Stereo*: one file, channel 1 caller, channel 2 callee, also when a side sent nothing.
//!   *Separate*: a file a side. *Caller only*, *callee only*: one file with that side.
//! - Tracks of a side that follow each other share its channel; those that overlap in time get further
//!   channels behind the first ones. Nothing is mixed.
//! - Two laws in one call: a file for each, the law with more payload first, all from the same sample 0.
//! - Layers above the first (packets that came when their place was final, a second source on a
//!   stream) go to further files as well, so that they never widen the main one.

use std::cmp::Reverse;

use domain::{Channels, Side};
use evidence::Section;
use media::Codec;
use wire::call_v1;

use crate::state::call_record::{CallRecord, Laid, TrackLaid};

/// One audio file.
#[derive(Debug, Clone, PartialEq)]
pub struct FilePlan {
    /// How it is called.
    pub section: Section,
    /// The law of all its bytes.
    pub codec: Codec,
    /// Samples of each channel.
    pub frames: u64,
    /// Channels in order.
    pub channels: Vec<ChannelPlan>,
}

/// One channel of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelPlan {
    /// Whose voice.
    pub side: Side,
    /// Tracks one after the other, by start.
    pub tracks: Vec<TrackLaid>,
}

/// Plans the audio files of a recording.
pub fn plan(call: &CallRecord, laid: &Laid, channels: Channels) -> Vec<FilePlan> {
    let sides: &[&[Side]] = match channels {
        Channels::Stereo => &[&[Side::Caller, Side::Callee]],
        Channels::Separate => &[&[Side::Caller], &[Side::Callee]],
        Channels::CallerOnly => &[&[Side::Caller]],
        Channels::CalleeOnly => &[&[Side::Callee]],
    };
    let mut files = Vec::new();
    for sides in sides {
        let name_side = match channels {
            Channels::Stereo => None,
            _ => sides.first().copied(),
        };
        let tracks: Vec<&TrackLaid> =
            laid.tracks.iter().filter(|track| sides.contains(&side_of(call, track.stream))).collect();
        let main = main_codec(call, &tracks);
        // Codec and layer of each file: the main one is always there.
        let mut kinds: Vec<(bool, bool, Codec)> = vec![(false, false, main)];
        for track in &tracks {
            let codec = codec_of(track);
            kinds.push((track.layer > 0, codec != main, codec));
        }
        kinds.sort_unstable();
        kinds.dedup();
        for (part, (is_layer, _, codec)) in (1_u8..).zip(kinds) {
            let tracks: Vec<&TrackLaid> = tracks
                .iter()
                .copied()
                .filter(|track| codec_of(track) == codec && (track.layer > 0) == is_layer)
                .collect();
            let longest = tracks.iter().map(|track| track.end_sample).max().unwrap_or(0);
            let frames = if part == 1 { longest.max(laid.length_samples) } else { longest };
            let channels = channels_of(call, sides, &tracks);
            files.push(FilePlan { section: Section::wav(name_side, part), codec, frames, channels });
        }
    }
    files
}

/// The side of a stream; streams that nobody assigned alternate, as recording clients order them.
pub fn side_of(call: &CallRecord, stream: u32) -> Side {
    let known = call.streams.iter().find(|known| known.index == stream);
    known.and_then(|known| call_v1::Stream::known_side(known).ok()).unwrap_or(if stream.is_multiple_of(2) {
        Side::Caller
    } else {
        Side::Callee
    })
}

fn codec_of(track: &TrackLaid) -> Codec {
    Codec::from_sdp(&track.codec, 8_000).unwrap_or(Codec::Pcma)
}

/// The law with the most payload; without any packet the first that was agreed.
fn main_codec(call: &CallRecord, tracks: &[&TrackLaid]) -> Codec {
    let payload = |codec: Codec| -> u64 {
        tracks.iter().filter(|t| t.layer == 0 && codec_of(t) == codec).map(|t| t.payload_samples).sum()
    };
    let most = Codec::ALL.iter().copied().min_by_key(|codec| (Reverse(payload(*codec)), *codec));
    match most {
        Some(codec) if payload(codec) > 0 => codec,
        _ => call
            .streams
            .iter()
            .flat_map(|stream| &stream.payloads)
            .find_map(|payload| Codec::from_sdp(&payload.encoding, payload.clock_rate_hz))
            .unwrap_or(Codec::Pcma),
    }
}

fn channels_of(call: &CallRecord, sides: &[Side], tracks: &[&TrackLaid]) -> Vec<ChannelPlan> {
    // First the channel that each side has in any case, then the further ones.
    let mut channels: Vec<ChannelPlan> =
        sides.iter().map(|side| ChannelPlan { side: *side, tracks: Vec::new() }).collect();
    let mut tracks = tracks.to_vec();
    tracks.sort_by_key(|track| (track.start_sample, track.track));
    for track in tracks {
        let side = side_of(call, track.stream);
        let free = |channel: &&mut ChannelPlan| {
            channel.side == side
                && channel.tracks.last().is_none_or(|last| last.end_sample <= track.start_sample)
        };
        match channels.iter_mut().find(free) {
            Some(channel) => channel.tracks.push(track.clone()),
            None => channels.push(ChannelPlan { side, tracks: vec![track.clone()] }),
        }
    }
    // Which of several streams was first by a millisecond says nothing to anybody.
    channels[sides.len()..].sort_by_key(|channel| channel.tracks.first().map(|track| track.stream));
    channels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(sides: &[call_v1::Side]) -> CallRecord {
        let stream = |(index, side): (u32, &call_v1::Side)| call_v1::Stream {
            index,
            side: *side as i32,
            payloads: vec![call_v1::Payload {
                payload_type: 0,
                encoding: "PCMU".to_owned(),
                clock_rate_hz: 8_000,
                channels: 1,
            }],
            ..Default::default()
        };
        CallRecord { streams: (0..).zip(sides).map(stream).collect(), ..CallRecord::default() }
    }

    fn track(stream: u32, layer: u32, codec: &str, start_sample: u64, end_sample: u64) -> TrackLaid {
        TrackLaid {
            track: stream * 256 + layer * 16 + u32::from(codec == "PCMU"),
            stream,
            layer,
            codec: codec.to_owned(),
            start_sample,
            end_sample,
            payload_samples: end_sample - start_sample,
        }
    }

    fn laid(tracks: Vec<TrackLaid>) -> Laid {
        let length_samples = tracks.iter().filter(|t| t.layer == 0).map(|t| t.end_sample).max().unwrap_or(0);
        Laid { origin_unix_us: 1, tracks, streams: Vec::new(), length_samples }
    }

    /// Section, codec, frames and, channel by channel, side and streams.
    fn shown(files: &[FilePlan]) -> Vec<String> {
        let channel = |channel: &ChannelPlan| {
            let streams: Vec<_> = channel.tracks.iter().map(|t| t.stream.to_string()).collect();
            format!("{:?}[{}]", channel.side, streams.join(","))
        };
        let file = |file: &FilePlan| {
            let channels: Vec<_> = file.channels.iter().map(channel).collect();
            format!("{} {} {} {}", file.section, file.codec.name(), file.frames, channels.join(" "))
        };
        files.iter().map(file).collect()
    }

    const TWO: &[call_v1::Side] = &[call_v1::Side::Callee, call_v1::Side::Caller];

    #[test]
    fn the_caller_is_channel_one_whatever_the_order_of_the_streams() {
        let laid = laid(vec![track(0, 0, "PCMA", 0, 100), track(1, 0, "PCMA", 20, 90)]);
        assert_eq!(shown(&plan(&call(TWO), &laid, Channels::Stereo)), [".wav PCMA 100 Caller[1] Callee[0]"]);
        assert_eq!(
            shown(&plan(&call(TWO), &laid, Channels::Separate)),
            ["_caller.wav PCMA 100 Caller[1]", "_callee.wav PCMA 100 Callee[0]"]
        );
        assert_eq!(shown(&plan(&call(TWO), &laid, Channels::CalleeOnly)), ["_callee.wav PCMA 100 Callee[0]"]);
    }

    #[test]
    fn a_call_without_audio_still_has_its_file_in_the_codec_that_was_agreed() {
        assert_eq!(
            shown(&plan(&call(TWO), &laid(vec![]), Channels::Stereo)),
            [".wav PCMU 0 Caller[] Callee[]"]
        );
    }

    #[test]
    fn streams_of_a_side_share_its_channel_one_after_the_other_and_never_at_the_same_time() {
        use call_v1::Side::{Callee, Caller};
        let call = call(&[Caller, Callee, Callee, Callee]);
        let laid = laid(vec![
            track(0, 0, "PCMA", 0, 300),
            track(1, 0, "PCMA", 0, 100),
            track(2, 0, "PCMA", 100, 200),
            track(3, 0, "PCMA", 150, 300),
        ]);
        assert_eq!(
            shown(&plan(&call, &laid, Channels::Stereo)),
            [".wav PCMA 300 Caller[0] Callee[1,2] Callee[3]"]
        );
    }

    #[test]
    fn another_law_and_late_packets_go_to_files_of_their_own() {
        let laid = laid(vec![
            track(0, 0, "PCMA", 0, 100),
            track(1, 0, "PCMA", 0, 300),
            track(0, 0, "PCMU", 100, 300),
            track(1, 1, "PCMA", 40, 60),
        ]);
        assert_eq!(
            shown(&plan(&call(TWO), &laid, Channels::Stereo)),
            [
                ".wav PCMA 300 Caller[1] Callee[0]",
                "_2.wav PCMU 300 Caller[] Callee[0]",
                "_3.wav PCMA 60 Caller[1] Callee[]"
            ]
        );
    }
}
