//! What callers are told: WAV and MP3 files as people upload them, made into G.711 once.
//!
//! [`decode`] reads the file, [`resample`] brings it to 8 kHz, [`level`] to the loudness of
//! telephone speech, [`Encoded`] is what is sent. The proof of consent names the SHA-256 of the
//! file as it was uploaded (F-24). Some announcements are [`built_in`].

mod built_in;
mod decode;
mod encode;
mod level;
mod mp3;
mod resample;
mod wav;

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use sha2::{Digest, Sha256};

pub use built_in::{built_in, built_in_names};
pub use decode::{MAX_DURATION, MAX_FILE_BYTES, MAX_RATE_HZ, MIN_RATE_HZ, Pcm, decode};
pub use encode::{Encoded, FRAME_BYTES, FRAME_DURATION};
pub use level::{ACTIVE_LEVEL_DBM0, active_level_dbm0, level};
pub use resample::{RATE_HZ, resample};

use crate::Codec;

/// Why a file cannot be an announcement. The texts are for the person who uploaded it; they follow
/// "the file …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnnouncementError {
    /// Some other format, or none.
    #[error("is not a WAV or MP3 file")]
    NotAudio,
    /// A WAV file whose samples we cannot read.
    #[error(
        "is a WAV file with coding {format_tag:#06x} and {bits_per_sample} bits a sample; PCM with 8, 16, 24 \
         or 32 bits, float, A-law and µ-law can be read"
    )]
    Coding {
        /// `wFormatTag`, or that of the extension.
        format_tag: u16,
        /// `wBitsPerSample`.
        bits_per_sample: u16,
    },
    /// Neither mono nor stereo.
    #[error("has {0} channels; mono and stereo can be read")]
    Channels(usize),
    /// No rate that audio has.
    #[error("has a sample rate of {0} Hz; 4,000 to 192,000 Hz can be read")]
    Rate(u32),
    /// Nothing to play.
    #[error("holds no audio")]
    Empty,
    /// Less audio than the file itself says.
    #[error("is cut off: it ends before the audio does")]
    CutOff,
    /// Contradicts itself, or large parts cannot be decoded.
    #[error("is damaged: parts of its audio cannot be read")]
    Damaged,
    /// Longer than [`MAX_DURATION`].
    #[error("is longer than 10 minutes")]
    TooLong,
    /// Larger than [`MAX_FILE_BYTES`].
    #[error("is larger than 64 MiB")]
    TooLarge,
    /// Nobody would hear it.
    #[error("is silent")]
    Silent,
}

/// An announcement, ready to be played.
pub struct Announcement {
    sha256: [u8; 32],
    samples: Vec<i16>,
    pcma: OnceLock<Encoded>,
    pcmu: OnceLock<Encoded>,
}

impl Announcement {
    /// Reads, resamples and levels a WAV or MP3 file. Takes some time for long files: not to be
    /// called where others wait.
    ///
    /// # Errors
    /// If the file cannot be an announcement, with the reason.
    pub fn from_file(bytes: &[u8]) -> Result<Self, AnnouncementError> {
        let pcm = decode(bytes)?;
        let mut samples = resample(pcm);
        level(&mut samples)?;
        Ok(Self {
            sha256: Sha256::digest(bytes).into(),
            samples: encode::to_16_bits(&samples),
            pcma: OnceLock::new(),
            pcmu: OnceLock::new(),
        })
    }

    /// SHA-256 of the file as it was given.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// The same in hexadecimal, as the proof of consent names it.
    pub fn sha256_hex(&self) -> String {
        hex::encode(self.sha256)
    }

    /// How long it plays.
    pub fn duration(&self) -> Duration {
        encode::duration_of(self.samples.len())
    }

    /// The samples that are encoded: mono, 16 bits, [`RATE_HZ`].
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// The payload for a codec, made at the first call and the same ever after.
    pub fn encoded(&self, codec: Codec) -> &Encoded {
        let once = match codec {
            Codec::Pcma => &self.pcma,
            Codec::Pcmu => &self.pcmu,
        };
        once.get_or_init(|| Encoded::new(codec, &self.samples))
    }
}

/// Without the audio.
impl fmt::Debug for Announcement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Announcement")
            .field("sha256", &self.sha256_hex())
            .field("duration", &self.duration())
            .finish_non_exhaustive()
    }
}
