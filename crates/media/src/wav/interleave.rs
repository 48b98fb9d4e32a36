//! Several channels into one file.

use std::io::{ErrorKind, Read, Write};

use super::{WavError, WavHeader};

/// Frames that are handled at once.
const BATCH: usize = 16 * 1024;

/// Writes a whole WAVE file: the header, then the channels interleaved, each read to its end. A
/// channel that is shorter than the header says is filled with silence.
///
/// # Errors
/// If the number of inputs is not that of the header, if an input holds more samples than the
/// header says (nothing is cut off silently), or if reading or writing fails.
pub fn write_interleaved<R: Read, W: Write>(
    header: &WavHeader,
    inputs: &mut [R],
    to: &mut W,
) -> Result<(), WavError> {
    if inputs.len() != usize::from(header.channels) || inputs.is_empty() {
        return Err(WavError::Channels { expected: header.channels, actual: inputs.len() });
    }
    header.write_to(to)?;
    let width = usize::from(header.encoding.bytes_per_sample());
    let stride = usize::from(header.block_align());
    let mut channel = vec![0; BATCH * width];
    let mut mixed = vec![0; BATCH * stride];
    let mut left = header.frames;
    while left > 0 {
        let frames = left.min(BATCH as u64) as usize;
        for (at, input) in inputs.iter_mut().enumerate() {
            let samples = &mut channel[..frames * width];
            let filled = read_up_to(input, samples)?;
            samples[filled..].fill(header.encoding.silence());
            let places = mixed.chunks_exact_mut(stride);
            for (frame, sample) in places.zip(samples.chunks_exact(width)) {
                frame[at * width..(at + 1) * width].copy_from_slice(sample);
            }
        }
        to.write_all(&mixed[..frames * stride])?;
        left -= frames as u64;
    }
    for (at, input) in inputs.iter_mut().enumerate() {
        if read_up_to(input, &mut [0])? > 0 {
            return Err(WavError::TooLong { channel: at + 1, frames: header.frames });
        }
    }
    if header.data_bytes() % 2 == 1 {
        to.write_all(&[0])?;
    }
    Ok(())
}

/// Fills the buffer as far as the reader goes; the bytes that were read.
pub(super) fn read_up_to<R: Read>(from: &mut R, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
