//! What a recording client sends, written strictly by the RFCs: for the load generator, the demo and
//! tests of a recorder.

use std::{fmt::Write, net::IpAddr};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::Sensitive;
use jiff::Timestamp;

use crate::{DataMode, MediaDirection, OwnOrigin, Payload};

/// A recording session as the client describes it.
#[derive(Debug, Clone)]
pub struct RecordingRequest {
    /// The client's `o=` line; its id also tells the metadata ids of one call from another's.
    pub origin: OwnOrigin,
    /// Where the client sends from.
    pub address: IpAddr,
    /// When the call began.
    pub start: Timestamp,
    /// `sipSessionID` (RFC 7989); left out if empty.
    pub sip_session_id: String,
    /// Who takes part; streams refer to them by position.
    pub participants: Vec<WrittenParticipant>,
    /// One m-line each.
    pub streams: Vec<WrittenStream>,
}

/// A participant to be written.
#[derive(Debug, Clone)]
pub struct WrittenParticipant {
    /// Address of record: a SIP or tel URI.
    pub aor: Sensitive<String>,
    /// Display name; left out if empty.
    pub name: Sensitive<String>,
}

/// A stream to be written.
#[derive(Debug, Clone)]
pub struct WrittenStream {
    /// `a=label`.
    pub label: String,
    /// The client's RTP port; 0: the stream has ended.
    pub port: u16,
    /// Usually `sendonly`.
    pub direction: MediaDirection,
    /// What may come on it.
    pub payloads: Vec<Payload>,
    /// Who is heard on it: position in [`RecordingRequest::participants`].
    pub sender: usize,
}

impl Payload {
    /// G.711 A-law under its static payload type.
    pub fn pcma() -> Self {
        Self::written(8, "PCMA", None)
    }

    /// G.711 µ-law under its static payload type.
    pub fn pcmu() -> Self {
        Self::written(0, "PCMU", None)
    }

    /// Key presses (RFC 4733) under payload type 101.
    pub fn telephone_event() -> Self {
        Self::written(101, "telephone-event", Some("0-16"))
    }

    fn written(payload_type: u8, encoding: &str, parameters: Option<&str>) -> Self {
        Self {
            payload_type,
            encoding: encoding.to_owned(),
            clock_rate_hz: 8000,
            channels: 1,
            parameters: parameters.map(str::to_owned),
        }
    }
}

impl RecordingRequest {
    /// The offer, `application/sdp` (RFC 7866 § 7.1.1).
    pub fn sdp(&self) -> String {
        let family = if self.address.is_ipv4() { "IP4" } else { "IP6" };
        let OwnOrigin { id, version } = self.origin;
        // Writing to a String cannot fail.
        let mut sdp = format!(
            "v=0\r\no=- {id} {version} IN {family} {a}\r\ns=-\r\nc=IN {family} {a}\r\nt=0 0\r\n",
            a = self.address
        );
        for stream in &self.streams {
            let _ = write!(sdp, "m=audio {} RTP/AVP", stream.port);
            for payload in &stream.payloads {
                let _ = write!(sdp, " {}", payload.payload_type);
            }
            sdp.push_str("\r\n");
            for Payload { payload_type, encoding, clock_rate_hz, parameters, .. } in &stream.payloads {
                let _ = write!(sdp, "a=rtpmap:{payload_type} {encoding}/{clock_rate_hz}\r\n");
                if let Some(parameters) = parameters {
                    let _ = write!(sdp, "a=fmtp:{payload_type} {parameters}\r\n");
                }
            }
            let _ =
                write!(sdp, "a=ptime:20\r\na=label:{}\r\na={}\r\n", stream.label, stream.direction.as_str());
        }
        sdp
    }

    /// The metadata, `application/rs-metadata+xml` (RFC 7865).
    pub fn metadata(&self, mode: DataMode) -> String {
        let session = self.id("session", 0);
        let mode = match mode {
            DataMode::Complete => "complete",
            DataMode::Partial => "partial",
        };
        let start = self.start;
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<recording xmlns=\"urn:ietf:params:xml:ns:recording:1\">\r\n<datamode>{mode}</datamode>\r\n<session session_id=\"{session}\">\r\n"
        );
        if !self.sip_session_id.is_empty() {
            let _ = write!(xml, "<sipSessionID>{}</sipSessionID>\r\n", escape(&self.sip_session_id));
        }
        let _ = write!(xml, "<start-time>{start}</start-time>\r\n</session>\r\n");
        for (i, participant) in self.participants.iter().enumerate() {
            let aor = escape(participant.aor.expose());
            let _ = write!(
                xml,
                "<participant participant_id=\"{}\">\r\n<nameID aor=\"{aor}\">",
                self.id("participant", i)
            );
            if !participant.name.is_empty() {
                let _ = write!(xml, "<name xml:lang=\"en\">{}</name>", escape(participant.name.expose()));
            }
            xml.push_str("</nameID>\r\n</participant>\r\n");
        }
        for (i, stream) in self.streams.iter().enumerate() {
            let _ = write!(
                xml,
                "<stream stream_id=\"{}\" session_id=\"{session}\">\r\n<label>{}</label>\r\n</stream>\r\n",
                self.id("stream", i),
                escape(&stream.label)
            );
        }
        let _ = write!(
            xml,
            "<sessionrecordingassoc session_id=\"{session}\">\r\n<associate-time>{start}</associate-time>\r\n</sessionrecordingassoc>\r\n"
        );
        for i in 0..self.participants.len() {
            let _ = write!(
                xml,
                "<participantsessionassoc participant_id=\"{}\" session_id=\"{session}\">\r\n<associate-time>{start}</associate-time>\r\n</participantsessionassoc>\r\n",
                self.id("participant", i)
            );
        }
        for i in 0..self.participants.len() {
            let _ =
                write!(xml, "<participantstreamassoc participant_id=\"{}\">\r\n", self.id("participant", i));
            for (s, stream) in self.streams.iter().enumerate() {
                let element = if stream.sender == i { "send" } else { "recv" };
                let _ = write!(xml, "<{element}>{}</{element}>\r\n", self.id("stream", s));
            }
            xml.push_str("</participantstreamassoc>\r\n");
        }
        xml.push_str("</recording>\r\n");
        xml
    }

    /// The whole body of an INVITE: value of Content-Type, and content (RFC 7866 § 9.1).
    pub fn body(&self, mode: DataMode) -> (String, Vec<u8>) {
        let (sdp, metadata) = (self.sdp(), self.metadata(mode));
        let mut boundary = format!("callseal-{:x}", self.origin.id);
        while sdp.contains(&boundary) || metadata.contains(&boundary) {
            boundary.push('-');
        }
        let body = format!(
            "--{boundary}\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--{boundary}\r\nContent-Type: application/rs-metadata+xml\r\nContent-Disposition: recording-session\r\n\r\n{metadata}\r\n--{boundary}--\r\n"
        );
        (format!("multipart/mixed;boundary={boundary}"), body.into_bytes())
    }

    /// A base64 UUID (RFC 7865 § 6.10), the same for the same thing in each message of a call. By
    /// name within the call, version 8 (RFC 9562): ids need to differ, not to be guessed.
    fn id(&self, kind: &str, index: usize) -> String {
        let mut bytes = [0_u8; 16];
        bytes[..8].copy_from_slice(&self.origin.id.to_be_bytes());
        bytes[8..12].copy_from_slice(&kind.as_bytes()[..4]);
        bytes[12..].copy_from_slice(&u32::try_from(index).unwrap_or(u32::MAX).to_be_bytes());
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        STANDARD.encode(bytes)
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML 1.0 § 2.2 has no way to write these.
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => {}
            c => escaped.push(c),
        }
    }
    escaped
}
