//! One block of audio: which key's tones it holds, if it holds any.

use super::SAMPLE_RATE_HZ;
use crate::dtmf::Key;
use crate::dtmf::key::{HIGH_GROUP_HZ, LOW_GROUP_HZ};
use crate::g711::FULL_SCALE_SINE_DBM0;

/// Samples in a block. 102 (12.75 ms) puts all eight frequencies close to the middle of a Goertzel
/// bin at 8 kHz, and a bin is wide enough for the ±1.5 % that ITU-T Q.24 wants accepted.
pub(super) const BLOCK_SAMPLES: usize = 102;

/// From one block to the next: they overlap by half.
pub(super) const HOP_SAMPLES: usize = 51;

/// A pause of this many samples (40 ms) between two tones always counts as one.
pub(super) const PAUSE_SAMPLES: u32 = 320;

/// Weakest tone that counts, each of the pair by itself, in dBm0. ITU-T Q.24 lists operators that
/// want −25 dBm found; the rest is for the twist.
const WEAKEST_DBM0: f64 = -36.0;

/// How much weaker the high tone may be, in dB: lines attenuate high frequencies. Q.24 wants 8;
/// the rest is for tones that are off their frequency.
const HIGH_WEAKER_DB: f64 = 9.5;

/// How much weaker the low tone may be, in dB. Q.24 wants 4.
const LOW_WEAKER_DB: f64 = 5.5;

/// By how many dB a tone must stand out from the others of its group.
const STANDS_OUT_DB: f64 = 8.0;

/// The share of the block's power that the two tones must have. A clean pair at its nominal
/// frequencies has all of it; 1.5 % off or with noise 15 dB below it, more than four fifths.
/// A voice has harmonics besides.
const PURITY: f32 = 0.78;

/// The pair of tones that fills a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pair {
    /// Whose tones they are.
    pub(super) key: Key,
    /// By how many dB the high tone is louder than the low one.
    pub(super) twist_db: f32,
}

/// Decides about blocks.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    low: [f32; 4],
    high: [f32; 4],
    window: [f32; BLOCK_SAMPLES],
    weakest_power: f32,
    high_weaker: f32,
    low_weaker: f32,
    stands_out: f32,
}

impl Judge {
    pub(super) fn new() -> Self {
        let coefficient =
            |hz: u16| 2.0 * (std::f32::consts::TAU * f32::from(hz) / SAMPLE_RATE_HZ as f32).cos();
        // Mean power of the sine wave at full scale, whose amplitude is 2^15.
        let full_scale_power = (32_768.0_f64).powi(2) / 2.0;
        Self {
            low: LOW_GROUP_HZ.map(coefficient),
            high: HIGH_GROUP_HZ.map(coefficient),
            window: std::array::from_fn(|at| {
                1.0 - (std::f32::consts::TAU * (at as f32 + 0.5) / BLOCK_SAMPLES as f32).cos()
            }),
            weakest_power: (full_scale_power * ratio(WEAKEST_DBM0 - FULL_SCALE_SINE_DBM0)) as f32,
            high_weaker: ratio(HIGH_WEAKER_DB) as f32,
            low_weaker: ratio(LOW_WEAKER_DB) as f32,
            stands_out: ratio(STANDS_OUT_DB) as f32,
        }
    }

    /// The pair of tones that fills the block. `block` has [`BLOCK_SAMPLES`] samples.
    pub(super) fn pair_in(&self, block: &[f32]) -> Option<Pair> {
        let total = block.iter().map(|sample| sample * sample).sum::<f32>() / block.len() as f32;
        if total < self.weakest_power {
            return None;
        }
        let (row, low) = self.strongest(block, &self.low)?;
        let (column, high) = self.strongest(block, &self.high)?;
        let in_twist = high * self.high_weaker >= low && low * self.low_weaker >= high;
        (in_twist && low + high >= PURITY * total)
            .then(|| Pair { key: Key::at(row, column), twist_db: self.twist_db(block, row, column) })
    }

    /// By how many dB the high tone is louder, seen through a Hann window: without it the stronger
    /// tone leaks into the bin of the weaker one and moves it by decibels from block to block.
    fn twist_db(&self, block: &[f32], row: usize, column: usize) -> f32 {
        let mut seen = [0.0; BLOCK_SAMPLES];
        for ((seen, sample), weight) in seen.iter_mut().zip(block).zip(&self.window) {
            *seen = sample * weight;
        }
        10.0 * (power(&seen, self.high[column]) / power(&seen, self.low[row])).log10()
    }

    /// The strongest of four frequencies with its mean power, if it stands out.
    fn strongest(&self, block: &[f32], coefficients: &[f32; 4]) -> Option<(usize, f32)> {
        let powers = coefficients.map(|coefficient| power(block, coefficient));
        let (position, strongest) =
            powers.iter().copied().enumerate().max_by(|one, other| one.1.total_cmp(&other.1))?;
        let stands_out = powers
            .iter()
            .enumerate()
            .all(|(other, power)| other == position || power * self.stands_out <= strongest);
        (stands_out && strongest >= self.weakest_power).then_some((position, strongest))
    }
}

/// Mean power of a sine wave in the block, by the algorithm of Goertzel.
fn power(block: &[f32], coefficient: f32) -> f32 {
    let (mut before, mut last) = (0.0_f32, 0.0_f32);
    for sample in block {
        (before, last) = (last, sample + coefficient * last - before);
    }
    let squared = before * before + last * last - coefficient * before * last;
    // |X|² of a sine of amplitude a is (a·N/2)², its mean power a²/2.
    let samples = block.len() as f32;
    2.0 * squared / (samples * samples)
}

/// Decibels of power as a factor.
fn ratio(decibels: f64) -> f64 {
    10.0_f64.powf(decibels / 10.0)
}
