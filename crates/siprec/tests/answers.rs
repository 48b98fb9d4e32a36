//! Offers of all kinds and our answers to them.

use siprec::{Answer, MediaDirection, Offer, OfferProblem, OwnOrigin, Refusal, Transport};

fn answer(offer: &Offer, ports: &[Option<u16>], version: u64) -> String {
    let origin = OwnOrigin { id: 7, version };
    Answer::to(offer, "192.0.2.10".parse().unwrap(), ports, origin).to_sdp().replace("\r\n", "\n")
}

const EIGHT_KINDS: &str = "v=0\r
o=SBC 5 9 IN IP4 192.0.2.1\r
s=-\r
c=IN IP4 192.0.2.1\r
t=0 0\r
a=sendonly\r
m=audio 4000 RTP/AVP 18 8 0 13 101 97\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-16\r
a=rtpmap:97 telephone-event/48000\r
a=label:a_leg\r
a=ptime:20\r
a=rtcp-mux\r
m=audio 4002 RTP/AVP 8\r
a=label:b_leg\r
a=inactive\r
a=rtcp:5003 IN IP4 192.0.2.1\r
m=video 4004 RTP/AVP 96\r
a=rtpmap:96 H264/90000\r
m=audio 4006 RTP/SAVP 8\r
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:secret\r
m=audio 4008 RTP/AVP 18\r
m=audio 0 RTP/AVP 8\r
m=audio 4012 RTP/AVP 96\r
a=rtpmap:96 pcma/8000\r
a=recordpref:on\r
a=recvonly\r
m=audio 4014 RTP/AVP 0\r
c=IN IP4 0.0.0.0\r
";

#[test]
fn every_m_line_is_answered_in_its_place() {
    let offer = Offer::parse(EIGHT_KINDS.as_bytes()).unwrap();
    let refusals: Vec<_> = offer.streams.iter().map(|s| s.refusal()).collect();
    assert_eq!(
        refusals,
        [
            None,
            None,
            Some(Refusal::NotAudio),
            Some(Refusal::Transport),
            Some(Refusal::Codec),
            Some(Refusal::SwitchedOff),
            None,
            None
        ]
    );
    let held: Vec<_> = offer.streams.iter().map(|s| s.is_held()).collect();
    assert_eq!(held, [false, true, false, false, false, false, false, true]);
    let rtcp: Vec<_> = offer.streams.iter().map(|s| s.rtcp_port).collect();
    assert_eq!(rtcp, [4000, 5003, 4005, 4007, 4009, 0, 4013, 4015]);
    assert_eq!(offer.streams[0].ptime_ms, Some(20));
    assert_eq!(offer.streams[3].transport, Transport::Srtp("RTP/SAVP".into()));
    let ports: Vec<_> = (0..8).map(|i| Some(20_000 + 2 * i)).collect();
    insta::assert_snapshot!(answer(&offer, &ports, 1), @r"
    v=0
    o=callseal 7 1 IN IP4 192.0.2.10
    s=-
    c=IN IP4 192.0.2.10
    t=0 0
    m=audio 20000 RTP/AVP 8 0 13 101
    a=rtpmap:8 PCMA/8000
    a=rtpmap:0 PCMU/8000
    a=rtpmap:13 CN/8000
    a=rtpmap:101 telephone-event/8000
    a=fmtp:101 0-16
    a=label:a_leg
    a=recvonly
    a=rtcp-mux
    m=audio 20002 RTP/AVP 8
    a=rtpmap:8 PCMA/8000
    a=label:b_leg
    a=inactive
    m=video 0 RTP/AVP 96
    m=audio 0 RTP/SAVP 8
    m=audio 0 RTP/AVP 18
    m=audio 0 RTP/AVP 8
    m=audio 20012 RTP/AVP 96
    a=rtpmap:96 pcma/8000
    a=inactive
    a=record:on
    m=audio 20014 RTP/AVP 0
    a=rtpmap:0 PCMU/8000
    a=recvonly
    ");
}

#[test]
fn a_re_invite_is_answered_with_the_same_ports_and_a_higher_version() {
    let offer = Offer::parse(EIGHT_KINDS.as_bytes()).unwrap();
    let resumed = Offer::parse(EIGHT_KINDS.replace("a=inactive", "a=sendonly").as_bytes()).unwrap();
    let ports = [Some(20_000), Some(20_002)];
    let (first, second) = (answer(&offer, &ports, 1), answer(&resumed, &ports, 2));
    assert!(first.contains("o=callseal 7 1 ") && second.contains("o=callseal 7 2 "));
    assert!(
        first.contains("a=inactive")
            && second.contains("m=audio 20002 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=label:b_leg\na=recvonly")
    );
    // No port given: refused, yet in its place.
    assert_eq!(second.matches("\nm=").count(), 8);
    assert!(second.ends_with("m=audio 0 RTP/AVP 0\n"), "{second}");
    assert_eq!(resumed.streams[1].direction, MediaDirection::SendOnly);
}

#[test]
fn a_call_is_refused_only_when_nothing_of_it_can_be_recorded() {
    let refusal = |media: &str| Offer::parse(format!("v=0\n{media}").as_bytes()).unwrap().refusal();
    assert_eq!(refusal("m=audio 4000 RTP/AVP 18\n"), Some(Refusal::Codec));
    assert_eq!(refusal("m=video 4 RTP/AVP 96\nm=audio 4000 RTP/AVP 18\n"), Some(Refusal::Codec));
    assert_eq!(refusal("m=audio 4000 RTP/SAVP 8\n"), Some(Refusal::Transport));
    assert_eq!(refusal("m=audio 4000 RTP/AVP 18\nm=audio 4002 RTP/AVP 8\n"), None);
    assert_eq!(refusal("m=audio 0 RTP/AVP 8\n"), None, "switched off by the client is no fault");
    // Names of codecs in any case, with white space; a channel count of two is another codec.
    assert_eq!(refusal("m = audio  4000  RTP/AVP  99\na=rtpmap:99  pcmu / 8000 / 1\n"), None);
    assert_eq!(refusal("m=audio 4000 RTP/AVP 8\na=rtpmap:8 PCMA/8000/2\n"), Some(Refusal::Codec));
}

#[test]
fn an_offer_without_media_or_with_too_much_is_said_to_be_so() {
    assert_eq!(Offer::parse(b""), Err(OfferProblem::NoMedia));
    assert_eq!(Offer::parse(b"v=0\r\no=- 1 1 IN IP4 h\r\n"), Err(OfferProblem::NoMedia));
    let many = format!("v=0\n{}", "m=audio 4000 RTP/AVP 8\n".repeat(65));
    assert_eq!(Offer::parse(many.as_bytes()), Err(OfferProblem::TooManyStreams));
}

#[test]
fn an_answer_over_ipv6_says_so() {
    let offer = Offer::parse(b"v=0\nm=audio 4000 RTP/AVP 8\nc=IN IP6 2001:db8::1\n").unwrap();
    assert!(offer.streams[0].address.unwrap().is_ipv6());
    let origin = OwnOrigin { id: 1, version: 1 };
    let sdp = Answer::to(&offer, "2001:db8::2".parse().unwrap(), &[Some(9000)], origin).to_sdp();
    assert!(sdp.contains("c=IN IP6 2001:db8::2\r\n"));
}
