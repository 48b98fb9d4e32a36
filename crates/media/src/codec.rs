//! The codecs that are archived as they came (F-34), and the payload types that carry them.

use serde::{Deserialize, Serialize};

/// A codec whose payload is stored byte for byte. One byte is one sample in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// G.711 A-law.
    Pcma,
    /// G.711 µ-law.
    Pcmu,
}

impl Codec {
    /// All codecs.
    pub const ALL: &'static [Self] = &[Self::Pcma, Self::Pcmu];

    /// The encoding name of SDP (RFC 3551 section 6), as it stands in `_info.txt`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }

    /// RTP clock, which for these codecs is the sample rate too.
    pub const fn clock_rate_hz(self) -> u32 {
        8_000
    }

    /// Bytes that one sample takes, in RTP and in the archive.
    pub const fn bytes_per_sample(self) -> u16 {
        1
    }

    /// The byte that sounds like nothing: the smallest positive value of the law (ITU-T G.711).
    pub const fn silence(self) -> u8 {
        match self {
            Self::Pcma => 0xD5,
            Self::Pcmu => 0xFF,
        }
    }

    /// `wFormatTag` of WAVE (RFC 2361): 6 `WAVE_FORMAT_ALAW`, 7 `WAVE_FORMAT_MULAW`.
    pub const fn wave_format_tag(self) -> u16 {
        match self {
            Self::Pcma => 6,
            Self::Pcmu => 7,
        }
    }

    /// The codec of an `a=rtpmap` line. Encoding names are compared without case (RFC 4855
    /// section 3). `None` for everything that cannot be archived yet.
    pub fn from_sdp(encoding: &str, clock_rate_hz: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|codec| {
            codec.name().eq_ignore_ascii_case(encoding) && codec.clock_rate_hz() == clock_rate_hz
        })
    }

    /// The codec of a static payload type (RFC 3551 section 6).
    pub const fn from_static_payload_type(payload_type: u8) -> Option<Self> {
        match payload_type {
            0 => Some(Self::Pcmu),
            8 => Some(Self::Pcma),
            _ => None,
        }
    }
}

/// What a packet carries, by its payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PayloadKind {
    /// Audio that is archived.
    Audio(Codec),
    /// Packets that take a sequence number and belong to no channel: telephone events (RFC 4733)
    /// and comfort noise (RFC 3389).
    NotAudio,
    /// A codec that cannot be archived, or a type that nobody announced.
    Unsupported,
}

/// Static payload type of comfort noise (RFC 3551 section 6).
const COMFORT_NOISE: u8 = 13;

/// Payload types of one stream, as the SDP named them. The static types of G.711 and comfort noise
/// are known without being named: it is better to record what came than to ask whether it was
/// agreed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadMap {
    entries: Vec<(u8, PayloadKind)>,
}

impl PayloadMap {
    /// A map that knows the static types only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over one `a=rtpmap` line. A later line for the same type replaces the earlier one: a
    /// re-INVITE may hand a dynamic type to another codec.
    pub fn insert(&mut self, payload_type: u8, encoding: &str, clock_rate_hz: u32) {
        let kind = match Codec::from_sdp(encoding, clock_rate_hz) {
            Some(codec) => PayloadKind::Audio(codec),
            None if ["telephone-event", "CN"].iter().any(|name| name.eq_ignore_ascii_case(encoding)) => {
                PayloadKind::NotAudio
            }
            None => PayloadKind::Unsupported,
        };
        self.entries.retain(|(known, _)| *known != payload_type);
        self.entries.push((payload_type, kind));
    }

    /// What packets of this type carry.
    pub fn kind(&self, payload_type: u8) -> PayloadKind {
        if let Some((_, kind)) = self.entries.iter().find(|(known, _)| *known == payload_type) {
            return *kind;
        }
        match Codec::from_static_payload_type(payload_type) {
            Some(codec) => PayloadKind::Audio(codec),
            None if payload_type == COMFORT_NOISE => PayloadKind::NotAudio,
            None => PayloadKind::Unsupported,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_payload_type_wins_over_the_static_one() {
        let mut map = PayloadMap::new();
        assert_eq!(map.kind(8), PayloadKind::Audio(Codec::Pcma));
        assert_eq!(map.kind(13), PayloadKind::NotAudio);
        assert_eq!(map.kind(101), PayloadKind::Unsupported);
        map.insert(101, "telephone-event", 8_000);
        map.insert(96, "pcmu", 8_000);
        map.insert(18, "G729", 8_000);
        map.insert(97, "PCMA", 16_000);
        assert_eq!(map.kind(101), PayloadKind::NotAudio);
        assert_eq!(map.kind(96), PayloadKind::Audio(Codec::Pcmu));
        assert_eq!(map.kind(18), PayloadKind::Unsupported);
        assert_eq!(map.kind(97), PayloadKind::Unsupported);
        map.insert(96, "PCMA", 8_000);
        assert_eq!(map.kind(96), PayloadKind::Audio(Codec::Pcma));
    }
}
