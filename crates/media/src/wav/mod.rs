//! WAVE files, of any size: G.711 as it came (format tags 6 and 7) and 16-bit PCM.
//!
//! Lengths are known before a file is written, so that writing is one pass over streams: no seek,
//! no header that is wrong until the end. Files over 4 GiB are RF64 (EBU Tech 3306).

mod header;
mod interleave;
mod laid;
mod reader;

pub use header::{Encoding, WavHeader};
pub use interleave::write_interleaved;
pub use laid::LaidReader;
pub use reader::{deinterleave, read_channels, read_header};

/// Why a WAVE file cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The reader or writer underneath failed.
    #[error("the audio file cannot be read or written")]
    Io(#[from] std::io::Error),
    /// Not RIFF/WAVE or RF64.
    #[error("the file is not a WAVE file: {0}")]
    NotWave(&'static str),
    /// A WAVE file of a kind that is not written here.
    #[error(
        "the WAVE file has format tag {tag}, {bits} bits a sample at {rate_hz} Hz, which is not supported"
    )]
    Unsupported {
        /// `wFormatTag`.
        tag: u16,
        /// `wBitsPerSample`.
        bits: u16,
        /// `nSamplesPerSec`.
        rate_hz: u32,
    },
    /// The file ends before its header says.
    #[error("the WAVE file ends before its header says")]
    Truncated,
    /// The number of channel inputs or outputs is not that of the header.
    #[error("the WAVE header says {expected} channels, {actual} were given")]
    Channels {
        /// In the header.
        expected: u16,
        /// Given.
        actual: usize,
    },
    /// An input has more samples than the header has frames: they would be lost.
    #[error("channel {channel} has more samples than the {frames} that the WAVE header says")]
    TooLong {
        /// From 1.
        channel: usize,
        /// Frames of the header.
        frames: u64,
    },
    /// Parts of a channel overlap or are out of order.
    #[error("a part of the channel begins at sample {start}, before the end of the former at {end}")]
    Overlap {
        /// Where the part begins.
        start: u64,
        /// Where the former ended.
        end: u64,
    },
}
