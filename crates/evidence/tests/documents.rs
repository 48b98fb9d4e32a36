//! The texts of a recording, byte for byte, and what others read in them.

mod signed;

use std::fs;

use domain::{Consent, ConsentMode, ConsentOutcome, ConsentSource};
use evidence::{
    Documents, HashedFile, ParsedInfo, PublicKey, Section, Sha256Hash, Signature, SignatureError,
    StartedByHand, Stopped,
};
use signed::{TestArchive, TestKey, info, recording, run};

#[test]
fn the_info_file_has_its_keys_in_order_and_one_line_each() {
    let key = TestKey::new();
    let mut info = info(1, &key, None);
    info.files = vec!["a.wav".into()];
    let expected = format!(
        "Datetime: 2026-11-22T10:15:31.123+01:00\n\
         Recording: 01949c3e-7a5b-7000-8000-000000000001\n\
         CallId: call-1\n\
         Tenant: acme\n\
         Class: regulated\n\
         Rule: advisers\n\
         Direction: in\n\
         Caller: +4970311234\n\
         CallerName: Jörg \"Joe\"\\nMüller\n\
         Callee: *21\n\
         CalleeName: \n\
         Answered: 2026-11-22T10:15:40.000+01:00\n\
         Duration: 0:00:30.020\n\
         Channels: caller,callee\n\
         Codec: PCMA\n\
         PacketsReceived: 1500,1500\n\
         PacketsLost: 0,1\n\
         Interrupted: no\n\
         Consent: none\n\
         Gaps: 2\n\
         Product: Callseal 0.1.0\n\
         Installation: acme-1\n\
         KeyId: {}\n\
         PreviousRecording: none\n\
         PreviousSignature: none\n\
         ChainPosition: 1\n\
         Files: a.wav\n\
         Participant1: caller +4970311234 \"Jörg \"Joe\"\\nMüller\"\n\
         Participant2: unknown *21\n\
         Gap1: channel 2 at 0:00:00.000 for 0:00:00.040, samples 0+320, late-start\n\
         Gap2: channel 2 at 0:00:12.340 for 0:00:00.020, samples 98720+160, lost\n\
         Note: a\\tb\n",
        key.certificate.public_key().id()
    );
    assert_eq!(String::from_utf8(info.to_bytes()).unwrap(), expected);
}

#[test]
fn f24_f32_the_proof_of_consent_and_who_stopped_stand_in_info_and_journal() {
    let key = TestKey::new();
    let mut info = info(1, &key, None);
    info.consent = Some(Consent {
        mode: ConsentMode::OptIn,
        outcome: ConsentOutcome::Granted,
        key: Some('1'),
        at_unix_us: "2026-11-22T09:15:33.120Z".parse::<jiff::Timestamp>().unwrap().as_microsecond(),
        announcement: Some("greeting".parse().unwrap()),
        announcement_sha256: Some("00ff".into()),
        source: ConsentSource::ConsentCall,
    });
    info.started_by_hand = Some(StartedByHand {
        at: "2026-11-22T09:15:40Z".parse().unwrap(),
        way: "phone button".into(),
        user: "max".into(),
    });
    info.stopped = Some(Stopped {
        at: "2026-11-22T09:16:00Z".parse().unwrap(),
        way: "keys on the callee's phone".into(),
        user: "erika".into(),
    });
    let text = String::from_utf8(info.to_bytes()).unwrap();
    let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{key}: "))).unwrap();
    assert_eq!(
        line("Consent"),
        "granted; optIn; key 1; 2026-11-22T10:15:33.120+01:00; announcement greeting; sha256 00ff; consent call"
    );
    assert_eq!(ParsedInfo::parse(text.as_bytes()).consent(), Some(info.consent.clone()));
    for broken in ["granted", "granted; optIn; API", "granted; optIn; key 12; 2026-11-22T10:15:33Z; API", ""]
    {
        assert_eq!(ParsedInfo::parse(format!("Consent: {broken}\n").as_bytes()).consent(), None, "{broken}");
    }
    assert_eq!(line("Stopped"), "2026-11-22T10:16:00.000+01:00 by keys on the callee's phone");
    assert_eq!(line("StoppedBy"), "erika");
    assert_eq!(line("Started"), "2026-11-22T10:15:40.000+01:00 by phone button");
    assert_eq!(line("StartedBy"), "max");

    let json: serde_json::Value = serde_json::from_slice(&Documents::new(&info, vec![]).journal).unwrap();
    assert_eq!(
        json["consent"],
        serde_json::json!({
            "outcome": "granted", "mode": "optIn", "key": "1", "at": "2026-11-22T10:15:33.120+01:00",
            "announcement": "greeting", "announcementSha256": "00ff", "source": "consent call",
        })
    );
    assert_eq!(json["stopped"]["user"], "erika");
    assert_eq!((&json["started"]["way"], &json["started"]["user"]), (&"phone button".into(), &"max".into()));
    info.started_by_hand = None;
    let text = String::from_utf8(info.to_bytes()).unwrap();
    assert!(!text.contains("\nStarted"), "most recordings begin by themselves: {text}");
}

#[test]
fn the_info_file_reads_back_what_the_chain_needs() {
    let key = TestKey::new();
    let head = evidence::LaneHead { position: 7, recording: recording(1), signature: key.sign(b"x") };
    let info = info(2, &key, Some(head.clone()));
    let parsed = ParsedInfo::parse(&info.to_bytes());
    assert_eq!(parsed.get("CallerName"), Some("Jörg \"Joe\"\nMüller"));
    assert_eq!(parsed.get("Nothing"), None);
    let link = parsed.chain_link(&key.sign(b"y")).unwrap();
    assert_eq!((link.lane, link.position, link.recording), (info.lane, 8, recording(2)));
    let previous = link.previous.unwrap();
    assert_eq!(
        (previous.recording, previous.signature),
        (head.recording, Sha256Hash::of(head.signature.as_bytes()))
    );
}

#[test]
fn the_journal_text_has_the_columns_of_the_journal_first_and_names_its_files() {
    let key = TestKey::new();
    let info = info(1, &key, None);
    let audio = HashedFile::of(info.base_name().file(Section::STEREO), b"abc");
    let documents = Documents::new(&info, vec![audio]);
    let text = String::from_utf8(documents.journal.clone()).unwrap();
    let keys: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("  \"")?.split('"').next()).collect();
    let columns =
        ["basefilename", "direction", "time", "callid", "callername", "caller", "callee", "setting"];
    assert_eq!(keys[..columns.len()], columns);

    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["basefilename"], info.base_name().as_str());
    assert_eq!(json["time"], 1_795_338_931_123_i64);
    assert_eq!(json["caller"], "+4970311234");
    assert_eq!(json["setting"], "advisers");
    assert_eq!(json["gaps"][1]["cause"], "lost");
    let files: Vec<_> =
        json["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(files, [info.base_name().file(Section::STEREO), info.base_name().file(Section::Info)]);
    assert_eq!(
        json["files"][0]["sha256"],
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn the_same_values_make_the_same_bytes() {
    let key = TestKey::new();
    let make = || {
        let info = info(3, &key, None);
        let audio = vec![HashedFile::of(info.base_name().file(Section::STEREO), b"abc")];
        Documents::new(&info, audio)
    };
    assert!(make() == make());
}

#[test]
fn sha256sum_and_openssl_accept_what_lies_in_the_archive() {
    let key = TestKey::new();
    let archive = TestArchive::new(&key);
    run("openssl", &["x509", "-in", "callseal.pem", "-noout", "-pubkey", "-out", "pub.pem"], archive.path());
    for base in &archive.bases {
        let (list, signature) = (base.file(Section::HashList), base.file(Section::Signature));
        assert_eq!(run("sha256sum", &["--strict", "-c", &list], archive.path()).matches(": OK").count(), 3);
        // Both ways to read base64, without an option for long lines.
        run("openssl", &["base64", "-d", "-in", &signature, "-out", "sig.bin"], archive.path());
        let verify = ["dgst", "-sha256", "-verify", "pub.pem", "-signature", "sig.bin", &list];
        assert!(run("openssl", &verify, archive.path()).contains("Verified OK"));
        run("sh", &["-c", "base64 -d \"$0\" | cmp - sig.bin", &signature], archive.path());
    }
    let public = PublicKey::from_pem(&fs::read_to_string(archive.path().join("pub.pem")).unwrap()).unwrap();
    assert_eq!((public.id(), public.bits()), (key.certificate.public_key().id(), 3072));
}

#[test]
fn a_signature_has_one_spelling_and_fits_one_text_and_one_key() {
    let (key, other) = (TestKey::new(), TestKey::new());
    let signature = key.sign(b"text");
    let public = key.certificate.public_key();
    assert_eq!(public.verify(b"text", &signature), Ok(()));
    assert_eq!(public.verify(b"texT", &signature), Err(SignatureError::Wrong));
    assert_eq!(other.certificate.public_key().verify(b"text", &signature), Err(SignatureError::Wrong));
    let longer = Signature::new([&[0], signature.as_bytes()].concat());
    assert_eq!(public.verify(b"text", &longer), Err(SignatureError::Wrong));
    assert_eq!(Signature::parse(&signature.to_file()).unwrap(), signature);
    assert_eq!(Signature::parse(signature.to_base64().as_bytes()).unwrap(), signature);
    for bad in ["", "\n", "abc", "ä"] {
        assert_eq!(Signature::parse(bad.as_bytes()), Err(SignatureError::NotBase64), "{bad:?}");
    }
}
