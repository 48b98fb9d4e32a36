//! Metadata over the life of a call: complete and partial updates, transfers, sides that stay.

use domain::Side;
use siprec::{DataMode, MetadataProblem, Offer, RecordingMetadata, SipIdentities, metadata, who_is_who};

const COMPLETE: &str = r#"<recording xmlns='urn:ietf:params:xml:ns:recording:1'><datamode>complete</datamode>
 <session session_id="c"><start-time>2026-11-22T09:15:30Z</start-time></session>
 <participant participant_id="a"><nameID aor="sip:1001@pbx"><name>Anna</name></nameID></participant>
 <participant participant_id="b"><nameID aor="sip:1002@pbx"><name>Bernd</name></nameID></participant>
 <stream stream_id="1" session_id="c"><label>0</label></stream><stream stream_id="2" session_id="c"><label>1</label></stream>
 <participantstreamassoc participant_id="a"><send>1</send><recv>2</recv></participantstreamassoc>
 <participantstreamassoc participant_id="b"><send>2</send><recv>1</recv></participantstreamassoc></recording>"#;

const OFFER: &str = "v=0\r\nm=audio 4000 RTP/AVP 8\r\na=label:0\r\nm=audio 4002 RTP/AVP 8\r\na=label:1\r\n";

fn known() -> RecordingMetadata {
    let mut known = RecordingMetadata::default();
    known.apply(RecordingMetadata::parse(COMPLETE.as_bytes()).unwrap());
    known
}

#[test]
fn a_partial_update_changes_what_it_names_and_nothing_else() {
    let mut known = known();
    let update = RecordingMetadata::parse(
        br#"<recording><datamode>partial</datamode>
        <participant participant_id="b"><nameID aor="sip:1002@pbx"><name>Bernd Neu</name></nameID></participant>
        <participant participant_id="c"><nameID aor="sip:1003@pbx"/></participant>
        <participantstreamassoc participant_id="c"><send>2</send></participantstreamassoc>
        <participantsessionassoc participant_id="b" session_id="c"><disassociate-time>2026-11-22T09:20:00Z</disassociate-time></participantsessionassoc>
        </recording>"#,
    )
    .unwrap();
    assert_eq!((update.mode, update.warnings.as_slice()), (DataMode::Partial, &[][..]));
    known.apply(update);
    assert_eq!(known.participants.len(), 3);
    assert_eq!(known.streams.len(), 2);
    let bernd = &known.participants[1];
    assert_eq!(bernd.names[0].name.expose(), "Bernd Neu");
    assert!(!bernd.is_present());
    assert_eq!(bernd.sends, ["2"]);

    // The transfer: 1003 is now heard where 1002 was, on the same side.
    let offer = Offer::parse(OFFER.as_bytes()).unwrap();
    let picture = who_is_who(&offer, &known, &SipIdentities::default());
    assert_eq!(picture.caller.number.expose(), "1001");
    assert_eq!(picture.callee.number.expose(), "1003");
    assert_eq!(
        (picture.streams[1].side, picture.streams[1].number.expose().as_str()),
        (Side::Callee, "1003")
    );
}

#[test]
fn when_the_caller_is_transferred_away_the_stream_stays_on_the_callers_side() {
    let mut known = known();
    known.apply(
        RecordingMetadata::parse(
            br#"<recording><datamode>partial</datamode><participant participant_id="c"><nameID aor="sip:1003@pbx"/></participant>
            <participantstreamassoc participant_id="c"><send>1</send></participantstreamassoc>
            <participantsessionassoc participant_id="a"><disassociate-time>1970-01-01T00:00:00Z</disassociate-time></participantsessionassoc></recording>"#,
        )
        .unwrap(),
    );
    let offer = Offer::parse(OFFER.as_bytes()).unwrap();
    let picture = who_is_who(&offer, &known, &SipIdentities::default());
    assert_eq!(
        (picture.streams[0].side, picture.streams[0].number.expose().as_str()),
        (Side::Caller, "1003")
    );
    assert_eq!(picture.caller.number.expose(), "1003");
    assert_eq!(picture.callee.number.expose(), "1002");
}

#[test]
fn who_comes_back_after_having_left_is_there_again() {
    let mut known = known();
    for (element, time) in [("disassociate-time", "09:20:00"), ("associate-time", "09:25:00")] {
        let xml = format!(
            "<recording><datamode>partial</datamode><participantsessionassoc participant_id=\"b\"><{element}>2026-11-22T{time}Z</{element}></participantsessionassoc></recording>"
        );
        known.apply(RecordingMetadata::parse(xml.as_bytes()).unwrap());
    }
    assert!(known.participants[1].is_present());
}

#[test]
fn a_complete_update_replaces_but_streams_stay_on_their_side() {
    let offer = Offer::parse(OFFER.as_bytes()).unwrap();
    let before = who_is_who(&offer, &known(), &SipIdentities::default());
    // The client now lists the participants the other way round.
    let turned = r#"<recording><datamode>complete</datamode>
        <participant participant_id="b"><nameID aor="sip:1002@pbx"/></participant><participant participant_id="a"><nameID aor="sip:1001@pbx"/></participant>
        <stream stream_id="1"><label>0</label></stream><stream stream_id="2"><label>1</label></stream>
        <participantstreamassoc participant_id="a"><send>1</send></participantstreamassoc>
        <participantstreamassoc participant_id="b"><send>2</send></participantstreamassoc></recording>"#;
    let mut known = known();
    known.apply(RecordingMetadata::parse(turned.as_bytes()).unwrap());
    assert!(known.sessions.is_empty(), "complete replaces all");
    let after = who_is_who(&offer, &known, &SipIdentities::default());
    assert_eq!(after.streams[0].side, Side::Callee);
    let carried = after.carrying_on(&before);
    assert_eq!(carried.streams[0].side, Side::Caller);
    assert_eq!(carried.caller.number.expose(), "1001");
    assert_eq!(carried.callee.number.expose(), "1002");
}

#[test]
fn sides_that_were_guessed_are_put_right_by_the_first_metadata() {
    let offer = Offer::parse(OFFER.as_bytes()).unwrap();
    let sip = SipIdentities::read([("From", "<sip:src@10.0.0.1>"), ("To", "<sip:srs@10.0.0.2>")]);
    let guessed = who_is_who(&offer, &RecordingMetadata::default(), &sip);
    assert_eq!(guessed.streams[0].side, Side::Caller);
    // The first stream is the callee's: 1001 called, and sends the second one.
    let xml = COMPLETE
        .replace("<label>0<", "<label>9<")
        .replace("<label>1<", "<label>0<")
        .replace("<label>9<", "<label>1<");
    let mut known = RecordingMetadata::default();
    known.apply(RecordingMetadata::parse(xml.as_bytes()).unwrap());
    let carried = who_is_who(&offer, &known, &sip).carrying_on(&guessed);
    assert_eq!([carried.streams[0].side, carried.streams[1].side], [Side::Callee, Side::Caller]);
    assert_eq!(
        (carried.caller.number.expose().as_str(), carried.callee.number.expose().as_str()),
        ("1001", "1002")
    );

    // Who called is only said later, by an element of the vendor's.
    let marked = xml.replacen("</name></nameID>", "</name></nameID><callingParty>false</callingParty>", 1);
    known.apply(RecordingMetadata::parse(marked.as_bytes()).unwrap());
    let said = who_is_who(&offer, &known, &sip).carrying_on(&carried);
    assert_eq!([said.streams[0].side, said.streams[1].side], [Side::Caller, Side::Callee]);
    assert_eq!(
        (said.caller.number.expose().as_str(), said.callee.number.expose().as_str()),
        ("1002", "1001")
    );
}

#[test]
fn what_cannot_be_read_is_a_problem_with_a_reason() {
    let big = vec![b' '; metadata::MAX_METADATA_BYTES + 1];
    let many = format!("<recording>{}</recording>", "<a/>".repeat(30_000));
    for (xml, expected) in [
        (&b""[..], MetadataProblem::Empty),
        (b" \r\n\0", MetadataProblem::Empty),
        (&big, MetadataProblem::TooLarge),
        (many.as_bytes(), MetadataProblem::TooLarge),
        (b"<html/>", MetadataProblem::NotRecording),
        (b"<recording><a></recording>", MetadataProblem::NotXml { line: 1, column: 15 }),
        (
            b"<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><recording>&b;</recording>",
            MetadataProblem::Doctype,
        ),
    ] {
        assert_eq!(RecordingMetadata::parse(xml), Err(expected));
    }
    let warnings = |xml: &str| RecordingMetadata::parse(xml.as_bytes()).unwrap().warnings;
    assert_eq!(warnings("<recording/>"), [MetadataProblem::NoParticipant]);
    assert_eq!(
        warnings(
            "\u{feff}\n<recording><stream id=\"1\"/><participant id=\"p\"><send>2</send></participant></recording>\0\n"
        ),
        [MetadataProblem::StreamWithoutLabel, MetadataProblem::UnknownStream]
    );
    // Latin-1 under a wrong declaration.
    let latin = b"<?xml version='1.0' encoding='UTF-8'?><recording><participant id='p'><nameID aor='a'><name>M\xfcller</name></nameID></participant></recording>";
    let update = RecordingMetadata::parse(latin).unwrap();
    assert_eq!(update.content.participants[0].names[0].name.expose(), "Müller");
}

#[test]
fn updates_without_end_do_not_fill_the_memory() {
    let mut known = RecordingMetadata::default();
    let many: String = (0..metadata::MAX_ENTRIES + 50)
        .map(|i| format!("<participant id=\"{i}\"><send>{i}</send></participant><stream id=\"{i}\"><label>{i}</label></stream><session id=\"{i}\"/>"))
        .collect();
    let update = RecordingMetadata::parse(format!("<recording>{many}</recording>").as_bytes()).unwrap();
    assert!(update.warnings.contains(&MetadataProblem::TooMany));
    known.apply(update);
    for i in 0..400 {
        let xml = format!(
            "<recording><datamode>partial</datamode><participant id=\"p{i}\"><x{i}>1</x{i}></participant><stream id=\"s{i}\"/><y{i}>1</y{i}>
            <participant id=\"1\"><send>s{i}</send><z{i}>1</z{i}></participant></recording>"
        );
        known.apply(RecordingMetadata::parse(xml.as_bytes()).unwrap());
    }
    let limit = metadata::MAX_ENTRIES;
    assert!(
        known.participants.len() <= limit && known.streams.len() <= limit && known.sessions.len() <= limit
    );
    assert!(known.extensions.len() <= limit && known.participants[1].extensions.len() <= limit);
    assert!(known.participants[1].sends.len() <= limit);
}

#[test]
fn participants_without_ids_are_merged_by_address() {
    let xml = br#"<recording><datamode>partial</datamode><participant><nameID aor="sip:1@x"/></participant>
        <participant><nameID aor="sip:2@x"/></participant><stream><label>0</label></stream></recording>"#;
    let mut known = RecordingMetadata::default();
    for _ in 0..3 {
        known.apply(RecordingMetadata::parse(xml).unwrap());
    }
    assert_eq!((known.participants.len(), known.streams.len()), (2, 1));
}

#[test]
fn a_call_was_answered_when_the_first_other_joined_after_its_begin_and_no_transfer_changes_that() {
    let joined = |participant: &str, time: &str| {
        format!(
            r#"<participantsessionassoc participant_id="{participant}" session_id="c"><associate-time>2026-11-22T{time}Z</associate-time></participantsessionassoc>"#
        )
    };
    let known_by = |associations: &[String]| {
        let text = COMPLETE.replace("</recording>", &format!("{}</recording>", associations.concat()));
        let mut known = RecordingMetadata::default();
        known.apply(RecordingMetadata::parse(text.as_bytes()).unwrap());
        known
    };
    let offer = Offer::parse(OFFER.as_bytes()).unwrap();
    let picture = |known: &RecordingMetadata| who_is_who(&offer, known, &SipIdentities::default());
    let caller = joined("a", "09:15:30");

    // Nothing is said, or the same time for everybody.
    assert_eq!(picture(&known()).answered, None);
    assert_eq!(picture(&known_by(std::slice::from_ref(&caller))).answered, None);
    assert_eq!(picture(&known_by(&[caller.clone(), joined("b", "09:15:30")])).answered, None);

    let mut known = known_by(&[caller.clone(), joined("b", "09:15:42")]);
    let before = picture(&known);
    assert_eq!(before.answered, "2026-11-22T09:15:42Z".parse().ok());
    let transfer = || {
        format!(
            r#"<recording><datamode>partial</datamode><participant participant_id="d"><nameID aor="sip:1004@pbx"/></participant>
            <participantstreamassoc participant_id="d"><send>2</send></participantstreamassoc>{}
            <participantsessionassoc participant_id="b" session_id="c"><disassociate-time>2026-11-22T09:20:00Z</disassociate-time></participantsessionassoc></recording>"#,
            joined("d", "09:20:00")
        )
    };
    known.apply(RecordingMetadata::parse(transfer().as_bytes()).unwrap());
    let after = picture(&known).carrying_on(&before);
    assert_eq!(after.callee.number.expose(), "1004");
    assert_eq!(after.answered, before.answered);

    // Nor does a transfer tell when a call was answered of which that was not said.
    let mut known = known_by(&[caller, joined("b", "09:15:30")]);
    let before = picture(&known);
    known.apply(RecordingMetadata::parse(transfer().as_bytes()).unwrap());
    assert_eq!(picture(&known).carrying_on(&before).answered, None);
}
