//! Reading RTP (RFC 3550) and the sender reports of RTCP. Any bytes may come in: the answer is a
//! packet or an error, never a panic.

use rtcp_types::prelude::*;

/// Why a datagram is not a packet. Holds no byte of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Shorter than its own header says.
    #[error("the datagram has {actual} bytes where its header promises at least {expected}")]
    Truncated {
        /// Bytes that would have to be there.
        expected: usize,
        /// Bytes that are there.
        actual: usize,
    },
    /// Not version 2: STUN, ZRTP, DTLS or noise.
    #[error("the datagram is not RTP version 2 (the version field says {0})")]
    Version(u8),
    /// The padding count contradicts the length (RFC 3550 section 5.1).
    #[error("the padding count of the packet contradicts its length")]
    Padding,
    /// The RTCP packet contradicts itself.
    #[error("the RTCP packet contradicts its own lengths")]
    Rtcp,
}

/// The parts of an RTP packet that the timeline needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// Synchronisation source.
    pub ssrc: u32,
    /// Sequence number.
    pub sequence: u16,
    /// Media time, in units of the codec's clock.
    pub timestamp: u32,
    /// Marker: for audio the first packet after a pause.
    pub marker: bool,
    /// Payload type.
    pub payload_type: u8,
    /// Payload without CSRCs, header extension and padding.
    pub payload: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Parses a datagram.
    ///
    /// # Errors
    /// If it is not one whole RTP packet.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let packet = rtp_types::RtpPacket::parse(datagram).map_err(|error| match error {
            rtp_types::RtpParseError::UnsupportedVersion(version) => RtpError::Version(version),
            rtp_types::RtpParseError::Truncated { expected, actual } => {
                RtpError::Truncated { expected, actual }
            }
            rtp_types::RtpParseError::PaddingInvalid(_) => RtpError::Padding,
        })?;
        // Offsets instead of `payload()`: that one borrows from the parser, not from the datagram.
        let start = packet.payload_offset();
        let payload = datagram.get(start..start + packet.payload_len()).ok_or(RtpError::Padding)?;
        Ok(Self {
            ssrc: packet.ssrc(),
            sequence: packet.sequence_number(),
            timestamp: packet.timestamp(),
            marker: packet.marker_bit(),
            payload_type: packet.payload_type(),
            payload,
        })
    }
}

/// True if a datagram on an RTP port is RTCP (RFC 5761 section 4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.len() >= 2 && datagram[0] >> 6 == 2 && (192..=223).contains(&datagram[1])
}

/// The pair of times in a sender report (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// Whose report.
    pub ssrc: u32,
    /// The sender's wall clock, 32.32 fixed point; 0 if it has none.
    pub ntp: u64,
    /// The same instant in RTP time.
    pub rtp_timestamp: u32,
}

impl SenderReport {
    /// The sender report of an RTCP datagram, if it holds one. Only the first packet of the
    /// compound is looked at, where RFC 3550 section 6.1 wants it.
    ///
    /// # Errors
    /// If the datagram is not RTCP.
    pub fn parse(datagram: &[u8]) -> Result<Option<Self>, RtpError> {
        rtcp_types::Compound::parse(datagram).map_err(|error| match error {
            rtcp_types::RtcpParseError::UnsupportedVersion(version) => RtpError::Version(version),
            rtcp_types::RtcpParseError::Truncated { expected, actual } => {
                RtpError::Truncated { expected, actual }
            }
            _ => RtpError::Rtcp,
        })?;
        if datagram[1] != rtcp_types::SenderReport::PACKET_TYPE {
            return Ok(None);
        }
        let length = 4 * (1 + usize::from(u16::from_be_bytes([datagram[2], datagram[3]])));
        let report = rtcp_types::SenderReport::parse(&datagram[..length]).map_err(|_| RtpError::Rtcp)?;
        Ok(Some(Self {
            ssrc: report.ssrc(),
            ntp: report.ntp_timestamp(),
            rtp_timestamp: report.rtp_timestamp(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_begins_after_csrcs_and_extension_and_ends_before_the_padding() {
        let mut datagram = vec![0xB1, 0x88, 0x12, 0x34, 0, 0, 0, 9, 0xDE, 0xAD, 0xBE, 0xEF];
        datagram.extend([1, 2, 3, 4]); // one CSRC
        datagram.extend([0xBE, 0xDE, 0, 1, 9, 9, 9, 9]); // extension of one word
        datagram.extend([7, 8, 9]); // payload
        datagram.extend([0, 0, 3]); // padding
        let packet = RtpPacket::parse(&datagram).unwrap();
        assert_eq!(
            packet,
            RtpPacket {
                ssrc: 0xDEAD_BEEF,
                sequence: 0x1234,
                timestamp: 9,
                marker: true,
                payload_type: 8,
                payload: &[7, 8, 9],
            }
        );
    }

    #[test]
    fn broken_headers_are_errors_that_say_what_is_wrong() {
        assert_eq!(RtpPacket::parse(&[]), Err(RtpError::Truncated { expected: 12, actual: 0 }));
        assert_eq!(RtpPacket::parse(&[0; 20]), Err(RtpError::Version(0)));
        let mut padded = [0_u8; 13];
        padded[0] = 0xA0;
        assert_eq!(RtpPacket::parse(&padded), Err(RtpError::Padding));
        padded[12] = 200;
        assert!(matches!(RtpPacket::parse(&padded), Err(RtpError::Truncated { .. })));
    }

    #[test]
    fn a_sender_report_is_found_at_the_head_of_a_compound() {
        let compound = rtcp_types::Compound::builder()
            .add_packet(rtcp_types::SenderReport::builder(7).ntp_timestamp(5 << 32).rtp_timestamp(1234))
            .add_packet(
                rtcp_types::Sdes::builder().add_chunk(
                    rtcp_types::SdesChunk::builder(7)
                        .add_item(rtcp_types::SdesItem::builder(rtcp_types::SdesItem::CNAME, "a")),
                ),
            );
        let mut datagram = [0_u8; 128];
        let length = compound.write_into(&mut datagram).unwrap();
        assert!(is_rtcp(&datagram[..length]));
        let report = SenderReport::parse(&datagram[..length]).unwrap();
        assert_eq!(report, Some(SenderReport { ssrc: 7, ntp: 5 << 32, rtp_timestamp: 1234 }));
        assert!(SenderReport::parse(&datagram[..length - 4]).is_err());
    }
}
