//! The header: everything before the first sample.

use std::io::Write;

use super::WavError;
use crate::codec::Codec;

/// How a sample is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// G.711, one byte a sample.
    G711(Codec),
    /// Linear, 16 bits, little-endian.
    Pcm16,
}

impl From<Codec> for Encoding {
    fn from(codec: Codec) -> Self {
        Self::G711(codec)
    }
}

impl Encoding {
    /// `wFormatTag`.
    pub const fn format_tag(self) -> u16 {
        match self {
            Self::G711(codec) => codec.wave_format_tag(),
            Self::Pcm16 => 1,
        }
    }

    /// Bytes that one sample of one channel takes.
    pub const fn bytes_per_sample(self) -> u16 {
        match self {
            Self::G711(codec) => codec.bytes_per_sample(),
            Self::Pcm16 => 2,
        }
    }

    /// A byte that sounds like nothing if all bytes of a sample have it.
    pub const fn silence(self) -> u8 {
        match self {
            Self::G711(codec) => codec.silence(),
            Self::Pcm16 => 0,
        }
    }
}

/// What a WAVE file says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WavHeader {
    /// Coding of the samples.
    pub encoding: Encoding,
    /// Interleaved channels.
    pub channels: u16,
    /// Samples a second and channel.
    pub sample_rate_hz: u32,
    /// Samples of each channel.
    pub frames: u64,
}

/// Size of chunk header: four letters and a length.
const CHUNK: u64 = 8;
/// In RF64 the 32-bit sizes say that the real ones are in `ds64`.
const IN_DS64: u32 = u32::MAX;

impl WavHeader {
    /// The header of a G.711 recording: 8000 samples a second.
    pub const fn new(codec: Codec, channels: u16, frames: u64) -> Self {
        Self { encoding: Encoding::G711(codec), channels, sample_rate_hz: codec.clock_rate_hz(), frames }
    }

    /// Bytes of one sample of all channels (`nBlockAlign`).
    pub const fn block_align(&self) -> u16 {
        self.channels * self.encoding.bytes_per_sample()
    }

    /// Bytes of audio.
    pub const fn data_bytes(&self) -> u64 {
        self.frames * self.block_align() as u64
    }

    /// Bytes before the audio.
    pub const fn header_bytes(&self) -> u64 {
        self.riff_header_bytes() + if self.is_rf64() { CHUNK + 28 } else { 0 }
    }

    /// Bytes of the whole file, the padding byte of an odd data chunk included.
    pub const fn file_bytes(&self) -> u64 {
        self.header_bytes() + self.data_bytes() + self.data_bytes() % 2
    }

    /// True if 32-bit sizes do not suffice and the file is RF64. The size 2³² − 1 itself is taken:
    /// it is the mark for "see ds64".
    pub const fn is_rf64(&self) -> bool {
        let riff_size = self.riff_header_bytes() + self.data_bytes() + self.data_bytes() % 2 - CHUNK;
        riff_size >= IN_DS64 as u64 || self.frames >= IN_DS64 as u64
    }

    /// Writes the header; [`data_bytes`](Self::data_bytes) of audio have to follow, and one zero
    /// byte if that number is odd.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to<W: Write>(&self, to: &mut W) -> Result<(), WavError> {
        let rf64 = self.is_rf64();
        let size = |bytes: u64| if rf64 { IN_DS64 } else { bytes as u32 };
        let mut bytes = Vec::with_capacity(self.header_bytes() as usize);
        bytes.extend_from_slice(if rf64 { b"RF64" } else { b"RIFF" });
        bytes.extend_from_slice(&size(self.file_bytes() - CHUNK).to_le_bytes());
        bytes.extend_from_slice(b"WAVE");
        if rf64 {
            bytes.extend_from_slice(b"ds64");
            bytes.extend_from_slice(&28_u32.to_le_bytes());
            bytes.extend_from_slice(&(self.file_bytes() - CHUNK).to_le_bytes());
            bytes.extend_from_slice(&self.data_bytes().to_le_bytes());
            bytes.extend_from_slice(&self.frames.to_le_bytes());
            bytes.extend_from_slice(&0_u32.to_le_bytes()); // no table of further sizes
        }
        bytes.extend_from_slice(b"fmt ");
        bytes.extend_from_slice(&self.fmt_bytes().to_le_bytes());
        bytes.extend_from_slice(&self.encoding.format_tag().to_le_bytes());
        bytes.extend_from_slice(&self.channels.to_le_bytes());
        bytes.extend_from_slice(&self.sample_rate_hz.to_le_bytes());
        bytes.extend_from_slice(
            &self.sample_rate_hz.saturating_mul(u32::from(self.block_align())).to_le_bytes(),
        );
        bytes.extend_from_slice(&self.block_align().to_le_bytes());
        bytes.extend_from_slice(&(self.encoding.bytes_per_sample() * 8).to_le_bytes());
        if self.has_fact() {
            bytes.extend_from_slice(&0_u16.to_le_bytes()); // cbSize: no extension
            bytes.extend_from_slice(b"fact");
            bytes.extend_from_slice(&4_u32.to_le_bytes());
            bytes.extend_from_slice(&size(self.frames).to_le_bytes());
        }
        bytes.extend_from_slice(b"data");
        bytes.extend_from_slice(&size(self.data_bytes()).to_le_bytes());
        to.write_all(&bytes)?;
        Ok(())
    }

    /// All formats but PCM have a `fact` chunk and `cbSize` (Microsoft, *New Multimedia Data Types
    /// and Data Techniques*, 1994).
    const fn has_fact(&self) -> bool {
        !matches!(self.encoding, Encoding::Pcm16)
    }

    const fn fmt_bytes(&self) -> u32 {
        if self.has_fact() { 18 } else { 16 }
    }

    const fn riff_header_bytes(&self) -> u64 {
        CHUNK + 4 + CHUNK + self.fmt_bytes() as u64 + if self.has_fact() { CHUNK + 4 } else { 0 } + CHUNK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(header: WavHeader) -> Vec<u8> {
        let mut bytes = Vec::new();
        header.write_to(&mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, header.header_bytes());
        bytes
    }

    fn u32_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    fn u64_at(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    #[test]
    fn a_stereo_a_law_header_is_what_the_specification_says() {
        let bytes = written(WavHeader::new(Codec::Pcma, 2, 8_000));
        let expected: Vec<u8> = [
            b"RIFF".as_slice(),
            &(58_u32 - 8 + 16_000).to_le_bytes(),
            b"WAVEfmt \x12\0\0\0\x06\0\x02\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x08\0\0\0",
            b"fact\x04\0\0\0\x40\x1f\0\0data\x80\x3e\0\0",
        ]
        .concat();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn the_last_riff_file_has_the_largest_size_below_the_mark_and_the_next_is_rf64() {
        // RIFF size = 50 + 2 × frames for stereo G.711; it must stay below 2³² − 1.
        let last = (u64::from(u32::MAX) - 1 - 50) / 2;
        let riff = written(WavHeader::new(Codec::Pcmu, 2, last));
        assert_eq!(&riff[..4], b"RIFF");
        assert_eq!(u32_at(&riff, 4), u32::MAX - 1);
        assert_eq!(riff.len(), 58);

        let next = WavHeader::new(Codec::Pcmu, 2, last + 1);
        let rf64 = written(next);
        assert_eq!(&rf64[..4], b"RF64");
        assert_eq!(u32_at(&rf64, 4), u32::MAX);
        assert_eq!(&rf64[12..16], b"ds64");
        assert_eq!(u64_at(&rf64, 20), next.file_bytes() - 8);
        assert_eq!(u64_at(&rf64, 28), 2 * (last + 1));
        assert_eq!(u64_at(&rf64, 36), last + 1);
        assert_eq!(u32_at(&rf64, rf64.len() - 4), u32::MAX);
        assert_eq!(rf64.len(), 94);
    }

    #[test]
    fn pcm_has_the_short_format_chunk_and_no_fact() {
        let pcm = WavHeader { encoding: Encoding::Pcm16, channels: 1, sample_rate_hz: 16_000, frames: 3 };
        let bytes = written(pcm);
        assert_eq!(bytes.len(), 44);
        assert_eq!(u32_at(&bytes, 28), 32_000);
        assert_eq!(pcm.file_bytes(), 50);
    }
}
