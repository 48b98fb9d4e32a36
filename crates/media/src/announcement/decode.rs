//! From the bytes of a file to samples, whatever the file is.

use std::time::Duration;

use super::{AnnouncementError, mp3, wav};

/// Longest announcement.
pub const MAX_DURATION: Duration = Duration::from_secs(600);

/// Largest file, in bytes. With the two rates it bounds the memory that a file can take.
pub const MAX_FILE_BYTES: usize = 64 << 20;

/// Lowest sample rate, in hertz.
pub const MIN_RATE_HZ: u32 = 4_000;

/// Highest sample rate, in hertz.
pub const MAX_RATE_HZ: u32 = 192_000;

/// Largest value that is kept of a sample. Files in float may go beyond 1; what is far beyond is an
/// error in the file.
const MAX_SAMPLE: f32 = 8.0;

/// Mono audio; full scale is ±1.
#[derive(Clone, PartialEq)]
pub struct Pcm {
    /// One sample after the other.
    pub samples: Vec<f32>,
    /// Samples a second.
    pub rate_hz: u32,
}

/// Reads a WAV or MP3 file; stereo becomes mono. Nothing is allocated that the file does not hold.
///
/// # Errors
/// If it is neither, holds no audio, is cut off, too long or too large. Silence is audio here.
pub fn decode(bytes: &[u8]) -> Result<Pcm, AnnouncementError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(AnnouncementError::TooLarge);
    }
    let pcm = if wav::is_wav(bytes) { wav::decode(bytes)? } else { mp3::decode(bytes)? };
    if pcm.samples.is_empty() {
        return Err(AnnouncementError::Empty);
    }
    Ok(pcm)
}

/// The rate, if audio has such rates.
pub(super) fn checked_rate(rate_hz: u32) -> Result<u32, AnnouncementError> {
    if (MIN_RATE_HZ..=MAX_RATE_HZ).contains(&rate_hz) {
        Ok(rate_hz)
    } else {
        Err(AnnouncementError::Rate(rate_hz))
    }
}

/// How many frames (samples of all channels) an announcement may have.
pub(super) fn max_frames(rate_hz: u32) -> usize {
    usize::try_from(MAX_DURATION.as_secs() * u64::from(rate_hz)).unwrap_or(usize::MAX)
}

/// One frame as a mono sample: the mean of its channels. What is no number is silence.
pub(super) fn downmix(frame: &[f32]) -> f32 {
    let mean = frame.iter().sum::<f32>() / frame.len() as f32;
    if mean.is_finite() { mean.clamp(-MAX_SAMPLE, MAX_SAMPLE) } else { 0.0 }
}
