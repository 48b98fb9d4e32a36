//! What we and a caller agree on (RFC 3264): one stream of G.711, keys as telephone events.

use std::net::{IpAddr, SocketAddr};

use media::{Codec, PayloadKind};
use siprec::{Offer, OfferedStream, OwnOrigin};

/// The caller's side of the media, and ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Position of the m-line that is used, from 0.
    index: usize,
    /// Where the caller takes RTP; behind a NAT it is corrected by what comes from there.
    pub to: SocketAddr,
    /// The codec, both ways: the caller's first choice of those we have.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// Payload type of telephone events (RFC 4733), if the caller has them.
    pub events: Option<u8>,
    /// The caller's `direction` allows us to send.
    is_heard: bool,
    lines: Vec<String>,
}

/// Why there is no agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAgreement {
    /// Nothing but video, fax, SRTP or other codecs.
    #[error("the consent endpoint speaks PCMA and PCMU at 8 kHz over plain RTP")]
    Media,
    /// The caller's SDP names no address.
    #[error("the SDP holds no address for RTP: a host name in c= is not looked up")]
    Address,
}

impl Agreement {
    /// Takes the first stream of `offer` that we can speak in; all others are refused.
    ///
    /// # Errors
    /// There is none.
    pub fn on(offer: &Offer) -> Result<Self, NoAgreement> {
        let stream = offer.streams.iter().find(|s| s.refusal().is_none()).ok_or(NoAgreement::Media)?;
        let (payload_type, codec) = stream
            .payloads
            .iter()
            .find_map(|p| Some((p.payload_type, Codec::from_sdp(&p.encoding, p.clock_rate_hz)?)))
            .ok_or(NoAgreement::Media)?;
        let is_event = |p: &&siprec::Payload| {
            p.encoding.eq_ignore_ascii_case("telephone-event") && p.clock_rate_hz == codec.clock_rate_hz()
        };
        let address = stream.address.ok_or(NoAgreement::Address)?;
        Ok(Self {
            index: stream.index,
            to: SocketAddr::new(address, stream.rtp_port),
            codec,
            payload_type,
            events: stream.payloads.iter().find(is_event).map(|p| p.payload_type),
            is_heard: !stream.is_held() && stream.direction != siprec::MediaDirection::SendOnly,
            lines: offer.streams.iter().map(refused).collect(),
        })
    }

    /// What a packet of this type carries.
    pub const fn kind(&self, payload_type: u8) -> PayloadKind {
        if payload_type == self.payload_type { PayloadKind::Audio(self.codec) } else { PayloadKind::NotAudio }
    }

    /// The description that answers the offer: `port` is our port for RTP at `address`.
    pub fn to_sdp(&self, address: IpAddr, port: u16, origin: OwnOrigin) -> String {
        let family = if address.is_ipv4() { "IP4" } else { "IP6" };
        let OwnOrigin { id, version } = origin;
        let head = format!(
            "v=0\r\no=callseal {id} {version} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n"
        );
        let media = self.lines.iter().enumerate();
        let media =
            media.map(|(i, refused)| if i == self.index { self.media(port) } else { refused.clone() });
        std::iter::once(head).chain(media).collect()
    }

    fn media(&self, port: u16) -> String {
        let (codec, audio) = (self.codec.name(), self.payload_type);
        let events = self.events.map(|e| format!(" {e}")).unwrap_or_default();
        let mut text = format!("m=audio {port} RTP/AVP {audio}{events}\r\na=rtpmap:{audio} {codec}/8000\r\n");
        if let Some(events) = self.events {
            text += &format!("a=rtpmap:{events} telephone-event/8000\r\na=fmtp:{events} 0-15\r\n");
        }
        text + "a=ptime:20\r\n" + if self.is_heard { "a=sendrecv\r\n" } else { "a=recvonly\r\n" }
    }
}

/// RFC 3264, section 6: the m-line stays, its port is 0.
fn refused(stream: &OfferedStream) -> String {
    let types: Vec<String> = stream.payloads.iter().map(|p| p.payload_type.to_string()).collect();
    let types = if types.is_empty() { "0".to_owned() } else { types.join(" ") };
    format!("m={} 0 {} {types}\r\n", stream.media, stream.transport.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
    const ORIGIN: OwnOrigin = OwnOrigin { id: 7, version: 1 };

    fn agree(media: &str) -> Result<Agreement, NoAgreement> {
        Agreement::on(&Offer::parse(format!("{HEAD}{media}").as_bytes()).unwrap())
    }

    #[test]
    fn the_callers_first_codec_of_ours_is_taken_with_its_telephone_events() {
        let agreed = agree(
            "m=audio 4000 RTP/AVP 9 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n\
             m=video 4002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n",
        )
        .unwrap();
        assert_eq!(agreed.to, "192.0.2.1:4000".parse().unwrap());
        assert_eq!((agreed.codec, agreed.payload_type, agreed.events), (Codec::Pcmu, 0, Some(101)));
        assert_eq!(
            agreed.to_sdp("198.51.100.9".parse().unwrap(), 20_000, ORIGIN),
            "v=0\r\no=callseal 7 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n\
             m=audio 20000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n\
             m=video 0 RTP/AVP 96\r\n"
        );
    }

    #[test]
    fn what_cannot_be_spoken_is_refused_with_the_reason() {
        assert_eq!(agree("m=audio 4000 RTP/AVP 9\r\n"), Err(NoAgreement::Media));
        assert_eq!(agree("m=audio 4000 RTP/SAVP 8\r\n"), Err(NoAgreement::Media));
        assert_eq!(agree("m=video 4000 RTP/AVP 96\r\n"), Err(NoAgreement::Media));
    }

    #[test]
    fn a_caller_on_hold_is_answered_as_such() {
        let agreed = agree("m=audio 4000 RTP/AVP 8\r\na=sendonly\r\n").unwrap();
        assert!(agreed.to_sdp("198.51.100.9".parse().unwrap(), 20_000, ORIGIN).contains("a=recvonly"));
    }
}
