//! From blocks to presses: a key must be there for some blocks in a row to count as pressed, and
//! away for some to count as let go.

use super::block::{BLOCK_SAMPLES, HOP_SAMPLES};
use crate::dtmf::Key;

/// Blocks in a row that hold a key when it is told: 255 samples, 32 ms. A tone of 40 ms fills four
/// blocks however it lies.
const BLOCKS_TO_PRESS: usize = 4;

/// Blocks in a row without the key when it has been let go. A pause of 40 ms spoils at least
/// seven; a click or a phase jump in a held tone three.
const BLOCKS_TO_LET_GO: usize = 4;

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
    /// The key of the latest blocks, and how many in a row held it.
    candidate: Option<(Key, usize)>,
    /// The key that was told and is still held, and how many blocks in a row were without it.
    held: Option<(Key, usize)>,
}

impl Press {
    pub(super) fn step(&mut self, found: Option<Key>) -> Step {
        self.candidate = match (found, self.candidate) {
            (Some(key), Some((candidate, blocks))) if key == candidate => Some((key, blocks + 1)),
            (Some(key), _) => Some((key, 1)),
            (None, _) => None,
        };
        self.held = match self.held {
            Some((held, _)) if found == Some(held) => Some((held, 0)),
            Some((_, without)) if without + 1 >= BLOCKS_TO_LET_GO => None,
            Some((held, without)) => Some((held, without + 1)),
            None => None,
        };
        match self.candidate {
            Some((key, blocks))
                if blocks >= BLOCKS_TO_PRESS && self.held.is_none_or(|(held, _)| held != key) =>
            {
                self.held = Some((key, 0));
                Step::Pressed { key, samples: BLOCK_SAMPLES + (blocks - 1) * HOP_SAMPLES }
            }
            _ => Step::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which keys are told for a row of blocks; `-` is a block without a key.
    fn told(blocks: &str) -> String {
        let mut press = Press::default();
        blocks
            .chars()
            .filter_map(|block| match press.step(block.try_into().ok()) {
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
}
