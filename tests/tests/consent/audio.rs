//! Audio that tests make, and audio that recordings hold.

use anyhow::{Context, ensure};
use domain::Side;
use harness::recordings::Recording;
use media::{Codec, dtmf::Key, g711};

/// What G.711 A-law sends when nobody speaks.
const SILENCE: u8 = 0xD5;

/// Something to announce, as a WAV file: a melody that never repeats, so that no part of it can be
/// taken for another one, behind 100 ms of silence: telephones blend what they hear first.
pub fn wav(duration_ms: u32, first_hertz: f64) -> Vec<u8> {
    let count = duration_ms * 8;
    let sample = |n: u32| {
        if n < 800 {
            return 0;
        }
        let (n, second) = (f64::from(n), f64::from(n) / 8_000.0);
        let glide = first_hertz + 40.0 * second;
        ((n * glide * std::f64::consts::TAU / 8_000.0).sin() * 8_000.0) as i16
    };
    let samples: Vec<u8> = (0..count).map(sample).flat_map(i16::to_le_bytes).collect();
    let length = samples.len() as u32;
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + length).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    wav.extend(length.to_le_bytes());
    wav.extend(samples);
    wav
}

/// A key as a keypad sounds it: 120 ms, and silence around it. A-law.
pub fn tone_of(key: char) -> Vec<u8> {
    let (low, high) = Key::try_from(key).expect("a key of a keypad").frequencies_hz();
    let wave = |n: u32, hertz: u16| (f64::from(n) * f64::from(hertz) * std::f64::consts::TAU / 8_000.0).sin();
    let tone = (0..960).map(|n| ((wave(n, low) + wave(n, high)) * 6_000.0) as i16);
    let silence = || std::iter::repeat_n(0, 800);
    silence().chain(tone).chain(silence()).map(|sample| g711::encode(Codec::Pcma, sample)).collect()
}

/// The channels of a recording hold exactly this, each side's pieces in order, and silence around them.
pub fn holds_exactly(recording: &Recording, pieces: &[&[Vec<u8>; 2]]) -> anyhow::Result<()> {
    let channels = recording.channels()?;
    ensure!(channels.len() == 2, "{} channels", channels.len());
    for (number, (side, mut channel)) in [Side::Caller, Side::Callee].into_iter().zip(channels).enumerate() {
        let mut from = 0;
        for (piece_number, piece) in pieces.iter().map(|piece| &piece[number]).enumerate() {
            let at = channel[from..].windows(piece.len()).position(|window| window == piece);
            let at = from + at.with_context(|| format!("{side:?}: piece {piece_number} is missing"))?;
            channel[at..at + piece.len()].fill(SILENCE);
            from = at + piece.len();
        }
        let noise = channel.iter().filter(|byte| **byte != SILENCE).count();
        ensure!(noise == 0, "{side:?}: {noise} bytes that are not to be there");
    }
    Ok(())
}
