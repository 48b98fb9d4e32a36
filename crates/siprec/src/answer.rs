//! Our answer to an offer (RFC 7866 § 7.2, RFC 3264 § 6).

use std::{fmt::Write, net::IpAddr};

use crate::offer::{MediaDirection, Offer, OfferedStream, Payload};

/// The recorder's own `o=` line of one dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnOrigin {
    /// Chosen once for a dialog.
    pub id: u64,
    /// Rises by one with each answer that differs from the one before (RFC 3264 § 8).
    pub version: u64,
}

/// A session description that answers an offer, m-line by m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    origin: OwnOrigin,
    address: IpAddr,
    streams: Vec<AnsweredStream>,
}

/// The answer to one m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredStream {
    /// Position of the m-line, as in the offer.
    pub index: usize,
    /// Our RTP port; 0: refused.
    pub rtp_port: u16,
    /// `recvonly`, or `inactive` while the client has it so or sends nothing.
    pub direction: MediaDirection,
    /// The payload types that we take, as offered; all of them where the stream is refused.
    pub payloads: Vec<Payload>,
    media: String,
    transport: String,
    label: Option<String>,
    rtcp_mux: bool,
    tells_recording: bool,
}

impl Answer {
    /// Answers `offer` from `address`. `ports` holds our RTP port for each m-line by index; a stream
    /// is refused where that is `None` or missing, and where [`OfferedStream::refusal`] says so. RTCP
    /// is expected on the next port, or on the same one where the client multiplexes.
    pub fn to(offer: &Offer, address: IpAddr, ports: &[Option<u16>], origin: OwnOrigin) -> Self {
        let streams = offer
            .streams
            .iter()
            .map(|s| AnsweredStream::to(s, ports.get(s.index).copied().flatten().unwrap_or(0)))
            .collect();
        Self { origin, address, streams }
    }

    /// The answered m-lines in order.
    pub fn streams(&self) -> &[AnsweredStream] {
        &self.streams
    }

    /// Which version of our description this is.
    pub fn origin(&self) -> OwnOrigin {
        self.origin
    }

    /// The text for the 200 response, `application/sdp`.
    pub fn to_sdp(&self) -> String {
        let mut sdp = String::with_capacity(256 + 256 * self.streams.len());
        let family = if self.address.is_ipv4() { "IP4" } else { "IP6" };
        let OwnOrigin { id, version } = self.origin;
        // Writing to a String cannot fail.
        let _ = write!(
            sdp,
            "v=0\r\no=callseal {id} {version} IN {family} {a}\r\ns=-\r\nc=IN {family} {a}\r\nt=0 0\r\n",
            a = self.address
        );
        for stream in &self.streams {
            stream.write(&mut sdp);
        }
        sdp
    }
}

impl AnsweredStream {
    fn to(offered: &OfferedStream, port: u16) -> Self {
        let rtp_port = if offered.refusal().is_some() { 0 } else { port };
        let direction = match offered.direction {
            MediaDirection::SendOnly | MediaDirection::SendRecv => MediaDirection::RecvOnly,
            // Nothing will come, and we have nothing to send.
            MediaDirection::RecvOnly | MediaDirection::Inactive => MediaDirection::Inactive,
        };
        let payloads = if rtp_port == 0 {
            offered.payloads.clone()
        } else {
            offered.accepted_payloads().cloned().collect()
        };
        Self {
            index: offered.index,
            rtp_port,
            direction,
            payloads,
            media: offered.media.clone(),
            transport: offered.transport.as_str().to_owned(),
            label: offered.label.clone(),
            rtcp_mux: offered.rtcp_mux,
            tells_recording: offered.record_preference,
        }
    }

    fn write(&self, sdp: &mut String) {
        let _ = write!(sdp, "m={} {} {}", self.media, self.rtp_port, self.transport);
        for payload in &self.payloads {
            let _ = write!(sdp, " {}", payload.payload_type);
        }
        if self.payloads.is_empty() {
            // The grammar wants a format even in a refused line (RFC 3264 § 6).
            sdp.push_str(" 0");
        }
        sdp.push_str("\r\n");
        if self.rtp_port == 0 {
            return;
        }
        for Payload { payload_type, encoding, clock_rate_hz, channels, parameters } in &self.payloads {
            let _ = write!(sdp, "a=rtpmap:{payload_type} {encoding}/{clock_rate_hz}");
            if *channels > 1 {
                let _ = write!(sdp, "/{channels}");
            }
            sdp.push_str("\r\n");
            if let Some(parameters) = parameters {
                let _ = write!(sdp, "a=fmtp:{payload_type} {parameters}\r\n");
            }
        }
        if let Some(label) = &self.label {
            let _ = write!(sdp, "a=label:{label}\r\n");
        }
        let _ = write!(sdp, "a={}\r\n", self.direction.as_str());
        if self.rtcp_mux {
            sdp.push_str("a=rtcp-mux\r\n");
        }
        // `a=record` belongs to the communication session (RFC 7866 § 6.1): said only to a phone
        // that asked by `a=recordpref`, never to a recording client of its own accord.
        if self.tells_recording {
            sdp.push_str("a=record:on\r\n");
        }
    }
}
