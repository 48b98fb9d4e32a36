//! What the recording client offers: one m-line for each stream (RFC 7866 § 7.1, RFC 3264).

use std::net::IpAddr;

use crate::sdp_lines;

/// Why an offer cannot be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OfferProblem {
    /// There is no `m=` line.
    #[error("the recording client's SDP offers no media: it has no m= line")]
    NoMedia,
    /// More m-lines than any recording client has reason to send.
    #[error("the recording client's SDP has more than {MAX_STREAMS} m= lines")]
    TooManyStreams,
    /// The SDP parser refuses it.
    #[error("the recording client's SDP cannot be read")]
    Unreadable,
}

/// Bounds what one INVITE can make us answer and allocate.
pub const MAX_STREAMS: usize = 64;

/// A session description from the recording client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The `o=` line, if there is a readable one. The same id and version as before mean that
    /// nothing has changed (RFC 3264 § 8).
    pub origin: Option<Origin>,
    /// One for each m-line, in order; `streams[i].index == i`.
    pub streams: Vec<OfferedStream>,
}

/// Which version of whose description. User name and address are left out on purpose: they may name
/// a person and say nothing to a recorder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Session id.
    pub session_id: String,
    /// Rises with each change.
    pub version: u64,
}

/// One m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedStream {
    /// Position of the m-line, from 0; it stays for the whole dialog (RFC 3264 § 8).
    pub index: usize,
    /// `a=label` (RFC 4574): opaque, the key into the metadata.
    pub label: Option<String>,
    /// `audio`, `video`, …
    pub media: String,
    /// Where the client's RTP comes from, as far as it is an address and not a name.
    pub address: Option<IpAddr>,
    /// The client's RTP port; 0: the stream is not used (any more).
    pub rtp_port: u16,
    /// The client's RTCP port: `a=rtcp`, else the RTP port if multiplexed, else the next one.
    pub rtcp_port: u16,
    /// `a=rtcp-mux` (RFC 5761) is offered.
    pub rtcp_mux: bool,
    /// The client's view; `a=sendonly` is usual for SIPREC, none given means `sendrecv`.
    pub direction: MediaDirection,
    /// In the order of preference.
    pub payloads: Vec<Payload>,
    /// RTP or SRTP.
    pub transport: Transport,
    /// `a=ptime`: milliseconds of audio in a packet.
    pub ptime_ms: Option<u16>,
    /// `a=recordpref` was given: a recording-aware phone wants to be told (RFC 7866 § 6.2).
    pub record_preference: bool,
}

/// Direction attribute of a stream (RFC 8866 § 6.7), as its writer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaDirection {
    /// Both ways.
    SendRecv,
    /// Only from the writer.
    SendOnly,
    /// Only to the writer.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl MediaDirection {
    /// The attribute's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn from_attribute(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|d| d.as_str().eq_ignore_ascii_case(name))
    }
}

/// Transport of an m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Plain RTP: `RTP/AVP`, `RTP/AVPF`.
    Rtp(String),
    /// Encrypted: `RTP/SAVP`, `RTP/SAVPF`, and those over DTLS.
    Srtp(String),
    /// Something else, such as T.38.
    Other(String),
}

impl Transport {
    fn parse(text: &str) -> Self {
        match text.to_ascii_uppercase() {
            t if matches!(t.as_str(), "RTP/AVP" | "RTP/AVPF") => Self::Rtp(t),
            t if t.contains("RTP/SAVP") => Self::Srtp(t),
            t => Self::Other(t),
        }
    }

    /// As it stands in the m-line.
    pub fn as_str(&self) -> &str {
        let (Self::Rtp(t) | Self::Srtp(t) | Self::Other(t)) = self;
        t
    }
}

/// One payload type of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// Encoding name as offered (`PCMA`, `telephone-event`); empty for a dynamic type without rtpmap.
    pub encoding: String,
    /// Clock rate in Hz; 0 if unknown.
    pub clock_rate_hz: u32,
    /// Channels within the stream; 1 unless said otherwise.
    pub channels: u8,
    /// `a=fmtp` of this type.
    pub parameters: Option<String>,
}

impl Payload {
    /// True for audio that we record: G.711 A-law and µ-law, 8 kHz, one channel.
    pub fn is_recordable(&self) -> bool {
        (self.is("PCMA") || self.is("PCMU")) && self.clock_rate_hz == 8000 && self.channels == 1
    }

    /// True for what is taken along with audio: key presses (RFC 4733) and comfort noise (RFC 3389)
    /// of the same clock.
    pub fn is_companion(&self) -> bool {
        (self.is("telephone-event") || self.is("CN")) && self.clock_rate_hz == 8000
    }

    fn is(&self, encoding: &str) -> bool {
        self.encoding.eq_ignore_ascii_case(encoding)
    }

    /// The static payload types of RFC 3551 § 6 that telephony uses; others are unknown until an
    /// rtpmap says what they are.
    fn of_type(payload_type: u8) -> Self {
        let (encoding, clock_rate_hz, channels) = match payload_type {
            0 => ("PCMU", 8000, 1),
            3 => ("GSM", 8000, 1),
            4 => ("G723", 8000, 1),
            8 => ("PCMA", 8000, 1),
            9 => ("G722", 8000, 1),
            10 => ("L16", 44_100, 2),
            11 => ("L16", 44_100, 1),
            13 => ("CN", 8000, 1),
            15 => ("G728", 8000, 1),
            18 => ("G729", 8000, 1),
            _ => ("", 0, 1),
        };
        Self { payload_type, encoding: encoding.to_owned(), clock_rate_hz, channels, parameters: None }
    }
}

/// Why a stream is answered with port 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The client itself switched it off with port 0: no fault.
    #[error("the recording client switched the stream off (port 0)")]
    SwitchedOff,
    /// Video, fax and the like.
    #[error("the stream is not audio")]
    NotAudio,
    /// SRTP or an unknown transport.
    #[error("the stream's transport is not plain RTP (RTP/AVP)")]
    Transport,
    /// No codec that we record.
    #[error("the stream offers none of the codecs PCMA/8000 and PCMU/8000")]
    Codec,
}

impl OfferedStream {
    /// Why the stream cannot be recorded; `None` if it can.
    pub fn refusal(&self) -> Option<Refusal> {
        if self.rtp_port == 0 {
            Some(Refusal::SwitchedOff)
        } else if !self.media.eq_ignore_ascii_case("audio") {
            Some(Refusal::NotAudio)
        } else if !matches!(self.transport, Transport::Rtp(_)) {
            Some(Refusal::Transport)
        } else if !self.payloads.iter().any(Payload::is_recordable) {
            Some(Refusal::Codec)
        } else {
            None
        }
    }

    /// True while nothing is to be expected: `inactive`, or `c=0.0.0.0` as some still say hold
    /// (RFC 3264 § 8.4).
    pub fn is_held(&self) -> bool {
        self.direction == MediaDirection::Inactive || self.address.is_some_and(|a| a.is_unspecified())
    }

    /// The payload types that we take, in the order offered.
    pub fn accepted_payloads(&self) -> impl Iterator<Item = &Payload> {
        self.payloads.iter().filter(|p| p.is_recordable() || p.is_companion())
    }
}

impl Offer {
    /// Reads an offer leniently; see [`Refusal`] for streams that are read but cannot be recorded.
    ///
    /// # Errors
    /// Only if nothing of it can be answered.
    pub fn parse(sdp: &[u8]) -> Result<Self, OfferProblem> {
        let session = sdp_types::Session::parse(sdp_lines::tidy(sdp).as_bytes())
            .map_err(|_| OfferProblem::Unreadable)?;
        match session.medias.len() {
            0 => return Err(OfferProblem::NoMedia),
            n if n > MAX_STREAMS => return Err(OfferProblem::TooManyStreams),
            _ => {}
        }
        let origin = Some(session.origin.clone())
            .filter(|o| !o.sess_id.is_empty() && !o.unicast_address.is_empty())
            .map(|o| Origin { session_id: o.sess_id, version: o.sess_version });
        let streams = session.medias.iter().enumerate().map(|(i, m)| read_stream(i, m, &session)).collect();
        Ok(Self { origin, streams })
    }

    /// The reason to refuse the whole call (488, RFC 3261 § 21.4.26): no stream can be recorded.
    /// `None` if one can, or if the client itself switched all of them off.
    pub fn refusal(&self) -> Option<Refusal> {
        let mut worst = None;
        for stream in &self.streams {
            match stream.refusal() {
                None => return None,
                Some(Refusal::SwitchedOff) => {}
                // The codec is the reason closest to success, and so the most useful one to report.
                Some(refusal) => {
                    if worst.is_none() || refusal == Refusal::Codec {
                        worst = Some(refusal);
                    }
                }
            }
        }
        worst
    }
}

fn read_stream(index: usize, media: &sdp_types::Media, session: &sdp_types::Session) -> OfferedStream {
    let address = media
        .connections
        .first()
        .or(session.connection.as_ref())
        .and_then(|c| c.connection_address.split('/').next()?.parse().ok());
    let rtcp_mux = media.has_attribute("rtcp-mux");
    let attribute = |name: &'static str| media.get_first_attribute_value(name).flatten().map(str::trim);
    let rtcp_port = attribute("rtcp")
        .and_then(|v| v.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| if rtcp_mux { media.port } else { media.port.saturating_add(1) });
    let direction = |attributes: &[sdp_types::Attribute]| {
        attributes.iter().find_map(|a| MediaDirection::from_attribute(a.attribute.trim()))
    };
    OfferedStream {
        index,
        label: attribute("label").filter(|l| !l.is_empty()).map(str::to_owned),
        media: media.media.clone(),
        address,
        rtp_port: media.port,
        rtcp_port: if media.port == 0 { 0 } else { rtcp_port },
        rtcp_mux,
        direction: direction(&media.attributes)
            .or_else(|| direction(&session.attributes))
            .unwrap_or(MediaDirection::SendRecv),
        payloads: read_payloads(media),
        transport: Transport::parse(&media.proto),
        ptime_ms: attribute("ptime").and_then(|v| v.split('.').next()?.parse().ok()),
        record_preference: media.has_attribute("recordpref") || session.has_attribute("recordpref"),
    }
}

fn read_payloads(media: &sdp_types::Media) -> Vec<Payload> {
    let mut payloads: Vec<Payload> = Vec::new();
    for payload_type in media.fmt.split_whitespace().filter_map(|f| f.parse::<u8>().ok()) {
        if payload_type < 128 && payloads.iter().all(|p| p.payload_type != payload_type) {
            payloads.push(Payload::of_type(payload_type));
        }
    }
    for attribute in &media.attributes {
        let Some((payload_type, text)) =
            attribute.value.as_deref().map(str::trim).and_then(|v| v.split_once(char::is_whitespace))
        else {
            continue;
        };
        let Some(payload) =
            payload_type.parse::<u8>().ok().and_then(|t| payloads.iter_mut().find(|p| p.payload_type == t))
        else {
            continue;
        };
        match attribute.attribute.trim() {
            "rtpmap" => {
                let mut fields = text.trim().split('/').map(str::trim);
                payload.encoding = fields.next().unwrap_or_default().to_owned();
                payload.clock_rate_hz = fields.next().and_then(|f| f.parse().ok()).unwrap_or(0);
                payload.channels = fields.next().and_then(|f| f.parse().ok()).unwrap_or(1);
            }
            "fmtp" => payload.parameters = Some(text.trim().to_owned()),
            _ => {}
        }
    }
    payloads
}
