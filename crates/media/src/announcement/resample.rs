//! To the rate of the telephone.

use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::Pcm;

/// Samples a second of an announcement that is ready to be encoded.
pub const RATE_HZ: u32 = 8_000;

/// The resampler takes a sixteenth of a second at a time, about: the longer, the steeper its
/// filter. This leaves speech up to 3.4 kHz as it is, and nothing that could be folded back.
const CHUNKS_PER_SECOND: u32 = 16;

/// The audio at [`RATE_HZ`], without what a lower rate cannot hold: everything above 4 kHz is
/// filtered out rather than folded back.
pub fn resample(pcm: Pcm) -> Vec<f32> {
    if pcm.rate_hz == RATE_HZ || pcm.samples.is_empty() {
        return pcm.samples;
    }
    let frames = pcm.samples.len();
    let input = InterleavedOwned::new_from(pcm.samples, 1, frames).expect("one channel of that many samples");
    let chunk = (pcm.rate_hz / CHUNKS_PER_SECOND).max(1) as usize;
    let mut resampler = Fft::<f32>::new_custom(
        pcm.rate_hz as usize,
        RATE_HZ as usize,
        chunk,
        1,
        1,
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    )
    .expect("both rates are above zero");
    resampler
        .process_all(&input, frames, None)
        .expect("the buffers are made by the resampler for this very length")
        .take_data()
}
