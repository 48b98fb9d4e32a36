//! Texts and bytes: what is written comes back, what was changed is refused, nothing makes it panic.

use std::{sync::LazyLock, time::Duration};

use domain::Class;
use evidence::{
    Sha256Hash,
    log::{
        Access, Checkpoint, Entry, Frontier, KeyChange, KeyEntry, LogKey, LogKeyStatement, LogProof, Origin,
        Outcome, PublishedLog, SealedEntry, SignedCheckpoint, What, WitnessKey,
        tiles::{split_bundle, write_bundle},
    },
};
use jiff::Timestamp;
use proptest::prelude::*;

use super::{
    built::{TestLog, calls, entry, key_id, recording, reference, sealed, tenant, time},
    keys::{Kind, TestRsaKey},
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ -~]{0,40}", Just("none".to_owned()), "\\PC{900,1100}"]
}

fn names() -> impl Strategy<Value = Vec<String>> {
    let name = prop_oneof!["[a-z0-9-]{1,63}", Just("none".into()), Just("all".into()), any::<String>()];
    proptest::collection::vec(name, 0..5)
}

fn at() -> impl Strategy<Value = Timestamp> {
    (0_i64..4_000_000_000_000).prop_map(|millis| Timestamp::from_millisecond(millis).unwrap())
}

fn hash() -> impl Strategy<Value = Sha256Hash> {
    any::<[u8; 32]>().prop_map(Sha256Hash::from)
}

fn what() -> impl Strategy<Value = What> {
    let number = 0_u64..1_000_000_000_000;
    let outcome = prop_oneof![Just(Outcome::Recorded), Just(Outcome::NotRecorded), Just(Outcome::Asking)];
    let sealed = (number.clone(), any::<u64>(), any::<u64>(), hash(), hash(), at(), any::<bool>(), names());
    let sealed = sealed.prop_map(|(n, position, gaps, hash_list, signature, started, flag, targets)| {
        What::Sealed(Box::new(SealedEntry {
            reference: reference(n),
            recording: recording(n),
            class: if flag { Class::Regulated } else { Class::Consent },
            position,
            hash_list,
            signature,
            key_id: key_id("any"),
            started,
            duration: Duration::from_millis(gaps >> 14),
            gaps,
            interrupted: flag,
            supplement_to: flag.then(|| recording(n + 1)),
            targets,
        }))
    });
    let key = (hash(), text(), text(), any::<bool>()).prop_map(|(certificate, log_key, reason, flag)| {
        What::Key(Box::new(KeyEntry {
            change: if flag { KeyChange::First } else { KeyChange::Replaced },
            key_id: key_id("new"),
            previous: flag.then(|| key_id("old")),
            certificate,
            log_key,
            statement: flag.then_some(certificate),
            reason,
        }))
    });
    prop_oneof![
        number.clone().prop_map(|n| What::Started { reference: reference(n) }),
        (number.clone(), outcome, text()).prop_map(|(n, outcome, rule)| What::Decided {
            reference: reference(n),
            outcome,
            rule
        }),
        (number.clone(), text()).prop_map(|(n, way)| What::Stopped { reference: reference(n), way }),
        sealed,
        (number.clone(), text()).prop_map(|(n, reason)| What::Empty { reference: reference(n), reason }),
        (number.clone(), names(), text(), text()).prop_map(|(n, targets, reason, by)| What::Deleted {
            recording: recording(n),
            targets,
            reason,
            by
        }),
        (number, any::<bool>(), text()).prop_map(|(n, played, by)| What::Accessed {
            recording: recording(n),
            how: if played { Access::Played } else { Access::Exported },
            by
        }),
        key,
        Just(What::Heartbeat),
    ]
}

/// A proof, and the log that it is of. Made once in a process.
static PROOF: LazyLock<(LogProof, LogKey, LogKeyStatement)> = LazyLock::new(|| {
    let log = TestLog::of(Kind::Ed25519, &[calls(9)]);
    let trusted = log.trusted();
    let proof = PublishedLog::open(&log.files, &trusted).unwrap().proof(11).unwrap();
    (proof, log.key.public.clone(), TestRsaKey::new().statement(&log.key.public))
});

fn is_proven(bytes: &[u8]) -> bool {
    LogProof::parse(bytes).is_ok_and(|proof| proof.verify(&PROOF.1).is_ok())
}

#[test]
fn an_entry_is_a_text_that_people_can_read() {
    let expected = "Callseal-Log: 1\n\
        Kind: sealed\n\
        Time: 2026-11-22T09:17:10.123Z\n\
        Tenant: acme\n\
        Reference: 7c0c4ac1ac36d0f6d8a0b2c9a0a8c1d6\n\
        Recording: 01949c3e-7a5b-7000-8000-000000000007\n\
        Class: regulated\n\
        Position: 3\n";
    let bytes = entry(100, sealed(7, 3)).to_bytes();
    let text = String::from_utf8(bytes).unwrap();
    let without_reference = |text: &str| {
        text.lines().filter(|line| !line.starts_with("Reference: ")).collect::<Vec<_>>().join("\n")
    };
    assert!(without_reference(&text).starts_with(&without_reference(expected)), "{text}");
    let rest = "Started: 2026-11-22T09:15:37.123Z\n\
        Duration: 0:01:23.456\n\
        Gaps: 2\n\
        Interrupted: no\n\
        SupplementTo: none\n\
        Targets: archive, bank-sftp\n";
    assert!(text.ends_with(rest), "{text}");
}

#[test]
fn a_reference_is_the_first_half_of_an_hmac_by_the_salt() {
    // printf 01949c3e-7a5b-7000-8000-000000000007 | openssl dgst -sha256 -hmac salt
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("id"), recording(7).to_string()).unwrap();
    let said = super::keys::run("openssl", &["dgst", "-sha256", "-hmac", "salt", "id"], folder.path());
    let expected = said.trim().rsplit(' ').next().unwrap();
    assert_eq!(reference(7).as_str(), &expected[..32]);
}

#[test]
fn entries_in_another_spelling_or_with_more_or_less_in_them_are_refused() {
    let good = String::from_utf8(entry(1, sealed(7, 3)).to_bytes()).unwrap();
    assert!(Entry::parse(good.as_bytes()).is_ok());
    for (from, to) in [
        ("Log: 1", "Log: 2"),
        ("Kind: sealed", "Kind: seal"),
        ("Kind: sealed", "Kind: empty"),
        (".123Z", ".123+00:00"),
        (".123Z", ".1230Z"),
        (".123Z", "Z"),
        ("Position: 3", "Position: +3"),
        ("Position: 3", "Position: 03"),
        ("Position: 3\n", ""),
        ("Gaps: 2", "Gaps: "),
        ("Interrupted: no", "Interrupted: No"),
        ("Class: regulated\nPosition: 3\n", "Position: 3\nClass: regulated\n"),
        ("0:01:23.456", "0:00:83.456"),
        ("Targets: archive, bank-sftp", "Targets: archive,bank-sftp"),
        ("bank-sftp\n", "bank-sftp\n\n"),
        ("bank-sftp\n", "bank-sftp\nMore: x\n"),
        ("bank-sftp\n", "bank-sftp"),
        ("\n", "\r\n"),
    ] {
        let bad = good.replacen(from, to, if from == "\n" { usize::MAX } else { 1 });
        // A comma alone may stand in one name, which is then written with an escape.
        assert!(Entry::parse(bad.as_bytes()).is_err(), "{from:?} as {to:?}");
    }
}

#[test]
fn names_of_logs_hold_nothing_that_a_note_cannot() {
    let origin = Origin::new("Müller + Söhne/1", &tenant(), 7);
    assert_eq!(origin.as_str(), "callseal.io/M-ller---S-hne-1/acme/00000007");
    assert_eq!(origin.as_str().parse(), Ok(origin));
    for bad in
        ["", "callseal.io/a/acme", "callseal.io/a/acme/7", "callseal.io/a/Acme/00000007", "x/a/acme/00000007"]
    {
        assert!(bad.parse::<Origin>().is_err(), "{bad}");
    }
    assert_eq!(Origin::new("", &tenant(), 7).as_str(), "callseal.io/-/acme/00000007");
}

#[test]
fn a_log_key_statement_comes_back_and_a_changed_one_does_not() {
    let statement = &PROOF.2;
    let text = statement.to_text();
    assert_eq!(LogKeyStatement::parse(&text).as_ref(), Ok(statement));
    let (name, other) = (&statement.key.name, "callseal.io/test/beta/0123abcd");
    for bad in [
        text.replacen(name, other, 1),
        text.replacen(name, other, 2),
        text.replace("Z\n", ".5Z\n"),
        text.replace('\n', "\r\n"),
    ] {
        assert!(LogKeyStatement::parse(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_byte_changed_anywhere_in_a_proof_is_refused() {
    let bytes = PROOF.0.to_bytes();
    assert!(is_proven(&bytes));
    for at in 0..bytes.len() {
        for bit in [0x01, 0x02, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            assert!(!is_proven(&changed), "byte {at}, bit {bit:02x}");
        }
        assert!(!is_proven(&bytes[..at]), "cut off at {at}");
    }
    assert!(!is_proven(&[bytes.as_slice(), b"\n"].concat()));
}

#[test]
fn a_byte_changed_anywhere_in_a_checkpoint_is_refused() {
    let bytes = &PROOF.0.checkpoint;
    let is_good =
        |bytes: &[u8]| SignedCheckpoint::parse(bytes).is_ok_and(|signed| signed.is_signed_by(&PROOF.1));
    assert!(is_good(bytes));
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(!is_good(&changed), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_proof_under_the_key_of_another_log_is_refused() {
    let (proof, key, _) = &*PROOF;
    let other = LogKey { name: "callseal.io/test/beta/0123abcd".into(), ..key.clone() };
    assert_eq!(
        proof.verify(&other).unwrap_err().to_string(),
        format!("the proof is of the log {}, not of this one", key.name)
    );
}

proptest! {
    #[test]
    fn an_entry_comes_back_byte_for_byte(at in at(), what in what()) {
        let bytes = Entry { at, tenant: tenant(), what }.to_bytes();
        prop_assert!(bytes.len() <= evidence::log::entry::MAX_ENTRY_BYTES);
        let parsed = Entry::parse(&bytes);
        prop_assert_eq!(parsed.as_ref().map(Entry::to_bytes), Ok(bytes));
    }

    #[test]
    fn what_is_not_too_long_comes_back_as_it_was(at in at(), n in 0_u64..1000, by in "\\PC{0,80}", targets in names()) {
        let what = What::Deleted { recording: recording(n), targets, reason: by.clone(), by };
        let entry = Entry { at, tenant: tenant(), what };
        let short = matches!(&entry.what, What::Deleted { targets, .. } if targets.iter().all(|name| name.chars().count() < 64));
        prop_assume!(short);
        prop_assert_eq!(Entry::parse(&entry.to_bytes()), Ok(entry));
    }

    #[test]
    fn a_changed_entry_is_another_entry_or_none(at in at(), what in what(), byte in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let mut bytes = Entry { at, tenant: tenant(), what }.to_bytes();
        let at = byte.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(entry) = Entry::parse(&bytes) {
            prop_assert_eq!(entry.to_bytes(), bytes);
        }
    }

    #[test]
    fn bytes_from_anywhere_make_nothing_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = (Entry::parse(&bytes), SignedCheckpoint::parse(&bytes), LogProof::parse(&bytes));
        let _ = (Frontier::from_bytes(&bytes), split_bundle(&bytes));
        let text = String::from_utf8_lossy(&bytes);
        let _ = (Checkpoint::parse(&text), LogKeyStatement::parse(&text), LogKey::parse(&text), WitnessKey::parse(&text));
    }

    #[test]
    fn texts_that_look_right_make_nothing_panic(
        a in "[a-z0-9+/=. ]{0,20}", b in "[0-9]{0,25}", c in "[A-Za-z0-9+/=]{0,60}", lines in proptest::collection::vec("[A-Za-z0-9+/=]{44}", 0..70),
    ) {
        let checkpoint = format!("{a}\n{b}\n{c}\n\n— {a} {c}\n");
        let _ = SignedCheckpoint::parse(checkpoint.as_bytes());
        let proof = format!("c2sp.org/tlog-proof@v1\nextra {c}\nindex {b}\n{}\n\n{checkpoint}", lines.join("\n"));
        if let Ok(proof) = LogProof::parse(proof.as_bytes()) {
            let _ = proof.verify(&PROOF.1);
        }
        let vkey = format!("{a}+{b}+{c}");
        let _ = (LogKey::parse(&vkey), WitnessKey::parse(&vkey));
    }

    #[test]
    fn a_bundle_gives_back_its_entries(entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20)) {
        let bundle = write_bundle(entries.iter().map(Vec::as_slice)).unwrap();
        let (read, is_whole) = split_bundle(&bundle);
        prop_assert!(is_whole);
        prop_assert_eq!(read, entries);
    }
}

#[test]
fn times_are_cut_off_to_the_millisecond_and_never_lie_later_than_they_were() {
    let at: Timestamp = "2026-11-22T09:15:30.123999Z".parse().unwrap();
    let entry = Entry { at, tenant: tenant(), what: What::Heartbeat };
    assert_eq!(Entry::parse(&entry.to_bytes()).unwrap().at, time(0));
}
