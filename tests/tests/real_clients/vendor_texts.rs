//! Offers and metadata as different vendors' clients write them, each with numbers of its own.

/// An offer with an m-line for each of `lines`: what comes after the port, and attributes.
pub fn offer(version: u32, lines: &[String]) -> String {
    let session =
        format!("v=0\r\no=SBC 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n");
    session + &lines.concat()
}

/// One m-line, sent only, with a label unless it is empty.
pub fn stream(port: u16, payload_types: &str, label: &str) -> String {
    let label = if label.is_empty() { String::new() } else { format!("a=label:{label}\r\n") };
    format!("m=audio {port} RTP/AVP {payload_types}\r\n{label}a=sendonly\r\n")
}

/// Two A-law streams.
pub fn two(labels: [&str; 2]) -> String {
    offer(1, &[stream(40_000, "8", labels[0]), stream(40_002, "8", labels[1])])
}

/// By the RFC: who takes part, as (number, labels of what they send). The first called.
pub fn metadata(people: &[(&str, &[&str])]) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<recording xmlns=\"urn:ietf:params:xml:ns:recording:1\">\
         <datamode>complete</datamode><session session_id=\"czE=\"/>",
    );
    for (number, _) in people {
        xml += &format!(
            "<participant participant_id=\"p{number}\"><nameID aor=\"sip:{number}@pbx.example\"/></participant>"
        );
    }
    for label in people.iter().flat_map(|(_, labels)| *labels) {
        xml += &format!("<stream stream_id=\"s{label}\" session_id=\"czE=\"><label>{label}</label></stream>");
    }
    for (number, labels) in people {
        let sends: String = labels.iter().map(|label| format!("<send>s{label}</send>")).collect();
        xml +=
            &format!("<participantstreamassoc participant_id=\"p{number}\">{sends}</participantstreamassoc>");
    }
    xml + "</recording>"
}

/// The caller of [`metadata`] stays; the callee leaves, and somebody new comes with a stream of its own.
pub fn transfer(leaves: &str, comes: &str, label: &str) -> String {
    format!(
        r#"<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>partial</datamode>
<participant participant_id="p{comes}"><nameID aor="sip:{comes}@pbx.example"/></participant>
<stream stream_id="s{label}" session_id="czE="><label>{label}</label></stream>
<participantsessionassoc participant_id="p{leaves}" session_id="czE="><disassociate-time>2026-11-22T09:15:33Z</disassociate-time></participantsessionassoc>
<participantsessionassoc participant_id="p{comes}" session_id="czE="><associate-time>2026-11-22T09:15:33Z</associate-time></participantsessionassoc>
<participantstreamassoc participant_id="p{comes}"><send>s{label}</send></participantstreamassoc></recording>"#
    )
}

/// Streams without labels on either side: only their order says which is whose.
pub const NO_LABELS: &str = r#"<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode>
<session session_id="czE="/>
<participant participant_id="a"><nameID aor="sip:+4930999000061@pbx"/></participant>
<participant participant_id="b"><nameID aor="sip:+4989999000062@pbx"/></participant>
<stream stream_id="x" session_id="czE="/><stream stream_id="y" session_id="czE="/>
<participantstreamassoc participant_id="a"><send>x</send></participantstreamassoc>
<participantstreamassoc participant_id="b"><send>y</send></participantstreamassoc></recording>"#;

/// Oracle: no version in the namespace, `id=`, send within the participant, the called party first,
/// times without zone, an element of its own for who called.
pub const ORACLE: &str = r#"<?xml version='1.0' encoding='UTF-8'?>
<recording xmlns='urn:ietf:params:xml:ns:recording'>
 <dataMode>complete</dataMode>
 <session id="Q0FMTA=="><associate-time>2026-11-22T09:15:30</associate-time></session>
 <participant id="QjAw" session="Q0FMTA=="><nameID aor="sip:4922199900064@192.0.2.9"><name>Handel</name></nameID>
  <send>U0I=</send><associate-time>2026-11-22T09:15:31</associate-time>
  <extensiondata xmlns:apkt="http://acmepacket.com/siprec/extensiondata"><apkt:callingParty>false</apkt:callingParty></extensiondata></participant>
 <participant id="QTAw" session="Q0FMTA=="><nameID aor="sip:4970399900063@192.0.2.8"><name>"KUNDE A"</name></nameID>
  <send>U0E=</send>
  <extensiondata xmlns:apkt="http://acmepacket.com/siprec/extensiondata"><apkt:callingParty>true</apkt:callingParty></extensiondata></participant>
 <stream id="U0E=" session="Q0FMTA=="><label>16777227</label><mode>separate</mode></stream>
 <stream id="U0I=" session="Q0FMTA=="><label>16777228</label><mode>separate</mode></stream>
</recording>"#;

/// AudioCodes: metadata before the offer, line feeds alone, no space after a colon, legacy type and
/// namespace, addresses without scheme.
pub fn audiocodes() -> String {
    let sdp = two(["1", "2"]).replace("\r\n", "\n");
    format!(
        r#"--boundary_12
Content-Type:application/rs-metadata
Content-Disposition:recording-session

<?xml version="1.0" encoding="utf-8"?>
<recording xmlns='urn:ietf:params:xml:ns:recording'>
 <datamode>complete</datamode>
 <group id="AAA="><associate-time>2026-11-22T09:15:30Z</associate-time></group>
 <session id="AAE="><group-ref>AAA=</group-ref></session>
 <participant id="AAI=" session="AAE="><nameID aor="2001@sbc.example"></nameID><send>AAQ=</send><recv>AAU=</recv></participant>
 <participant id="AAM=" session="AAE="><nameID aor="2002@sbc.example"></nameID><send>AAU=</send><recv>AAQ=</recv></participant>
 <stream id="AAQ=" session="AAE="><label>1</label></stream>
 <stream id="AAU=" session="AAE="><label>2</label></stream>
</recording>
--boundary_12
Content-Type:application/sdp

{sdp}
--boundary_12--"#
    )
}

/// Ribbon: a prefix, dates of 1970, addresses without scheme.
pub const RIBBON: &str = r#"<?xml version="1.0"?>
<tns:recording xmlns:tns="urn:ietf:params:xml:ns:recording:1">
 <tns:datamode>complete</tns:datamode>
 <tns:session tns:session_id="s1"><tns:start-time>1970-01-01T00:00:00Z</tns:start-time></tns:session>
 <tns:participant tns:participant_id="p1"><tns:nameID tns:aor="+4970399900065@192.0.2.1"/></tns:participant>
 <tns:participant tns:participant_id="p2"><tns:nameID tns:aor="+4922199900066"/></tns:participant>
 <tns:stream tns:stream_id="x1" tns:session_id="s1"><tns:label>a_leg</tns:label></tns:stream>
 <tns:stream tns:stream_id="x2" tns:session_id="s1"><tns:label>b_leg</tns:label></tns:stream>
 <tns:participantstreamassoc participant_id="p1"><tns:send>x1</tns:send><tns:recv>x2</tns:recv></tns:participantstreamassoc>
 <tns:participantstreamassoc participant_id="p2"><tns:send>x2</tns:send><tns:recv>x1</tns:recv></tns:participantstreamassoc>
</tns:recording>"#;

/// BroadWorks: elements of its own, and one stream on which both are heard.
pub const BROADWORKS: &str = r#"<recording_metadata><datamode>complete</datamode>
 <participant participant_id="p1"><nameID aor="sip:+15145550101@as.example"><name>Berater</name></nameID></participant>
 <broadWorksRecordingMetadata><extTrackingID>9:1</extTrackingID><callType><origination>
  <callingPartyNumber>tel:+1-514-555-0101</callingPartyNumber><calledPartyNumber>tel:+15145550199</calledPartyNumber></origination></callType>
 </broadWorksRecordingMetadata></recording_metadata>"#;

/// Cisco sends no metadata, but says in headers who is on which m-line, counted from 0.
pub const CISCO: &str = "X-Cisco-Recording-Participant: sip:10067@192.0.2.32;media-index=\"0\"\r\n\
    X-Cisco-Recording-Participant: sip:708068@192.0.2.5;media-index=\"1\"\r\n";

/// What an attacker, or a user who may choose a display name, can put where numbers and names belong.
pub const HOSTILE: &str = r#"<recording xmlns="urn:ietf:params:xml:ns:recording:1"><datamode>complete</datamode>
<session session_id="czE="/>
<participant participant_id="a"><nameID aor="sip:../../etc/passwd@pbx"><name>Müller &amp; Söhne: &lt;CON&gt;</name></nameID></participant>
<participant participant_id="b"><nameID aor="sip:|?\@pbx"><name>日本 &#x202e;gpj.exe</name></nameID></participant>
<stream stream_id="x" session_id="czE="><label>1</label></stream><stream stream_id="y" session_id="czE="><label>2</label></stream>
<participantstreamassoc participant_id="a"><send>x</send></participantstreamassoc>
<participantstreamassoc participant_id="b"><send>y</send></participantstreamassoc></recording>"#;
