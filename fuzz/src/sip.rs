//! What a SIPREC client sends: bodies, session descriptions, metadata, headers, keys.

use std::net::IpAddr;

use siprec::{Answer, Body, Offer, OwnOrigin, RecordingMetadata, SipIdentities, who_is_who};

use crate::first_line;

/// The first line is the Content-Type, the rest the body of an INVITE.
pub(crate) fn body(data: &[u8]) {
    let (content_type, content) = first_line(data);
    let body = Body::read(&String::from_utf8_lossy(content_type), content);
    let mut known = RecordingMetadata::default();
    apply(&mut known, body.metadata.unwrap_or_default());
    offered(body.sdp.unwrap_or_default(), &known, &SipIdentities::default());
}

/// A session description.
pub(crate) fn sdp(data: &[u8]) {
    offered(data, &RecordingMetadata::default(), &SipIdentities::default());
}

/// Two metadata documents one after the other, with a line `--` between them: the second is an update.
pub(crate) fn metadata(data: &[u8]) {
    let between = b"\n--\n";
    let at = data.windows(between.len()).position(|window| window == between);
    let (first, second) = at.map_or((data, &[][..]), |at| (&data[..at], &data[at + between.len()..]));
    let mut known = RecordingMetadata::default();
    apply(&mut known, first);
    apply(&mut known, second);
    offered(
        b"v=0\r\nm=audio 4000 RTP/AVP 8\r\na=label:1\r\nm=audio 4002 RTP/AVP 0\r\na=label:2\r\n",
        &known,
        &SipIdentities::default(),
    );
}

/// Header lines `Name: value`.
pub(crate) fn headers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let identities = SipIdentities::read(text.lines().filter_map(|line| line.split_once(':')));
    offered(
        b"v=0\r\nm=audio 4000 RTP/AVP 8\r\nm=audio 4002 RTP/AVP 8\r\n",
        &RecordingMetadata::default(),
        &identities,
    );
}

/// The first line is the Content-Type, the rest the body of an INFO.
pub(crate) fn info(data: &[u8]) {
    let (content_type, content) = first_line(data);
    // Why there is no key in it is of no interest here.
    let _key = media::dtmf::info::parse(&String::from_utf8_lossy(content_type), content);
}

fn apply(known: &mut RecordingMetadata, document: &[u8]) {
    if let Ok(update) = RecordingMetadata::parse(document) {
        known.apply(update);
    }
}

/// As the recorder goes on from there: who is heard, and what is answered.
fn offered(sdp: &[u8], metadata: &RecordingMetadata, identities: &SipIdentities) {
    let Ok(offer) = Offer::parse(sdp) else { return };
    let picture = who_is_who(&offer, metadata, identities);
    assert_eq!(picture.streams.len(), offer.streams.len());
    let port = |index| u16::try_from(2 * index).ok()?.checked_add(40_000);
    let ports: Vec<Option<u16>> = (0..offer.streams.len()).map(port).collect();
    let answer = Answer::to(&offer, IpAddr::from([192, 0, 2, 1]), &ports, OwnOrigin { id: 1, version: 1 });
    let answered = answer.to_sdp();
    // RFC 3264 § 6: an m-line for each of the offer's, whatever stood in it.
    let lines = answered.lines().filter(|line| line.starts_with("m=")).count();
    assert_eq!(lines, offer.streams.len(), "{answered}");
    assert!(answered.lines().all(|line| !line.contains(char::is_control)), "{answered:?}");
}
