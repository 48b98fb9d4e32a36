//! What an audit of a log tells.

use std::time::Duration;

use domain::Class;
use evidence::log::{
    Access, Entry, KeyChange, LogKey, Outcome, PublishedLog, What,
    audit::{Audit, AuditFinding, AuditNote, AuditReport, Deeds},
};

use super::{
    built::{TestLog, calls, decided, entry, key, key_id, recording, reference, sealed, started, time},
    keys::{Kind, TestLogKey},
};

const GRACE: Duration = Duration::from_secs(3600);

/// One entry a second; the audit is held ten seconds after the last.
fn audit(what: Vec<What>, late: u64) -> AuditReport {
    let entries: Vec<Entry> = (0..).zip(what).map(|(second, what)| entry(second, what)).collect();
    let mut audit = Audit::new();
    let now = time(entries.len() as u64 + late);
    (0..).zip(&entries).for_each(|(index, entry)| audit.add(index, entry));
    audit.finish(now, GRACE)
}

fn findings(what: Vec<What>) -> Vec<String> {
    let report = audit(what, 2 * 3600);
    report.findings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_log_in_which_every_call_ended_has_no_gap() {
    let what = calls(50).iter().map(|bytes| Entry::parse(bytes).unwrap().what).collect();
    let report = audit(what, 2 * 3600);
    assert_eq!(report.findings, []);
    let chain = &report.chains[&Class::Regulated];
    assert_eq!((chain.first, chain.last, chain.sealed), (1, 50, 50));
    assert_eq!((report.entries, report.times), (150, Some((time(0), time(149)))));
}

#[test]
fn a_call_that_began_and_never_ended_is_a_gap_after_the_grace() {
    let what = vec![
        started(1),
        decided(1, Outcome::Recorded),
        started(2),
        decided(2, Outcome::NotRecorded),
        started(3),
        What::Empty { reference: reference(3), reason: "no audio came".into() },
        started(4),
        decided(4, Outcome::Asking),
        started(5),
        sealed(5, 1),
        What::Stopped { reference: reference(1), way: "key".into() },
    ];
    let never =
        |number, index| AuditFinding::NeverEnded { index, reference: reference(number), at: time(index) };
    assert_eq!(audit(what.clone(), 2 * 3600).findings, [never(1, 0), never(4, 6)]);
    assert_eq!(audit(what, 10).findings, [], "the calls may still be under way");
}

#[test]
fn places_that_are_missing_double_or_out_of_order_are_told() {
    let missing = findings(vec![sealed(1, 1), sealed(2, 2), sealed(3, 4), sealed(4, 9)]);
    assert_eq!(
        missing,
        [
            "no recording has position 3 in the chain of class regulated: entry 2 passed it over",
            "no recordings have positions 5 to 8 in the chain of class regulated: entry 3 passed them over",
        ]
    );
    let double = findings(vec![sealed(1, 1), sealed(2, 2), sealed(3, 2)]);
    assert_eq!(
        double,
        [format!(
            "recording {} (entry 2) has position 2 in the chain of class regulated, which another had before: the chain is forked",
            recording(3)
        )]
    );
    let late = findings(vec![sealed(1, 1), sealed(2, 5), sealed(3, 3)]);
    assert_eq!(late.len(), 3, "{late:?}");
    assert!(late[0].contains("position 2 ") && late[1].contains("position 4 "), "{late:?}");
    assert!(
        late[2].contains("at position 3") && late[2].contains("sealed after one that follows it"),
        "{late:?}"
    );
}

#[test]
fn a_chain_older_than_its_log_is_no_gap() {
    let report = audit(vec![sealed(1, 1000), sealed(2, 1001)], 0);
    assert_eq!(report.findings, []);
    assert_eq!(report.chains[&Class::Regulated].first, 1000);
}

#[test]
fn changes_of_keys_are_told_and_a_lost_one_loudly() {
    let report = audit(
        vec![
            key(KeyChange::First, "first", None),
            sealed(1, 1),
            key(KeyChange::Rotated, "second", Some("first")),
            key(KeyChange::Replaced, "third", Some("second")),
        ],
        0,
    );
    assert_eq!(report.findings, []);
    assert_eq!(report.key, Some(key_id("third")));
    let loud: Vec<String> =
        report.notes.iter().filter(|note| note.is_loud()).map(ToString::to_string).collect();
    assert_eq!(report.notes.len(), 3);
    assert!(
        loud.len() == 1 && loud[0].starts_with("ATTENTION: the key ") && loud[0].contains("did NOT agree")
    );
}

#[test]
fn a_key_that_the_log_does_not_name_is_told() {
    let report = audit(
        vec![
            key(KeyChange::First, "other", None),
            sealed(1, 1),
            key(KeyChange::Rotated, "third", Some("unknown")),
            key(KeyChange::First, "fourth", Some("third")),
        ],
        0,
    );
    let expected = [
        AuditFinding::OtherKey {
            index: 1,
            recording: recording(1),
            key: key_id("first"),
            expected: key_id("other"),
        },
        AuditFinding::KeyOutOfLine {
            index: 2,
            named: Some(key_id("unknown")),
            expected: Some(key_id("other")),
        },
        AuditFinding::SecondFirstKey { index: 3, key: key_id("fourth") },
    ];
    assert_eq!(report.findings, expected);
}

#[test]
fn who_deleted_listened_and_stopped_is_told_with_when_and_why() {
    let deleted = What::Deleted {
        recording: recording(1),
        targets: vec![],
        reason: "retention of 5 years".into(),
        by: "shipper".into(),
    };
    let accessed = |how| What::Accessed { recording: recording(1), how, by: "anna".into() };
    let what = vec![
        sealed(1, 1),
        deleted,
        accessed(Access::Played),
        accessed(Access::Exported),
        What::Stopped { reference: reference(2), way: "the phone's button".into() },
    ];
    let told = (0..).zip(&what).filter_map(|(at, what)| AuditNote::of(at, &entry(at, what.clone())));
    let told: Vec<_> = told.map(|note| note.to_string()).collect();
    let (id, at) = (recording(1), |second| format!("{:.0}", time(second)));
    let expected = [
        format!(
            "recording {id} was deleted at {} by shipper from all: retention of 5 years (entry 1)",
            at(1)
        ),
        format!("recording {id} was listened to at {} by anna (entry 2)", at(2)),
        format!("recording {id} was taken out at {} by anna (entry 3)", at(3)),
        format!(
            "a recording was stopped at {} by the phone's button (entry 4, reference {})",
            at(4),
            reference(2)
        ),
    ];
    assert_eq!(told, expected);
    let report = audit(what, 0);
    assert_eq!(report.findings, []);
    assert_eq!(report.deeds, Deeds { stopped: 1, played: 1, exported: 1, deleted: 1 });
}

#[test]
fn a_heartbeat_that_did_not_come_is_told_loudly_with_from_and_to() {
    let mut audit = Audit::new();
    // An hour, an hour and a quarter, and three hours.
    for (index, minutes) in (0..).zip([0, 60, 135, 315]) {
        audit.add(index, &entry(minutes * 60, What::Heartbeat));
    }
    let report = audit.finish(time(315 * 60), GRACE);
    assert_eq!(report.notes, [AuditNote::Silence { index: 3, from: time(135 * 60), to: time(315 * 60) }]);
    assert!(report.notes[0].is_loud());
}

#[test]
fn a_checkpoint_by_a_log_key_that_was_put_out_of_use_is_told() {
    let mut log = TestLog::new(Kind::Ed25519);
    let (former, name) = (log.key.public.clone(), log.key.public.name.clone());
    let next = TestLogKey::new(Kind::P256, &name);
    let change = |to: &LogKey, change, previous| {
        let What::Key(mut entry) = key(change, "first", previous) else { unreachable!() };
        entry.log_key = to.vkey();
        entry_of(What::Key(entry))
    };
    log.add(&[
        change(&former, KeyChange::First, None),
        change(&next.public, KeyChange::Rotated, Some("first")),
    ]);
    let retired = |log: &TestLog| {
        let (trusted, mut audit) = (log.trusted(), Audit::new());
        let published = PublishedLog::open(&log.files, &trusted).unwrap();
        published.entries().map(Result::unwrap).for_each(|(index, entry)| audit.add(index, &entry));
        audit.finish(time(0), GRACE).retired_key(published.newest())
    };
    assert_eq!(retired(&log), Some(AuditFinding::RetiredLogKey { index: 1, size: 2 }));
    log.key = next;
    log.put_statement();
    log.add(&[entry_of(What::Heartbeat)]);
    assert_eq!(retired(&log), None);
}

fn entry_of(what: What) -> Vec<u8> {
    entry(0, what).to_bytes()
}
