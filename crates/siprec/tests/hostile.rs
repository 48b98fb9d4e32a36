//! Nothing from outside makes a parser panic, and what our writer says, our reader understands.

use domain::Side;
use jiff::Timestamp;
use proptest::prelude::*;
use siprec::{
    Address, Answer, Body, DataMode, MediaDirection, Offer, OwnOrigin, Payload, RecordingMetadata,
    SipIdentities, who_is_who,
    writer::{RecordingRequest, WrittenParticipant, WrittenStream},
};

fn request(id: u64, numbers: &[String], names: &[String], streams: usize) -> RecordingRequest {
    RecordingRequest {
        origin: OwnOrigin { id, version: 1 },
        address: "127.0.0.1".parse().unwrap(),
        start: Timestamp::from_second(1_795_000_000).unwrap(),
        sip_session_id: String::new(),
        participants: numbers
            .iter()
            .zip(names)
            .map(|(number, name)| WrittenParticipant {
                aor: format!("sip:{number}@pbx.example").into(),
                name: name.clone().into(),
            })
            .collect(),
        streams: (0..streams)
            .map(|i| WrittenStream {
                label: format!("label-{i}"),
                port: 4000 + 2 * i as u16,
                direction: MediaDirection::SendOnly,
                payloads: vec![Payload::pcma(), Payload::pcmu(), Payload::telephone_event()],
                sender: i % numbers.len(),
            })
            .collect(),
    }
}

/// Reads a body all the way, as ingest would.
fn read_all(content_type: &str, body: &[u8]) {
    let read = Body::read(content_type, body);
    let mut metadata = RecordingMetadata::default();
    if let Some(Ok(update)) = read.metadata.map(RecordingMetadata::parse) {
        metadata.apply(update.clone());
        metadata.apply(siprec::MetadataUpdate { mode: DataMode::Partial, ..update });
    }
    if let Some(Ok(offer)) = read.sdp.map(Offer::parse) {
        let ports: Vec<_> = offer.streams.iter().map(|s| Some(40_000 + s.index as u16)).collect();
        let answer =
            Answer::to(&offer, "::1".parse().unwrap(), &ports, OwnOrigin { id: 1, version: 1 }).to_sdp();
        // An answer is itself a description with as many m-lines, whatever came in.
        assert_eq!(Offer::parse(answer.as_bytes()).unwrap().streams.len(), offer.streams.len());
        let picture = who_is_who(&offer, &metadata, &SipIdentities::default());
        assert_eq!(picture.streams.len(), offer.streams.len());
        let _ = picture.clone().carrying_on(&picture);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_never_panic(content_type in "\\PC{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_all(&content_type, &bytes);
        for kind in ["application/sdp", "application/rs-metadata+xml", "multipart/mixed;boundary=x"] {
            read_all(kind, &bytes);
        }
        let text = String::from_utf8_lossy(&bytes);
        let _ = Address::parse(&text);
        let _ = SipIdentities::read([("X-Cisco-Recording-Participant", &*text), ("From", &*text), ("Diversion", &*text)]);
    }

    #[test]
    fn mutated_bodies_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..24),
        streams in 1_usize..9,
    ) {
        let names = ["Anna".to_owned(), "Bernd".to_owned()];
        let numbers = ["1001".to_owned(), "1002".to_owned()];
        let (content_type, mut body) = request(77, &numbers, &names, streams).body(DataMode::Complete);
        for (at, byte, kind) in edits {
            if body.is_empty() { break }
            let at = at.index(body.len());
            match kind {
                0 => body[at] = byte,
                1 => { body.remove(at); }
                _ => body.truncate(at.max(body.len() / 2)),
            }
        }
        read_all(&content_type, &body);
    }

    #[test]
    fn any_text_is_an_address_of_some_kind(text in "\\PC{0,60}") {
        let _ = Address::parse(&text);
    }

    #[test]
    fn what_the_writer_says_the_reader_understands(
        id in 1_u64..u64::MAX,
        number in "\\+[1-9][0-9]{2,14}",
        name in "[\\PC&&[^\"\\\\]]{0,30}",
        streams in 2_usize..9,
    ) {
        let numbers = [number.clone(), "1002".to_owned()];
        let names = [name.clone(), "Bernd <&> Söhne".to_owned()];
        let request = request(id, &numbers, &names, streams);
        let (content_type, body) = request.body(DataMode::Complete);
        let read = Body::read(&content_type, &body);
        prop_assert_eq!(read.sdp.map(<[u8]>::to_vec), Some(request.sdp().into_bytes()));
        prop_assert_eq!(read.metadata.map(<[u8]>::to_vec), Some(request.metadata(DataMode::Complete).into_bytes()));
        let offer = Offer::parse(read.sdp.unwrap()).unwrap();
        let update = RecordingMetadata::parse(read.metadata.unwrap()).unwrap();
        prop_assert_eq!(&update.warnings, &[]);
        let picture = who_is_who(&offer, &update.content, &SipIdentities::default());
        prop_assert_eq!(picture.caller.number.expose(), &number);
        let name = name.trim();
        prop_assert_eq!(picture.caller.name.expose(), name);
        prop_assert_eq!(picture.callee.name.expose(), "Bernd <&> Söhne");
        for (stream, owner) in request.streams.iter().zip(&picture.streams) {
            let side = if stream.sender == 0 { Side::Caller } else { Side::Callee };
            prop_assert_eq!(owner.side, side);
            prop_assert_eq!(owner.number.expose(), &numbers[stream.sender]);
        }
        for offered in &offer.streams {
            prop_assert_eq!(offered.refusal(), None);
            prop_assert_eq!(offered.accepted_payloads().count(), 3);
        }
    }
}

#[test]
fn hundreds_of_nested_elements_do_not_exhaust_the_stack() {
    let deep = format!("<recording>{}{}</recording>", "<a>".repeat(60_000), "</a>".repeat(60_000));
    assert!(RecordingMetadata::parse(deep.as_bytes()).is_err());
    let shallow = format!("<recording>{}x{}</recording>", "<a>".repeat(9_000), "</a>".repeat(9_000));
    assert!(RecordingMetadata::parse(shallow.as_bytes()).is_ok());
}
