//! The state of a timeline as bytes: magic, version, checksum, postcard.

use super::Timeline;

/// Changed with every change of a serialised type. A signer that finds another version replays
/// the recording from its beginning, or refuses to start: never guesses.
const VERSION: u8 = 1;
const MAGIC: &[u8; 4] = b"CSTL";
const HEADER: usize = 4 + 1 + 8;

/// Why a snapshot cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The bytes are something else.
    #[error("the stored state of the recording is not a timeline")]
    NotASnapshot,
    /// Written by another release.
    #[error("the stored state of the recording has version {found}, this release reads version {VERSION}")]
    Version {
        /// The version in the bytes.
        found: u8,
    },
    /// The bytes were damaged.
    #[error("the stored state of the recording is damaged")]
    Damaged,
}

impl Timeline {
    /// The whole state, packets that wait and runs that nobody has taken included. Continuing from
    /// a restored snapshot makes the same bytes as if nothing had happened.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 * 1024);
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&[0; 8]);
        let mut bytes = postcard::to_extend(self, bytes).expect("writing to memory cannot fail");
        let sum = checksum(&bytes[HEADER..]);
        bytes[HEADER - 8..HEADER].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Takes up the state of a [`snapshot`](Self::snapshot).
    ///
    /// # Errors
    /// If the bytes are none, are damaged or of another version.
    pub fn restore(bytes: &[u8]) -> Result<Self, RestoreError> {
        let (header, state) = bytes.split_at_checked(HEADER).ok_or(RestoreError::NotASnapshot)?;
        if !header.starts_with(MAGIC) {
            return Err(RestoreError::NotASnapshot);
        }
        if header[4] != VERSION {
            return Err(RestoreError::Version { found: header[4] });
        }
        if header[5..] != checksum(state).to_le_bytes() {
            return Err(RestoreError::Damaged);
        }
        postcard::from_bytes(state).map_err(|_| RestoreError::Damaged)
    }
}

/// FNV-1a, 64 bit: against torn or mixed-up rows, not against malice.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TimelineConfig;

    #[test]
    fn bytes_that_are_not_a_sound_snapshot_are_refused() {
        let good = Timeline::new(TimelineConfig::default()).snapshot();
        assert!(Timeline::restore(&good).is_ok());
        assert_eq!(Timeline::restore(&[]), Err(RestoreError::NotASnapshot));
        assert_eq!(Timeline::restore(&[0; 40]), Err(RestoreError::NotASnapshot));
        let mut other = good.clone();
        other[4] = 99;
        assert_eq!(Timeline::restore(&other), Err(RestoreError::Version { found: 99 }));
        for at in 5..good.len() {
            let mut damaged = good.clone();
            damaged[at] ^= 4;
            assert_eq!(Timeline::restore(&damaged), Err(RestoreError::Damaged), "byte {at}");
        }
    }
}
