//! To the loudness of speech on the telephone.
//!
//! What counts is the level while somebody speaks, as in ITU-T P.56, measured simply: the mean
//! power of those frames of 20 ms that are not pauses. 0 dBm0 lies 6.15 dB above 0 dBov, which is
//! the power of a square wave at full scale (ITU-T G.100.1).

use super::AnnouncementError;
use super::encode::FRAME_BYTES;

/// Active speech level that announcements are brought to, in dBm0: where people on the telephone
/// speak, a little above the −20 dBm0 that ITU-T G.100.1 gives as their mean.
pub const ACTIVE_LEVEL_DBM0: f64 = -19.0;

/// 0 dBov in dBm0.
const FULL_SCALE_DBM0: f64 = 6.15;

/// A frame is a pause if it lies this much below the loudest one, in dB.
const PAUSE_DB: f64 = 30.0;

/// Nobody hears a file whose loudest frame lies below this level, in dBm0.
const SILENT_DBM0: f64 = -65.0;

/// Largest value that a sample may have, where 1 is full scale: some headroom for the transcoders
/// on the way.
const CEILING: f32 = 0.85;

/// How far the limiter looks ahead and behind, in samples: 5 ms.
const LIMITER_SAMPLES: usize = 40;

/// The level of the audio while it is not pausing, in dBm0; `None` if it is silent throughout.
/// Samples are at 8 kHz, full scale is ±1.
pub fn active_level_dbm0(samples: &[f32]) -> Option<f64> {
    let powers: Vec<f64> = samples
        .chunks(FRAME_BYTES)
        .map(|frame| frame.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / frame.len() as f64)
        .collect();
    let loudest = powers.iter().copied().fold(0.0, f64::max);
    if dbm0(loudest) < SILENT_DBM0 {
        return None;
    }
    let threshold = loudest / 10.0_f64.powf(PAUSE_DB / 10.0);
    let (sum, count) = powers
        .iter()
        .filter(|power| **power >= threshold)
        .fold((0.0, 0_u32), |(sum, count), power| (sum + power, count + 1));
    Some(dbm0(sum / f64::from(count)))
}

/// Brings the audio to [`ACTIVE_LEVEL_DBM0`] and keeps its peaks below full scale: nothing is
/// clipped. Samples are at 8 kHz, full scale is ±1.
///
/// # Errors
/// If it is silent.
pub fn level(samples: &mut [f32]) -> Result<(), AnnouncementError> {
    let now = active_level_dbm0(samples).ok_or(AnnouncementError::Silent)?;
    let gain = 10.0_f64.powf((ACTIVE_LEVEL_DBM0 - now) / 20.0) as f32;
    for sample in samples.iter_mut() {
        *sample *= gain;
    }
    limit(samples);
    Ok(())
}

/// Turns the volume down around each peak that would be too large, smoothly: the lowest gain that
/// any sample within reach needs, averaged over the same reach. Each of the averaged values is low
/// enough for the sample in their middle, so the mean is too.
fn limit(samples: &mut [f32]) {
    if samples.iter().all(|sample| sample.abs() <= CEILING) {
        return;
    }
    let needed: Vec<f32> = samples.iter().map(|sample| CEILING / sample.abs().max(CEILING)).collect();
    let reach = |middle: usize, length: usize| {
        middle.saturating_sub(LIMITER_SAMPLES)..(middle + LIMITER_SAMPLES + 1).min(length)
    };
    let lowest: Vec<f32> = (0..needed.len())
        .map(|middle| needed[reach(middle, needed.len())].iter().copied().fold(1.0, f32::min))
        .collect();
    for (position, sample) in samples.iter_mut().enumerate() {
        let around = &lowest[reach(position, lowest.len())];
        *sample *= around.iter().sum::<f32>() / around.len() as f32;
        // For the rounding of the mean only.
        *sample = sample.clamp(-CEILING, CEILING);
    }
}

fn dbm0(power: f64) -> f64 {
    10.0 * power.max(f64::MIN_POSITIVE).log10() + FULL_SCALE_DBM0
}
