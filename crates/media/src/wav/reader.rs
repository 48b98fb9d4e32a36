//! Reading WAVE files: for verification and tests.

use std::io::{Read, Write};

use super::{Encoding, WavError, WavHeader, interleave::read_up_to};
use crate::codec::Codec;

/// Frames that are handled at once.
const BATCH: u64 = 16 * 1024;
/// A chunk before the audio that is larger than this is not skipped but refused.
const MOST_SKIPPED: u64 = 16 * 1024 * 1024;

/// Reads everything up to the first sample. Chunks that are not known are skipped.
///
/// # Errors
/// If it is no WAVE file, or none of G.711 or 16-bit PCM.
pub fn read_header<R: Read>(from: &mut R) -> Result<WavHeader, WavError> {
    let riff: [u8; 12] = take(from)?;
    let rf64 = match &riff[..4] {
        b"RIFF" => false,
        b"RF64" => true,
        _ => return Err(WavError::NotWave("it does not begin with RIFF or RF64")),
    };
    if &riff[8..] != b"WAVE" {
        return Err(WavError::NotWave("its RIFF type is not WAVE"));
    }
    let mut data_bytes_64 = None;
    let mut format = None;
    loop {
        let chunk: [u8; 8] = take(from)?;
        let size = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        match &chunk[..4] {
            b"ds64" if rf64 && size >= 28 => {
                let sizes: [u8; 28] = take(from)?;
                let data = sizes[8..16].try_into().map_err(|_| WavError::Truncated)?;
                data_bytes_64 = Some(u64::from_le_bytes(data));
                skip(from, u64::from(size) - 28)?;
            }
            b"fmt " if size >= 16 => {
                let fmt: [u8; 16] = take(from)?;
                format = Some(parse_format(&fmt)?);
                skip(from, u64::from(size) + u64::from(size % 2) - 16)?;
            }
            b"data" => {
                let (encoding, channels, sample_rate_hz) =
                    format.ok_or(WavError::NotWave("its data chunk comes before the format chunk"))?;
                let bytes = match data_bytes_64 {
                    Some(bytes) if size == u32::MAX => bytes,
                    _ => u64::from(size),
                };
                let header = WavHeader { encoding, channels, sample_rate_hz, frames: 0 };
                let stride = u64::from(header.block_align());
                // Beyond any file system; sums of sizes stay far from overflow.
                if bytes > 1 << 60 {
                    return Err(WavError::NotWave("its length makes no sense"));
                }
                if bytes % stride != 0 {
                    return Err(WavError::NotWave("its data chunk ends within a frame"));
                }
                return Ok(WavHeader { frames: bytes / stride, ..header });
            }
            _ => skip(from, u64::from(size) + u64::from(size % 2))?,
        }
    }
}

/// Hands each channel of the audio after a header to its own writer.
///
/// # Errors
/// If the number of writers is not that of the channels, the file is shorter than its header says,
/// or reading or writing fails.
pub fn deinterleave<R: Read, W: Write>(
    header: &WavHeader,
    from: &mut R,
    outputs: &mut [W],
) -> Result<(), WavError> {
    if outputs.len() != usize::from(header.channels) {
        return Err(WavError::Channels { expected: header.channels, actual: outputs.len() });
    }
    let width = usize::from(header.encoding.bytes_per_sample());
    let stride = usize::from(header.block_align());
    let mut mixed = vec![0; header.frames.min(BATCH) as usize * stride];
    let mut channel = Vec::with_capacity(mixed.len() / stride * width);
    let mut left = header.frames;
    while left > 0 {
        let frames = left.min(BATCH) as usize;
        let batch = &mut mixed[..frames * stride];
        if read_up_to(from, batch)? < batch.len() {
            return Err(WavError::Truncated);
        }
        for (at, output) in outputs.iter_mut().enumerate() {
            channel.clear();
            for frame in batch.chunks_exact(stride) {
                channel.extend_from_slice(&frame[at * width..(at + 1) * width]);
            }
            output.write_all(&channel)?;
        }
        left -= frames as u64;
    }
    Ok(())
}

/// A whole file in memory: its header and the bytes of each channel.
///
/// # Errors
/// Those of [`read_header`] and [`deinterleave`].
pub fn read_channels<R: Read>(from: &mut R) -> Result<(WavHeader, Vec<Vec<u8>>), WavError> {
    let header = read_header(from)?;
    let mut channels = vec![Vec::new(); usize::from(header.channels)];
    deinterleave(&header, from, &mut channels)?;
    Ok((header, channels))
}

fn parse_format(fmt: &[u8; 16]) -> Result<(Encoding, u16, u32), WavError> {
    let u16_at = |at: usize| u16::from_le_bytes([fmt[at], fmt[at + 1]]);
    let (tag, channels, bits) = (u16_at(0), u16_at(2), u16_at(14));
    let rate_hz = u32::from_le_bytes([fmt[4], fmt[5], fmt[6], fmt[7]]);
    let encoding = match (tag, bits) {
        (1, 16) => Encoding::Pcm16,
        (6, 8) => Encoding::G711(Codec::Pcma),
        (7, 8) => Encoding::G711(Codec::Pcmu),
        _ => return Err(WavError::Unsupported { tag, bits, rate_hz }),
    };
    // More channels than any recording has streams: the product below must not overflow either.
    if channels == 0 || channels > 256 {
        return Err(WavError::NotWave("its number of channels makes no sense"));
    }
    Ok((encoding, channels, rate_hz))
}

fn take<R: Read, const N: usize>(from: &mut R) -> Result<[u8; N], WavError> {
    let mut bytes = [0; N];
    if read_up_to(from, &mut bytes)? < N { Err(WavError::Truncated) } else { Ok(bytes) }
}

fn skip<R: Read>(from: &mut R, bytes: u64) -> Result<(), WavError> {
    if bytes > MOST_SKIPPED {
        return Err(WavError::NotWave("a chunk before its audio is too large"));
    }
    let skipped = std::io::copy(&mut from.by_ref().take(bytes), &mut std::io::sink())?;
    if skipped < bytes { Err(WavError::Truncated) } else { Ok(()) }
}
