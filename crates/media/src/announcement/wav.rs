//! WAV files. The container is read here and not by a library because we must tell a file that was
//! cut off from one that is broken, and must not trust any length in it.

use super::AnnouncementError;
use super::decode::{Pcm, checked_rate, downmix, max_frames};
use crate::{Codec, g711};

/// `WAVE_FORMAT_PCM`.
const PCM: u16 = 1;
/// `WAVE_FORMAT_IEEE_FLOAT`.
const FLOAT: u16 = 3;
/// `WAVE_FORMAT_ALAW`.
const ALAW: u16 = Codec::Pcma.wave_format_tag();
/// `WAVE_FORMAT_MULAW`.
const MULAW: u16 = Codec::Pcmu.wave_format_tag();
/// `WAVE_FORMAT_EXTENSIBLE`: the tag stands in the first bytes of the sub-format's GUID.
const EXTENSIBLE: u16 = 0xFFFE;

/// Programs that write to a pipe cannot know the length and put the largest one here, or nearly.
const UNKNOWN_LENGTH: usize = 0x7FFF_0000;

/// The chunk `fmt `.
#[derive(Debug, Clone, Copy)]
struct Format {
    tag: u16,
    channels: u16,
    rate_hz: u32,
    bits_per_sample: u16,
}

/// True if the file says that it is WAV.
pub(super) fn is_wav(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE")
}

/// Reads a file for which [`is_wav`] holds.
pub(super) fn decode(bytes: &[u8]) -> Result<Pcm, AnnouncementError> {
    let mut format = None;
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((header, body)) = rest.split_at_checked(8) {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        match &header[..4] {
            b"fmt " => format = Some(Format::parse(body.get(..length).ok_or(AnnouncementError::CutOff)?)?),
            b"data" => {
                let format: Format = format.ok_or(AnnouncementError::Damaged)?;
                return match body.get(..length) {
                    Some(data) => format.samples(data),
                    None if length >= UNKNOWN_LENGTH => format.samples(body),
                    None => Err(AnnouncementError::CutOff),
                };
            }
            _ => {}
        }
        // Chunks begin at even offsets.
        rest = body.get(length.saturating_add(length & 1)..).ok_or(AnnouncementError::CutOff)?;
    }
    Err(if rest.is_empty() { AnnouncementError::Empty } else { AnnouncementError::CutOff })
}

impl Format {
    fn parse(chunk: &[u8]) -> Result<Self, AnnouncementError> {
        let short = |at: usize| -> Result<u16, AnnouncementError> {
            let bytes = chunk.get(at..at + 2).ok_or(AnnouncementError::Damaged)?;
            Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
        };
        let tag = match short(0)? {
            EXTENSIBLE => short(24)?,
            tag => tag,
        };
        let format = Self {
            tag,
            channels: short(2)?,
            rate_hz: checked_rate(u32::from(short(4)?) | u32::from(short(6)?) << 16)?,
            bits_per_sample: short(14)?,
        };
        match format.channels {
            1 | 2 => Ok(format),
            other => Err(AnnouncementError::Channels(usize::from(other))),
        }
    }

    fn samples(self, data: &[u8]) -> Result<Pcm, AnnouncementError> {
        let read = match (self.tag, self.bits_per_sample) {
            (PCM, 8) => |bytes: &[u8]| (f32::from(bytes[0]) - 128.0) / 128.0,
            (PCM, 16) => |bytes: &[u8]| f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0,
            (PCM, 24) => |bytes: &[u8]| left_justified([0, bytes[0], bytes[1], bytes[2]]),
            (PCM, 32) => |bytes: &[u8]| left_justified([bytes[0], bytes[1], bytes[2], bytes[3]]),
            (FLOAT, 32) => |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            (FLOAT, 64) => |bytes: &[u8]| {
                let mut value = [0; 8];
                value.copy_from_slice(bytes);
                f64::from_le_bytes(value) as f32
            },
            (ALAW, 8) => |bytes: &[u8]| f32::from(g711::decode(Codec::Pcma, bytes[0])) / 32_768.0,
            (MULAW, 8) => |bytes: &[u8]| f32::from(g711::decode(Codec::Pcmu, bytes[0])) / 32_768.0,
            (format_tag, bits_per_sample) => {
                return Err(AnnouncementError::Coding { format_tag, bits_per_sample });
            }
        };
        let sample_bytes = usize::from(self.bits_per_sample / 8);
        let frame_bytes = sample_bytes * usize::from(self.channels);
        if data.len() / frame_bytes > max_frames(self.rate_hz) {
            return Err(AnnouncementError::TooLong);
        }
        let samples = data
            .chunks_exact(frame_bytes)
            .map(|frame| match self.channels {
                1 => downmix(&[read(frame)]),
                _ => downmix(&[read(&frame[..sample_bytes]), read(&frame[sample_bytes..])]),
            })
            .collect();
        Ok(Pcm { samples, rate_hz: self.rate_hz })
    }
}

/// An integer sample of up to 32 bits, its highest bit in the last byte.
fn left_justified(bytes: [u8; 4]) -> f32 {
    (f64::from(i32::from_le_bytes(bytes)) / 2_147_483_648.0) as f32
}
