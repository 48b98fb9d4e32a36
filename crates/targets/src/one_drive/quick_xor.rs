//! QuickXorHash, the one hash that every drive of Microsoft's tells of its files.
//!
//! Byte `i` is xored into 160 bits at bit `11·i mod 160`, going round; at the end the length (64 bits,
//! little-endian) is xored into the last 8 bytes. Since 11 and 160 have no common factor, byte `i` and
//! byte `i + 160` meet at the same place: bytes are first xored in blocks of 160, and turned into
//! place once. It is a checksum: whoever wants a collision can compute one, so nothing is taken for a
//! file of ours by it alone.

/// Length of the hash in bytes.
pub(crate) const LENGTH: usize = 20;
const BITS: usize = 160;
const SHIFT: usize = 11;

/// The hash of what was put in so far.
#[derive(Clone)]
pub(crate) struct QuickXor {
    blocks: [u8; BITS],
    length: u64,
}

impl QuickXor {
    pub(crate) const fn new() -> Self {
        Self { blocks: [0; BITS], length: 0 }
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let from = (self.length % BITS as u64) as usize;
            let count = bytes.len().min(BITS - from);
            for (block, byte) in self.blocks[from..from + count].iter_mut().zip(bytes) {
                *block ^= byte;
            }
            self.length += count as u64;
            bytes = &bytes[count..];
        }
    }

    pub(crate) fn finish(&self) -> [u8; LENGTH] {
        let mut hash = [0; LENGTH];
        for (i, byte) in self.blocks.iter().enumerate() {
            let (at, shift) = (i * SHIFT % BITS / 8, i * SHIFT % BITS % 8);
            let turned = u16::from(*byte) << shift;
            hash[at] ^= turned as u8;
            hash[(at + 1) % LENGTH] ^= (turned >> 8) as u8;
        }
        for (end, length) in hash[LENGTH - 8..].iter_mut().zip(self.length.to_le_bytes()) {
            *end ^= length;
        }
        hash
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;

    /// From the tests of rclone, whose authors took them from Microsoft's own tools.
    const VECTORS: [(&str, &str); 5] = [
        ("", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("Sg==", "SgAAAAAAAAAAAAAAAQAAAAAAAAA="),
        ("tbQ=", "taAFAAAAAAAAAAAAAgAAAAAAAAA="),
        ("0pZP", "0rDEEwAAAAAAAAAAAwAAAAAAAAA="),
        ("jRRDVA==", "jaDAEKgAAAAAAAAABAAAAAAAAAA="),
    ];

    #[test]
    fn known_inputs_have_their_known_hashes() {
        for (input, expected) in VECTORS {
            let mut hash = QuickXor::new();
            hash.update(&BASE64_STANDARD.decode(input).unwrap());
            assert_eq!(BASE64_STANDARD.encode(hash.finish()), expected, "{input}");
        }
    }

    #[test]
    fn it_is_the_same_however_the_input_is_cut_and_as_by_the_definition() {
        let input: Vec<u8> = (0..5_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut expected = [0_u8; LENGTH];
        for (i, byte) in input.iter().enumerate() {
            for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
                let at = (i * SHIFT + bit) % BITS;
                expected[at / 8] ^= 1 << (at % 8);
            }
        }
        for (end, length) in expected[12..].iter_mut().zip((input.len() as u64).to_le_bytes()) {
            *end ^= length;
        }
        for step in [1, 7, 160, 161, 4_999, 5_000] {
            let mut hash = QuickXor::new();
            input.chunks(step).for_each(|part| hash.update(part));
            assert_eq!(hash.finish(), expected, "{step}");
        }
    }
}
