//! ITU-T G.711: between 16-bit samples and the bytes of both laws, as the reference code of
//! ITU-T G.191 does it.

use crate::Codec;

/// Level of a sine wave that just reaches the largest code, in dBm0 (ITU-T G.711 section 3):
/// 3.14 for A-law and 3.17 for µ-law. One number is close enough for every use here.
#[expect(clippy::approx_constant, reason = "a level that happens to begin like π")]
pub const FULL_SCALE_SINE_DBM0: f64 = 3.14;

/// The byte of a sample. Samples are 16 bits wide, 0 dBov at 32768.
pub const fn encode(codec: Codec, sample: i16) -> u8 {
    match codec {
        Codec::Pcma => encode_a(sample),
        Codec::Pcmu => encode_mu(sample),
    }
}

/// The sample of a byte: the middle of the range of samples that have this code.
pub const fn decode(codec: Codec, byte: u8) -> i16 {
    match codec {
        Codec::Pcma => DECODED_A[byte as usize],
        Codec::Pcmu => DECODED_MU[byte as usize],
    }
}

/// A-law has 11 bits of magnitude; even bits are inverted on the line.
const fn encode_a(sample: i16) -> u8 {
    let magnitude = ((if sample < 0 { !sample } else { sample }) >> 4) as u16;
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = 12 - magnitude.leading_zeros() as u16;
        segment << 4 | (magnitude >> (segment - 1)) & 0x0F
    };
    let sign = if sample < 0 { 0 } else { 0x80 };
    (code as u8 | sign) ^ 0x55
}

/// µ-law has 13 bits of magnitude, of which the bias of 33 makes all segments alike; all bits are
/// inverted on the line.
const fn encode_mu(sample: i16) -> u8 {
    let magnitude = ((if sample < 0 { !sample } else { sample }) >> 2) as u16 + 33;
    let magnitude = if magnitude > 0x1FFF { 0x1FFF } else { magnitude };
    let segment = 10 - magnitude.leading_zeros() as u16;
    let code = segment << 4 | (magnitude >> (segment + 1)) & 0x0F;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(code as u8 | sign)
}

const DECODED_A: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let code = byte as u8 ^ 0x55;
        let mantissa = (code & 0x0F) as i16;
        let segment = (code >> 4) & 0x07;
        let magnitude =
            if segment == 0 { (mantissa << 4) + 8 } else { ((mantissa << 4) + 0x108) << (segment - 1) };
        table[byte] = if code & 0x80 == 0 { -magnitude } else { magnitude };
        byte += 1;
    }
    table
};

const DECODED_MU: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let code = !(byte as u8);
        let mantissa = (code & 0x0F) as i16;
        let magnitude = (((mantissa << 3) + 0x84) << ((code >> 4) & 0x07)) - 0x84;
        table[byte] = if code & 0x80 == 0 { magnitude } else { -magnitude };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back_from_its_own_sample() {
        for codec in Codec::ALL.iter().copied() {
            for byte in 0..=255 {
                let again = encode(codec, decode(codec, byte));
                // µ-law has two zeros; both are decoded as 0, which is encoded as the positive one.
                let expected = if codec == Codec::Pcmu && byte == 0x7F { 0xFF } else { byte };
                assert_eq!(again, expected, "{codec:?} {byte:#x}");
            }
        }
    }

    #[test]
    fn larger_samples_get_larger_codes_and_the_error_stays_below_a_32nd() {
        for codec in Codec::ALL.iter().copied() {
            let mut before = i16::MIN;
            for sample in i16::MIN..=i16::MAX {
                let decoded = decode(codec, encode(codec, sample));
                assert!(decoded >= before, "{codec:?} {sample}");
                before = decoded;
                let error = (i32::from(sample) - i32::from(decoded)).abs();
                assert!(error <= i32::from(sample).abs() / 32 + 8, "{codec:?} {sample}: {error}");
            }
        }
    }

    #[test]
    fn the_known_points_of_both_laws_are_met() {
        for (codec, sample, byte) in [
            (Codec::Pcma, 0, 0xD5),
            (Codec::Pcma, -1, 0x55),
            (Codec::Pcma, i16::MAX, 0xAA),
            (Codec::Pcma, i16::MIN, 0x2A),
            (Codec::Pcmu, 0, 0xFF),
            (Codec::Pcmu, i16::MAX, 0x80),
            (Codec::Pcmu, i16::MIN, 0x00),
        ] {
            assert_eq!(encode(codec, sample), byte, "{codec:?} {sample}");
        }
        assert_eq!(decode(Codec::Pcma, 0xAA), 32_256);
        assert_eq!(decode(Codec::Pcmu, 0x80), 32_124);
        assert_eq!(decode(Codec::Pcmu, 0x00), -32_124);
        assert_eq!(encode(Codec::Pcma, 0), Codec::Pcma.silence());
        assert_eq!(encode(Codec::Pcmu, 0), Codec::Pcmu.silence());
    }
}
