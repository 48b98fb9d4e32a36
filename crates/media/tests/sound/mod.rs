//! Sounds made by programs that know nothing of our code: tones and noise by SoX, speech by
//! eSpeak NG. A missing program fails the test.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::process::{Command, Stdio};

use media::Codec;
use media::dtmf::{Key, PressedKey, ToneDetector};
use media::g711::{self, FULL_SCALE_SINE_DBM0};
use media::rtp::RtpPacket;

/// Samples in a packet of 20 ms.
pub const PACKET: usize = 160;

/// Runs a program and gives what it writes to its output.
pub fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::piped())
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What SoX makes of its effects, mono at 8 kHz, 16 bits.
pub fn sox(effects: &str) -> Vec<i16> {
    let mut arguments = vec!["-V1", "-D", "-R", "-n", "-t", "s16", "-r", "8000", "-c", "1", "-"];
    arguments.extend(effects.split_whitespace());
    samples(&run("sox", &arguments))
}

/// Samples of 16 bits, little endian.
pub fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// Amplitude of a sine wave of a level, 1 being full scale.
pub fn amplitude(dbm0: f64) -> f64 {
    10.0_f64.powf((dbm0 - FULL_SCALE_SINE_DBM0) / 20.0)
}

/// How a pair of tones sounds.
#[derive(Debug, Clone, Copy)]
pub struct Tone {
    pub low_dbm0: f64,
    pub high_dbm0: f64,
    /// Factor of both frequencies.
    pub detuned: f64,
    pub on_seconds: f64,
    pub off_seconds: f64,
}

impl Tone {
    /// A clean pair with both tones at one level, 50 ms on, 50 ms off.
    pub fn at(dbm0: f64) -> Self {
        Self { low_dbm0: dbm0, high_dbm0: dbm0, detuned: 1.0, on_seconds: 0.05, off_seconds: 0.05 }
    }

    /// The key as SoX sounds it, with its pause behind it.
    pub fn of(self, key: Key) -> Vec<i16> {
        let (low, high) = key.frequencies_hz();
        let tone = |hz: u16, dbm0: f64| {
            sox(&format!(
                "synth {} sine {} vol {} pad 0 {}",
                self.on_seconds,
                f64::from(hz) * self.detuned,
                amplitude(dbm0),
                self.off_seconds
            ))
        };
        mix(&tone(low, self.low_dbm0), &tone(high, self.high_dbm0))
    }
}

/// The sum of two sounds.
pub fn mix(one: &[i16], other: &[i16]) -> Vec<i16> {
    (0..one.len().max(other.len()))
        .map(|at| one.get(at).copied().unwrap_or(0).saturating_add(other.get(at).copied().unwrap_or(0)))
        .collect()
}

/// Speech by eSpeak NG at 8 kHz, its loudest sample at −3 dB. `voice` may name a variant
/// (`de+f2`); `pitch` is 0 to 99.
pub fn speech(voice: &str, pitch: u8, text: &str) -> Vec<i16> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("speech.wav");
    let file = file.to_str().unwrap();
    run("espeak-ng", &["-v", voice, "-p", &pitch.to_string(), "-w", file, "--", text]);
    let arguments = ["-V1", "-D", "-R", file, "-t", "s16", "-r", "8000", "-c", "1", "-"];
    let effects = ["gain", "-6", "rate", "8000", "gain", "-n", "-3"];
    samples(&run("sox", &[&arguments[..], &effects[..]].concat()))
}

/// The packets of a sound, 20 ms each, from a sequence number and a timestamp that wrap soon.
pub fn payloads(codec: Codec, sound: &[i16]) -> Vec<Vec<u8>> {
    sound
        .chunks(PACKET)
        .map(|chunk| {
            let mut payload: Vec<u8> = chunk.iter().map(|sample| g711::encode(codec, *sample)).collect();
            payload.resize(PACKET, codec.silence());
            payload
        })
        .collect()
}

/// Plays a sound to a new detector, without the packets that are lost.
pub fn heard(codec: Codec, sound: &[i16], lost: impl Fn(usize) -> bool) -> Vec<PressedKey> {
    let mut detector = ToneDetector::new(codec);
    let payloads = payloads(codec, sound);
    let packets = payloads.iter().enumerate().filter(|(index, _)| !lost(*index));
    packets
        .filter_map(|(index, payload)| {
            let packet = RtpPacket {
                ssrc: 7,
                sequence: 65_530_u16.wrapping_add(index as u16),
                timestamp: (u32::MAX - 500).wrapping_add((index * PACKET) as u32),
                marker: index == 0,
                payload_type: 8,
                payload,
            };
            detector.packet(&packet, arrival_unix_us(index))
        })
        .collect()
}

/// When the packet with this index arrives: when its last sample has been spoken.
pub fn arrival_unix_us(index: usize) -> i64 {
    1_700_000_000_000_000 + (index as i64 + 1) * 20_000
}

/// The keys as a text.
pub fn text(pressed: &[PressedKey]) -> String {
    pressed.iter().map(|press| press.key.character()).collect()
}
