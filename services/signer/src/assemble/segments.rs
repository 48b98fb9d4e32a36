//! Finished audio to staging: runs become segments, objects that are never changed.
//!
//! A segment's key holds its first sample and its hash. A repeat after a crash makes the same
//! objects, or others beside them if it cut at another place; only those that a transaction has
//! named count, and the rest goes when the recording's segments are deleted.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::RecordingId;
use evidence::Sha256Hash;
use futures::future;
use media::timeline::{Run, TrackId};
use object_store::path::Path as Key;

use super::laid::track_number;
use crate::{
    staging::{Staging, StagingError},
    state::recording::Segment,
};

/// Silence up to a minute is filled in, so that a talk with pauses is one object a flush.
const FILL: u64 = 60 * 8_000;

/// The folder of a recording's segments.
pub fn folder(recording: &RecordingId) -> Key {
    Key::from(format!("segments/{recording}"))
}

/// Writes runs (of any tracks, each track's in order) and returns what was written.
///
/// # Errors
/// Staging refused; what was written until then is harmless.
pub async fn write(
    staging: &Staging,
    recording: &RecordingId,
    runs: Vec<Run>,
) -> Result<Vec<Segment>, StagingError> {
    let write = |run: Run| async move {
        let track = track_number(run.track);
        let sha256 = Sha256Hash::of(&run.bytes).to_string();
        let object = format!("segments/{recording}/{track}/{:012}-{}.raw", run.start_sample, &sha256[..16]);
        let length = run.bytes.len() as u64;
        staging.put_once(&Key::from(object.as_str()), Bytes::from(run.bytes), "a segment").await?;
        Ok(Segment { track, start_sample: run.start_sample, length, object, sha256 })
    };
    future::try_join_all(joined(runs).into_iter().map(write)).await
}

fn joined(runs: Vec<Run>) -> Vec<Run> {
    let mut open: BTreeMap<TrackId, Run> = BTreeMap::new();
    let mut done = Vec::new();
    for mut run in runs {
        match open.get_mut(&run.track) {
            Some(before) if run.start_sample - before.end_sample() <= FILL => {
                let until = usize::try_from(run.start_sample - before.start_sample)
                    .expect("a segment is as large as what is in memory");
                before.bytes.resize(until, run.track.codec.silence());
                before.bytes.append(&mut run.bytes);
            }
            _ => done.extend(open.insert(run.track, run)),
        }
    }
    done.extend(open.into_values());
    done
}

#[cfg(test)]
mod tests {
    use media::Codec;

    use super::*;

    fn run(start_sample: u64, bytes: &[u8]) -> Run {
        let track = TrackId { stream: 1, layer: 0, codec: Codec::Pcma };
        Run { track, start_sample, bytes: bytes.to_vec() }
    }

    #[test]
    fn short_silence_is_filled_and_long_silence_begins_a_segment() {
        let far = 2 * FILL;
        let got = joined(vec![run(0, b"ab"), run(4, b"c"), run(far, b"d")]);
        assert_eq!(got, [run(0, &[b'a', b'b', 0xD5, 0xD5, b'c']), run(far, b"d")]);
    }
}
