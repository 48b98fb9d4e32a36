//! QuickXorHash byte by byte, as it is defined.

use base64::{Engine as _, prelude::BASE64_STANDARD};

/// The hash in base64.
pub(super) fn hash(content: &[u8]) -> String {
    let mut hash = [0_u8; 20];
    for (i, byte) in content.iter().enumerate() {
        let at = i * 11 % 160;
        let turned = (u16::from(*byte) << (at % 8)).to_le_bytes();
        hash[at / 8] ^= turned[0];
        hash[(at / 8 + 1) % 20] ^= turned[1];
    }
    for (end, length) in hash[12..].iter_mut().zip((content.len() as u64).to_le_bytes()) {
        *end ^= length;
    }
    BASE64_STANDARD.encode(hash)
}
