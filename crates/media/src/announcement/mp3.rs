//! MP3 files (MPEG audio layer III), decoded by symphonia.

use std::io::Cursor;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::AnnouncementError;
use super::decode::{Pcm, checked_rate, downmix, max_frames};

/// Samples by which a file may be shorter than it says: encoders differ in what they count.
const SLACK_SAMPLES: u64 = 2 * 1_152;

/// The tag that says how long the file is begins within so many bytes: behind the header of the
/// first frame, its checksum and its side information.
const LENGTH_TAG_WITHIN: usize = 64;

/// Bytes of the header of an ID3v2 tag, and of its footer.
const ID3V2_HEADER_BYTES: usize = 10;

/// Bytes of an ID3v1 tag, which stands at the end.
const ID3V1_BYTES: usize = 128;

/// Reads a file that is not WAV.
pub(super) fn decode(bytes: &[u8]) -> Result<Pcm, AnnouncementError> {
    let stream = without_tags(bytes)?;
    // The probe would look for a frame far into the file, and find one in any large one.
    if stream.is_empty() {
        return Err(if stream.len() < bytes.len() {
            AnnouncementError::Empty
        } else {
            AnnouncementError::NotAudio
        });
    }
    let source = MediaSourceStream::new(Box::new(Cursor::new(stream)), Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), source, FormatOptions::default(), MetadataOptions::default())
        .map_err(|_| AnnouncementError::NotAudio)?;
    decode_track(&mut *format, stream)
}

/// True if the first frame is the one in which encoders say how long the file is and how much of
/// it is padding. Without it the length is a guess of symphonia's, by which nothing may be judged.
fn says_its_length(stream: &[u8]) -> bool {
    let head = &stream[..stream.len().min(LENGTH_TAG_WITHIN)];
    head.windows(4).any(|mark| [b"Xing", b"Info", b"VBRI"].iter().any(|known| mark == *known))
}

fn decode_track(format: &mut dyn FormatReader, stream: &[u8]) -> Result<Pcm, AnnouncementError> {
    let says_its_length = says_its_length(stream);
    let track = format.default_track(TrackType::Audio).ok_or(AnnouncementError::NotAudio)?;
    let promised = track.num_frames.filter(|_| says_its_length);
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio())
        .ok_or(AnnouncementError::NotAudio)?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default().gapless(says_its_length))
        .map_err(|_| AnnouncementError::NotAudio)?;

    let mut shape = None;
    let mut samples = Vec::new();
    let mut interleaved = Vec::<f32>::new();
    let (mut good, mut bad, mut read_bytes) = (0_u32, 0_u32, 0_usize);
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            Err(Error::DecodeError(_)) => {
                bad += 1;
                continue;
            }
            Err(_) => break,
        };
        read_bytes += packet.data.len();
        let Ok(decoded) = decoder.decode(&packet) else {
            bad += 1;
            continue;
        };
        good += 1;
        let (rate_hz, channels) = (decoded.spec().rate(), decoded.spec().channels().count());
        if shape.is_none() {
            checked_rate(rate_hz)?;
            if !(1..=2).contains(&channels) {
                return Err(AnnouncementError::Channels(channels));
            }
            shape = Some((rate_hz, channels));
        }
        if shape != Some((rate_hz, channels)) {
            return Err(AnnouncementError::Damaged);
        }
        decoded.copy_to_vec_interleaved(&mut interleaved);
        samples.extend(interleaved.chunks_exact(channels).map(downmix));
        if samples.len() > max_frames(rate_hz) {
            return Err(AnnouncementError::TooLong);
        }
    }
    let Some((rate_hz, _)) = shape else {
        return Err(if bad > 0 { AnnouncementError::NotAudio } else { AnnouncementError::Empty });
    };
    // The first frames of a file cut out of a longer one refer to what is not there; that is usual.
    if bad > 2 && bad > good / 10 {
        return Err(AnnouncementError::Damaged);
    }
    let fewer_than_promised =
        promised.is_some_and(|promised| samples.len() as u64 + SLACK_SAMPLES < promised);
    // Frames follow one another without a gap, so the rest that made no frame stands at the end.
    let half_a_frame = !says_its_length
        && stream
            .get(read_bytes..)
            .is_some_and(|rest| matches!(rest, [0xFF, second, ..] if second & 0xE0 == 0xE0));
    if fewer_than_promised || half_a_frame {
        return Err(AnnouncementError::CutOff);
    }
    Ok(Pcm { samples, rate_hz })
}

/// The MPEG frames: without the tags in front and behind. They hold pictures and texts that we have
/// no use for, with lengths that we would have to trust.
fn without_tags(mut bytes: &[u8]) -> Result<&[u8], AnnouncementError> {
    while bytes.starts_with(b"ID3") {
        let header = bytes.get(..ID3V2_HEADER_BYTES).ok_or(AnnouncementError::CutOff)?;
        // Four times seven bits (ID3v2.4.0 section 3.1).
        let length = header[6..].iter().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7F));
        let footer = if header[5] & 0x10 == 0 { 0 } else { ID3V2_HEADER_BYTES };
        bytes = bytes.get(ID3V2_HEADER_BYTES + length + footer..).ok_or(AnnouncementError::CutOff)?;
    }
    if let Some(at) = bytes.len().checked_sub(ID3V1_BYTES).filter(|at| bytes[*at..].starts_with(b"TAG")) {
        bytes = &bytes[..at];
    }
    Ok(bytes)
}
