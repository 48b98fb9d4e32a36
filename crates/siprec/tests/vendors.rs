//! Bodies as the recording clients of different vendors send them, written after their habits.

use domain::{Direction, Side};
use siprec::{Body, CallPicture, Offer, RecordingMetadata, SipIdentities, picture::Basis, who_is_who};

/// Reads a whole INVITE: body and headers.
fn picture(content_type: &str, body: &str, headers: &[(&str, &str)]) -> CallPicture {
    let body = Body::read(content_type, body.as_bytes());
    let offer = Offer::parse(body.sdp.expect("an offer")).expect("a readable offer");
    assert_eq!(offer.refusal(), None);
    let mut metadata = RecordingMetadata::default();
    if let Some(xml) = body.metadata {
        metadata.apply(RecordingMetadata::parse(xml).expect("readable metadata"));
    }
    who_is_who(&offer, &metadata, &SipIdentities::read(headers.iter().copied()))
}

/// `(number, name)` of caller and callee, then `side:number` of each stream.
fn summary(picture: &CallPicture) -> (String, String, Vec<String>) {
    let party = |p: &domain::Party| format!("{} {}", p.number.expose(), p.name.expose()).trim().to_owned();
    let side = |s: Side| if s == Side::Caller { "caller" } else { "callee" };
    let streams = picture.streams.iter().map(|s| format!("{}:{}", side(s.side), s.number.expose()));
    (party(&picture.caller), party(&picture.callee), streams.collect())
}

fn two_streams(labels: [&str; 2]) -> String {
    let stream = |port: u16, label: &str| {
        format!(
            "m=audio {port} RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=label:{label}\r\na=sendonly\r\n"
        )
    };
    format!(
        "v=0\r\no=SBC 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n{}{}",
        stream(4000, labels[0]),
        stream(4002, labels[1])
    )
}

fn multipart(sdp: &str, xml: &str) -> String {
    format!(
        "--frontier\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--frontier\r\nContent-Type: application/rs-metadata+xml\r\nContent-Disposition: recording-session\r\n\r\n{xml}\r\n--frontier--\r\n"
    )
}

const MIXED: &str = "multipart/mixed;boundary=frontier";

#[test]
fn oracle_marks_the_calling_party_and_sends_within_the_participant() {
    // The called party comes first; times have no zone; the namespace has no version.
    let xml = r#"<?xml version='1.0' encoding='UTF-8'?>
<recording xmlns='urn:ietf:params:xml:ns:recording'>
 <dataMode>complete</dataMode>
 <session id="Q0FMTDAwMDAwMDAwMDAwMQ=="><associate-time>2026-11-22T09:15:30</associate-time>
  <extensiondata xmlns:apkt="http:/acmepacket.com/siprec/extensiondata"><apkt:ucid>00FA0001;encoding=hex</apkt:ucid></extensiondata></session>
 <participant id="UEFSVFlCMDAwMDAwMDAwMA==" session="Q0FMTDAwMDAwMDAwMDAwMQ=="><nameID aor="sip:4922198765@192.0.2.9"><name>Handel</name></nameID>
  <send>U1RSRUFNQjAwMDAwMDAwMA==</send><associate-time>2026-11-22T09:15:31</associate-time>
  <extensiondata xmlns:apkt="http://acmepacket.com/siprec/extensiondata"><apkt:callingParty>false</apkt:callingParty></extensiondata></participant>
 <participant id="UEFSVFlBMDAwMDAwMDAwMA==" session="Q0FMTDAwMDAwMDAwMDAwMQ=="><nameID aor="sip:4970311234@192.0.2.8"><name>"KUNDE A"</name></nameID>
  <send>U1RSRUFNQTAwMDAwMDAwMA==</send>
  <extensiondata xmlns:apkt="http://acmepacket.com/siprec/extensiondata"><apkt:callingParty>true</apkt:callingParty></extensiondata></participant>
 <stream id="U1RSRUFNQTAwMDAwMDAwMA==" session="Q0FMTDAwMDAwMDAwMDAwMQ=="><label>16777227</label><mode>separate</mode></stream>
 <stream id="U1RSRUFNQjAwMDAwMDAwMA==" session="Q0FMTDAwMDAwMDAwMDAwMQ=="><label>16777228</label><mode>separate</mode></stream>
</recording>"#;
    let picture = picture(MIXED, &multipart(&two_streams(["16777228", "16777227"]), xml), &[]);
    assert_eq!(
        summary(&picture),
        (
            "4970311234 KUNDE A".into(),
            "4922198765 Handel".into(),
            vec!["callee:4922198765".into(), "caller:4970311234".into()]
        )
    );
    assert_eq!(picture.basis, Basis::Metadata);
    assert_eq!(picture.answered, "2026-11-22T09:15:31Z".parse().ok());
    let update = RecordingMetadata::parse(xml.as_bytes()).unwrap();
    assert_eq!(update.content.call_id(), Some("00FA0001"));
    assert_eq!(update.warnings, []);
    assert!(update.content.sessions[0].start.is_some(), "a time without zone is a time");
}

#[test]
fn audiocodes_sends_legacy_metadata_with_line_feeds_and_no_space_after_the_colon() {
    let xml = r#"<?xml version="1.0" encoding="utf-8"?>
<recording xmlns='urn:ietf:params:xml:ns:recording'>
 <datamode>complete</datamode>
 <group id="AAAAAAAAAAAAAAAAAAAAAA=="><associate-time>2026-11-22T09:15:30Z</associate-time></group>
 <session id="AAAAAAAAAAAAAAAAAAAAAQ=="><group-ref>AAAAAAAAAAAAAAAAAAAAAA==</group-ref></session>
 <participant id="AAAAAAAAAAAAAAAAAAAAAg==" session="AAAAAAAAAAAAAAAAAAAAAQ=="><nameID aor="2001@sbc.example"></nameID><associate-time>2026-11-22T09:15:30Z</associate-time><send>AAAAAAAAAAAAAAAAAAAABA==</send><recv>AAAAAAAAAAAAAAAAAAAABQ==</recv></participant>
 <participant id="AAAAAAAAAAAAAAAAAAAAAw==" session="AAAAAAAAAAAAAAAAAAAAAQ=="><nameID aor="2002@sbc.example"></nameID><send>AAAAAAAAAAAAAAAAAAAABQ==</send><recv>AAAAAAAAAAAAAAAAAAAABA==</recv></participant>
 <stream id="AAAAAAAAAAAAAAAAAAAABA==" session="AAAAAAAAAAAAAAAAAAAAAQ=="><label>1</label></stream>
 <stream id="AAAAAAAAAAAAAAAAAAAABQ==" session="AAAAAAAAAAAAAAAAAAAAAQ=="><label>2</label></stream>
</recording>"#;
    let body = format!(
        "--boundary_12\nContent-Type:application/rs-metadata\nContent-Disposition:recording-session\n\n{xml}\n--boundary_12\nContent-Type:application/sdp\n\n{}\n--boundary_12--",
        two_streams(["1", "2"]).replace("\r\n", "\n")
    );
    let picture = picture("multipart/mixed;boundary=boundary_12", &body, &[]);
    assert_eq!(
        summary(&picture),
        ("2001".into(), "2002".into(), vec!["caller:2001".into(), "callee:2002".into()])
    );
}

#[test]
fn ribbon_writes_prefixes_dates_of_1970_and_addresses_without_scheme() {
    let xml = r#"<?xml version="1.0"?>
<tns:recording xmlns:tns="urn:ietf:params:xml:ns:recording:1">
 <tns:datamode>complete</tns:datamode>
 <tns:session tns:session_id="s1"><tns:start-time>1970-01-01T00:00:00Z</tns:start-time></tns:session>
 <tns:participant tns:participant_id="p1"><tns:nameID tns:aor="+4970311234@192.0.2.1"/></tns:participant>
 <tns:participant tns:participant_id="p2"><tns:nameID tns:aor="+4922198765"/></tns:participant>
 <tns:stream tns:stream_id="x1" tns:session_id="s1"><tns:label>a_leg</tns:label></tns:stream>
 <tns:stream tns:stream_id="x2" tns:session_id="s1"><tns:label>b_leg</tns:label></tns:stream>
 <tns:participantsessionassoc participant_id="p1" session_id="s1"><tns:associate-time>1970-01-01T00:00:00Z</tns:associate-time></tns:participantsessionassoc>
 <tns:participantstreamassoc participant_id="p1"><tns:send>x1</tns:send><tns:recv>x2</tns:recv></tns:participantstreamassoc>
 <tns:participantstreamassoc participant_id="p2"><tns:send>x2</tns:send><tns:recv>x1</tns:recv></tns:participantstreamassoc>
</tns:recording>"#;
    let expected = (
        "+4970311234".into(),
        "+4922198765".into(),
        vec!["caller:+4970311234".to_owned(), "callee:+4922198765".to_owned()],
    );
    let body = multipart(&two_streams(["a_leg", "b_leg"]), xml);
    assert_eq!(summary(&picture(MIXED, &body, &[])), expected);
    // Some releases forget to declare the prefix.
    let undeclared = body.replace(" xmlns:tns=\"urn:ietf:params:xml:ns:recording:1\"", "");
    assert_eq!(summary(&picture(MIXED, &undeclared, &[])), expected);
    let content = RecordingMetadata::parse(xml.as_bytes()).unwrap().content;
    assert_eq!((content.sessions[0].start, content.participants[0].associated), (None, None));
}

#[test]
fn cisco_names_participants_in_headers_and_sends_no_metadata() {
    let sdp = two_streams(["", ""]).replace("a=label:\r\n", "");
    let headers = [
        ("From", "<sip:192.0.2.30>;tag=5096700-1E1A"),
        ("To", "<sip:595959@192.0.2.7>"),
        ("X-Cisco-Recording-Participant", "sip:10000@192.0.2.32;media-index=\"1\""),
        ("X-Cisco-Recording-Participant", "sip:708090@192.0.2.5;media-index=\"0\""),
    ];
    let body = format!(
        "--uniqueBoundary\r\nContent-Type: application/sdp\r\nContent-Disposition: session;handling=required\r\n\r\n{sdp}\r\n--uniqueBoundary\r\nContent-Type: application/gtd\r\nContent-Disposition: signal;handling=optional\r\n\r\nIAM,\r\nPRN,isdn*,,\r\n\r\n--uniqueBoundary--\r\n"
    );
    let picture = picture("multipart/mixed;boundary=uniqueBoundary", &body, &headers);
    assert_eq!(
        summary(&picture),
        ("10000".into(), "708090".into(), vec!["callee:708090".into(), "caller:10000".into()])
    );
}

#[test]
fn broadworks_sends_one_mixed_stream_and_elements_of_its_own() {
    let sdp = "v=0\no=BroadWorks 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 5000 RTP/AVP 0 8\na=sendonly\n";
    let xml = r#"<recording_metadata><datamode>complete</datamode>
 <participant participant_id="p1"><nameID aor="sip:+15145550101@as.example"><name>Berater</name></nameID></participant>
 <broadWorksRecordingMetadata><extTrackingID>9:1</extTrackingID><callType><origination>
  <callingPartyNumber>tel:+1-514-555-0101</callingPartyNumber><calledPartyNumber>tel:+15145550199</calledPartyNumber></origination></callType>
 </broadWorksRecordingMetadata></recording_metadata>"#;
    let body = multipart(sdp, xml);
    let picture = picture(MIXED, &body, &[("From", "sip:recorder@as.example"), ("To", "sip:srs@recorder")]);
    assert_eq!(
        summary(&picture),
        ("+15145550101 Berater".into(), "+15145550199".into(), vec!["caller:+15145550101".into()])
    );
    assert_eq!(picture.direction, Some(Direction::Out));
}

#[test]
fn a_mixed_stream_of_two_senders_belongs_to_nobody() {
    let sdp = "v=0\r\nm=audio 5000 RTP/AVP 8\r\na=label:0\r\n";
    let xml = r#"<recording><participant id="a"><nameID aor="sip:1@x"/><send>s</send></participant>
        <participant id="b"><nameID aor="sip:2@x"/><send>s</send></participant><stream id="s"><label>0</label></stream></recording>"#;
    let picture = picture(MIXED, &multipart(sdp, xml), &[]);
    assert_eq!(summary(&picture), ("1".into(), "2".into(), vec!["caller:".into()]));
}

#[test]
fn from_and_to_tell_caller_and_callee_apart_where_the_metadata_does_not() {
    let xml = r#"<recording xmlns='urn:ietf:params:xml:ns:recording:1'><datamode>complete</datamode>
 <session session_id="c"><sipSessionID>ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2</sipSessionID></session>
 <participant participant_id="b"><nameID aor="sip:1002@pbx"/></participant>
 <participant participant_id="a"><nameID aor="sip:1001@pbx"><name>Müller &amp; Sohn</name></nameID></participant>
 <stream stream_id="1" session_id="c"><label>0</label></stream><stream stream_id="2" session_id="c"><label>1</label></stream>
 <participantstreamassoc participant_id="a"><send>1</send><recv>2</recv></participantstreamassoc>
 <participantstreamassoc participant_id="b"><send>2</send><recv>1</recv></participantstreamassoc></recording>"#;
    let body = multipart(&two_streams(["0", "1"]), xml);
    let headers = [("f", "\"Anna\" <sip:1001@pbx>;tag=1"), ("t", "<sip:srs@recorder>")];
    let picture_of = |body: &str| picture(MIXED, body, &headers);
    let expected = (
        "1001 Müller & Sohn".into(),
        "1002".into(),
        vec!["caller:1001".to_owned(), "callee:1002".to_owned()],
    );
    assert_eq!(summary(&picture_of(&body)), expected);
    // A bare ampersand is mended, and said.
    let broken = xml.replace("&amp;", "&");
    assert_eq!(summary(&picture_of(&body.replace("&amp;", "&"))), expected);
    let update = RecordingMetadata::parse(broken.as_bytes()).unwrap();
    assert_eq!(update.warnings, [siprec::MetadataProblem::Repaired]);
    assert_eq!(update.content.call_id(), Some("ab30317f1a784dc48ff824d0d3715d86"));
    // Without headers the first participant is the caller.
    let by_order = picture(MIXED, &body, &[]);
    assert_eq!((by_order.caller.number.expose().as_str(), by_order.basis), ("1002", Basis::ParticipantOrder));
}

#[test]
fn without_metadata_the_first_stream_is_the_callers() {
    let sdp = two_streams(["0", "1"]);
    let headers = [
        ("From", "\"Anna\" <sip:+4970311234@pbx;user=phone>;tag=1"),
        ("To", "<tel:+49-221-98765>"),
        ("P-Asserted-Identity", "<sip:1001@pbx>, <tel:+4970311234>"),
        ("Diversion", "<sip:1002@pbx>;reason=unconditional"),
    ];
    let picture_with = |headers: &[(&str, &str)]| picture("application/sdp", &sdp, headers);
    let known = picture_with(&headers);
    assert_eq!(
        summary(&known),
        ("+4970311234 Anna".into(), "+4922198765".into(), vec!["caller:".into(), "callee:".into()])
    );
    let identities = |p: &domain::Party| p.all_identities().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(identities(&known.caller), ["+4970311234", "+4970311234@pbx", "1001", "1001@pbx"]);
    assert_eq!(identities(&known.callee), ["+4922198765", "1002", "1002@pbx"]);
    let unknown = picture_with(&[("From", "<sip:anonymous@anonymous.invalid>"), ("To", "<sip:srs@x>")]);
    assert_eq!(summary(&unknown), (String::new(), String::new(), vec!["caller:".into(), "callee:".into()]));
    assert_eq!(unknown.basis, Basis::StreamOrder);
}

#[test]
fn participants_without_addresses_leave_the_parties_to_the_headers() {
    let xml = "<recording><participant id='p'><send>s</send></participant><participant id='q'><send>t</send></participant>
        <stream id='s'><label>0</label></stream><stream id='t'><label>1</label></stream></recording>";
    let headers = [("From", "<sip:1001@pbx>"), ("To", "<sip:1002@pbx>")];
    let picture = picture(MIXED, &multipart(&two_streams(["0", "1"]), xml), &headers);
    assert_eq!(summary(&picture), ("1001".into(), "1002".into(), vec!["caller:".into(), "callee:".into()]));
}

#[test]
fn labels_that_do_not_match_are_paired_in_order_and_missing_associations_guessed() {
    let xml = r#"<recording><participant id="p"><nameID aor="sip:1@x"/></participant><participant id="q"><nameID aor="sip:2@x"/></participant>
        <stream id="s"><label>9</label></stream><stream id="t"/></recording>"#;
    let picture = picture(MIXED, &multipart(&two_streams(["0", "1"]), xml), &[]);
    assert_eq!(summary(&picture), ("1".into(), "2".into(), vec!["caller:1".into(), "callee:2".into()]));
}

#[test]
fn neither_debug_texts_nor_warnings_hold_numbers_or_names() {
    let xml = r#"<recording><participant id="p"><nameID aor="sip:+4970311234@x"><name>Anna</name></nameID>
        <extensiondata><request>INVITE sip:+4970311234@x</request></extensiondata><send>gone</send></participant></recording>"#;
    let update = RecordingMetadata::parse(xml.as_bytes()).unwrap();
    let sip = SipIdentities::read([("From", "\"Anna\" <sip:+4970311234@x>")]);
    let sdp = "v=0\r\no=+4970311234 1 1 IN IP4 192.0.2.1\r\ns=Anna\r\nm=audio 4000 RTP/AVP 8\r\n";
    let offer = Offer::parse(sdp.as_bytes()).unwrap();
    let picture = who_is_who(&offer, &update.content, &sip);
    assert_eq!(picture.caller.number.expose(), "+4970311234");
    let mut texts = format!("{update:?} {sip:?} {offer:?} {picture:?}");
    for warning in &update.warnings {
        texts.push_str(&warning.to_string());
    }
    assert!(!texts.contains("7031") && !texts.contains("Anna"), "{texts}");
}
