//! From blocks to presses: a key must be there for some blocks in a row to count as pressed, and
//! away for some to count as let go.

use super::block::{BLOCK_SAMPLES, HOP_SAMPLES, Pair};
use crate::dtmf::Key;

/// Blocks in a row that hold a key when it is told: 255 samples, 32 ms. A tone of 40 ms fills four
/// blocks however it lies.
const BLOCKS_TO_PRESS: usize = 4;

/// Blocks in a row without the key when it has been let go. A pause of 40 ms spoils at least
/// seven; a click or a phase jump in a held tone three.
const BLOCKS_TO_LET_GO: usize = 4;

/// How much the twist may change over these blocks, in dB. A keypad keeps it; a vowel that happens
/// to have its harmonics on a pair of tones lets it glide within a few hundredths of a second.
const STEADY_DB: f32 = 1.8;

/// What a block changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to tell.
    Nothing,
    /// A key was pressed, and its tones have lasted for so many samples.
    Pressed {
        /// Which.
        key: Key,
        /// From the beginning of the first block with the key to the end of this one.
        samples: usize,
    },
}

/// Follows one stream block by block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Press {
    candidate: Option<Candidate>,
    /// The key that was told and is still held, and how many blocks in a row were without it.
    held: Option<(Key, usize)>,
}

/// The key of the latest blocks.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    key: Key,
    /// How many blocks in a row held it.
    blocks: usize,
    /// The twist of the latest of them, in the place of its number modulo the length.
    twists_db: [f32; BLOCKS_TO_PRESS],
}

impl Candidate {
    /// With one more block.
    fn after(before: Option<Self>, pair: Pair) -> Self {
        let mut candidate = before.filter(|before| before.key == pair.key).unwrap_or(Self {
            key: pair.key,
            blocks: 0,
            twists_db: [0.0; BLOCKS_TO_PRESS],
        });
        candidate.twists_db[candidate.blocks % BLOCKS_TO_PRESS] = pair.twist_db;
        candidate.blocks += 1;
        candidate
    }

    /// True if the latest blocks are enough, and like a keypad.
    fn is_pressed(&self) -> bool {
        let highest = self.twists_db.into_iter().fold(f32::NEG_INFINITY, f32::max);
        let lowest = self.twists_db.into_iter().fold(f32::INFINITY, f32::min);
        self.blocks >= BLOCKS_TO_PRESS && highest - lowest <= STEADY_DB
    }
}

impl Press {
    /// Takes the verdict on the next block.
    pub(super) fn step(&mut self, pair: Option<Pair>) -> Step {
        let found = pair.map(|pair| pair.key);
        self.candidate = pair.map(|pair| Candidate::after(self.candidate, pair));
        self.held = match self.held {
            Some((held, _)) if found == Some(held) => Some((held, 0)),
            Some((_, without)) if without + 1 >= BLOCKS_TO_LET_GO => None,
            Some((held, without)) => Some((held, without + 1)),
            None => None,
        };
        match self.candidate {
            Some(candidate)
                if candidate.is_pressed() && self.held.is_none_or(|(held, _)| held != candidate.key) =>
            {
                self.held = Some((candidate.key, 0));
                let samples = BLOCK_SAMPLES + (candidate.blocks - 1) * HOP_SAMPLES;
                Step::Pressed { key: candidate.key, samples }
            }
            _ => Step::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(block: char, twist_db: f32) -> Option<Pair> {
        block.try_into().ok().map(|key| Pair { key, twist_db })
    }

    /// Which keys are told for a row of blocks; `-` is a block without a key.
    fn told(blocks: &str) -> String {
        let mut press = Press::default();
        blocks
            .chars()
            .filter_map(|block| match press.step(pair(block, 0.0)) {
                Step::Pressed { key, .. } => Some(key.character()),
                Step::Nothing => None,
            })
            .collect()
    }

    #[test]
    fn a_key_is_told_once_however_long_it_is_held() {
        for (blocks, expected) in [
            ("111", ""),
            ("1111", "1"),
            ("11111111111111", "1"),
            ("111-111-", ""),
            ("1111---1111", "1"),
            ("1111----1111", "11"),
            ("11112222", "12"),
            ("1111-2-11111", "1"),
            ("12121212", ""),
        ] {
            assert_eq!(told(blocks), expected, "{blocks}");
        }
    }

    #[test]
    fn tones_that_glide_against_each_other_are_a_voice_until_they_are_steady() {
        let mut press = Press::default();
        for twist_db in [0.9, -0.1, -1.2, -2.6, -3.6, -5.5, -6.0, -6.0] {
            assert_eq!(press.step(pair('*', twist_db)), Step::Nothing, "{twist_db}");
        }
        let key = '*'.try_into().unwrap();
        assert_eq!(press.step(pair('*', -6.1)), Step::Pressed { key, samples: 102 + 8 * 51 });
    }
}
