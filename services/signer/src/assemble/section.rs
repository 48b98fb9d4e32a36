//! Ids of supplementary sections: computed from the recording they belong to, so that a replay
//! makes the same ones.

use domain::RecordingId;
use sha2::{Digest, Sha256};

/// The id of section `section` (from 1) of `recording`, as the messages of `epoch` continue it: a
/// UUIDv7 with the time of the recording itself and, for the random part, a hash.
pub fn section_id(recording: &RecordingId, epoch: &str, section: u32) -> RecordingId {
    let mut hash = Sha256::new();
    hash.update(b"callseal section\n");
    hash.update(recording.as_uuid().as_bytes());
    hash.update(epoch.as_bytes());
    hash.update(section.to_be_bytes());
    let hash = hash.finalize();
    let mut bytes = *recording.as_uuid().as_bytes();
    // RFC 9562, 5.7: 48 bits of time, version, 12 bits, variant, 62 bits.
    bytes[6..].copy_from_slice(&hash[..10]);
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    uuid::Uuid::from_bytes(bytes).hyphenated().to_string().parse().expect("the bytes are those of a UUIDv7")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_an_id_of_its_own_and_the_same_one_each_time() {
        let recording = RecordingId::new();
        let first = section_id(&recording, "e", 1);
        assert_eq!(first, section_id(&recording, "e", 1));
        let others = [recording, section_id(&recording, "e", 2), section_id(&recording, "f", 1)];
        assert!(!others.contains(&first));
        assert_eq!(first.to_string()[..13], recording.to_string()[..13], "the time is the recording's");
    }
}
