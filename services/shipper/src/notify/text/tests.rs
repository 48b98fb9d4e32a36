//! The mails, as people read them.

use super::*;

const NOW: i64 = 1_795_380_000;

fn at(seconds_ago: i64) -> Timestamp {
    Timestamp::from_second(NOW - seconds_ago).unwrap()
}

fn key(tenant: Option<&str>, place: &str, kind: Kind) -> Key {
    let tenant = tenant.map(|tenant| tenant.parse().unwrap());
    Key { service: "shipper".into(), tenant, place: place.into(), kind }
}

fn episode(seconds_ago: i64, problem: &str, count: u64) -> Episode {
    Episode {
        since: at(seconds_ago),
        gone_since: None,
        told: None,
        peak: 0,
        told_at: None,
        most: count,
        level: 0,
        count,
        problem: problem.into(),
        recording: String::new(),
    }
}

/// One of each mail.
fn letters(writer: &Writer) -> Vec<Letter> {
    let acme = Some("acme");
    let away = "the SFTP server vault:22 cannot be reached; check that it runs";
    let now = at(0);
    let failing = (key(acme, "target archive", Kind::Failing), episode(180, away, 1));
    let journal = (key(acme, "journal main", Kind::Failing), episode(9_000, "the password is refused", 312));
    let quota = Episode { level: 85, ..episode(0, "425.0 GB / 500.0 GB", 0) };
    let lost = "the signing key \"callseal\" is not in the token";
    let id = "01949c3e-7a5b-7000-8000-000000000001";
    let aside = Episode { recording: id.into(), ..episode(300, "a file in staging is damaged", 2) };
    let mut letters = vec![
        writer.start(&failing.0, &failing.1, now),
        writer.start(&journal.0, &journal.1, now),
        writer.start(&key(acme, "target archive", Kind::SetAside), &aside, now),
        writer.start(&key(acme, "target old", Kind::Orphaned), &episode(600, "", 7), now),
        writer.start(&key(acme, "target old", Kind::Returned), &episode(600, "", 7), now),
        writer.start(
            &key(acme, "target new", Kind::Incomplete),
            &episode(600, "no host key is pinned", 0),
            now,
        ),
        writer.start(&key(None, "signer/key", Kind::Reported), &episode(600, lost, 4), now),
        writer.start(
            &key(acme, "signer/seal", Kind::Reported),
            &Episode { recording: id.into(), ..episode(600, "a file cannot be written to staging", 1) },
            now,
        ),
        writer.start(&key(acme, "log", Kind::Halted), &episode(600, "the state was set back", 0), now),
        writer.start(&key(None, "staging", Kind::Quota), &quota, now),
        writer.start(&key(None, "staging", Kind::FullSoon), &episode(0, "425.0 GB / 500.0 GB", 6), now),
        writer.start(&key(None, "bus", Kind::Bus), &episode(240, "", 0), now),
        writer.start(
            &key(acme, "deletion", Kind::Deleting),
            &Episode { recording: id.into(), ..episode(600, "target archive: is empty: is it mounted?", 3) },
            now,
        ),
        writer.start(&key(None, "clock", Kind::Clock), &episode(600, "the clock has jumped forward", 0), now),
        writer.start(
            &key(acme, "target archive", Kind::Astray),
            &Episode { recording: id.into(), level: 2, ..episode(600, "a file of it is gone", 2) },
            now,
        ),
        writer.digest(&[(&failing.0, &failing.1), (&journal.0, &journal.1)], now),
        writer.digest(&[(&failing.0, &Episode { since: at(400_000), ..failing.1.clone() })], now),
    ];
    let gone = Episode { gone_since: Some(at(120)), ..journal.1.clone() };
    letters.push(writer.over(&journal.0, &gone, Some(0)));
    letters.push(writer.over(
        &failing.0,
        &Episode { gone_since: Some(at(100)), ..failing.1.clone() },
        Some(2),
    ));
    letters.push(writer.over(&key(None, "signer/key", Kind::Reported), &gone, None));
    letters.push(writer.over(
        &key(None, "staging", Kind::Quota),
        &Episode { peak: 95, gone_since: Some(at(0)), ..quota },
        None,
    ));
    for (stage, days) in [(Stage::Month, 30), (Stage::Week, 7), (Stage::Day, 1), (Stage::Over, 0)] {
        let at = at(-days * 86_400);
        let (place, what) = ("target archive".to_owned(), "the client secret".to_owned());
        letters
            .push(writer.ends(&Ending { tenant: acme.map(|t| t.parse().unwrap()), place, what, at }, stage));
    }
    let digest = writer.digest(&[(&failing.0, &episode(180, away, 1))], now);
    letters.push(Letter { body: writer.after_dropped(&digest.body, 12), ..digest });
    let signing = Ending {
        tenant: None,
        place: "signer".into(),
        what: "the signing certificate".into(),
        at: at(-86_400),
    };
    letters.push(writer.ends(&signing, Stage::Day));
    letters
}

fn page(language: Language) -> String {
    let writer = Writer::new(language, TimeZone::get("Europe/Berlin").unwrap());
    let shown = |letter: Letter| format!("Subject: {}\n\n{}", letter.subject, letter.body);
    letters(&writer).into_iter().map(shown).collect::<Vec<_>>().join("\n==========\n\n")
}

#[test]
fn the_mails_in_english() {
    insta::assert_snapshot!("en", page(Language::En));
}

#[test]
fn the_mails_in_german() {
    insta::assert_snapshot!("de", page(Language::De));
}

#[test]
fn the_mails_in_french() {
    insta::assert_snapshot!("fr", page(Language::Fr));
}

#[test]
fn a_subject_is_one_line_and_a_fault_says_what_to_do() {
    for language in Language::ALL {
        for letter in letters(&Writer::new(language, TimeZone::UTC)) {
            assert!(!letter.subject.chars().any(char::is_control), "{letter:?}");
            assert!(
                letter.about == "over"
                    || letter.body.contains("callseal ")
                    || letter.subject.contains("NATS")
                    || letter.body.contains("docs/"),
                "{letter:?}"
            );
        }
    }
}
