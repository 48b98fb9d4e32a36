//! One channel from its parts.

use std::io::{self, Read};

use super::{Encoding, WavError};

/// Reads the parts of a channel as one stream of samples: each part at its sample, silence between
/// them. The parts are the runs of a track, in order, from wherever they were stored.
pub struct LaidReader<I, R> {
    parts: I,
    encoding: Encoding,
    /// Bytes handed out.
    position: u64,
    /// Silence up to the present part, in bytes.
    silence: u64,
    current: Option<R>,
}

impl<I, R> LaidReader<I, R>
where
    I: Iterator<Item = io::Result<(u64, R)>>,
    R: Read,
{
    /// A channel of parts: (first sample, bytes).
    pub fn new(encoding: impl Into<Encoding>, parts: I) -> Self {
        Self { parts, encoding: encoding.into(), position: 0, silence: 0, current: None }
    }

    /// Goes to the next part; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(next) = self.parts.next() else { return Ok(false) };
        let (start, part) = next?;
        let width = u64::from(self.encoding.bytes_per_sample());
        self.silence = (start * width).checked_sub(self.position).ok_or_else(|| {
            let end = self.position / width;
            io::Error::new(io::ErrorKind::InvalidData, WavError::Overlap { start, end })
        })?;
        self.current = Some(part);
        Ok(true)
    }
}

impl<I, R> Read for LaidReader<I, R>
where
    I: Iterator<Item = io::Result<(u64, R)>>,
    R: Read,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.silence > 0 {
                let silent = self.silence.min(buffer.len() as u64) as usize;
                buffer[..silent].fill(self.encoding.silence());
                self.silence -= silent as u64;
                self.position += silent as u64;
                return Ok(silent);
            }
            if let Some(part) = &mut self.current {
                let read = part.read(buffer)?;
                if read > 0 {
                    self.position += read as u64;
                    return Ok(read);
                }
                self.current = None;
            }
            if !self.advance()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;

    fn read(parts: &[(u64, &'static [u8])]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let parts = parts.iter().map(|(start, part)| Ok((*start, *part)));
        LaidReader::new(Codec::Pcma, parts).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn parts_stand_at_their_samples_with_silence_between_them() {
        let bytes = read(&[(2, b"ab"), (4, b""), (4, b"c"), (7, b"d")]).unwrap();
        assert_eq!(bytes, b"\xD5\xD5abc\xD5\xD5d");
        assert_eq!(read(&[]).unwrap(), b"");
    }

    #[test]
    fn parts_that_overlap_are_an_error_and_not_a_mixture() {
        assert_eq!(read(&[(0, b"abc"), (2, b"d")]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
