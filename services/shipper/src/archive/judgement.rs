//! Whether a recording may be deleted. Pure: what is known of it, the hold over it, what its rule says now
//! and the time go in.

use domain::{Class, RecordingId, TenantId, resources::Retention};
use jiff::{Timestamp, tz::TimeZone};

/// What the index knows of a recording, fixed when it was sealed.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub tenant: TenantId,
    pub recording: RecordingId,
    pub rule: String,
    /// `None`: a word that this version does not know.
    pub class: Option<Class>,
    /// The hash of the PBX's call id.
    pub call: String,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub zone: TimeZone,
    /// `None`: for ever.
    pub keep_until: Option<Timestamp>,
    pub erasable: bool,
}

/// On what ground a recording is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// Its retention has ended.
    Retention,
    /// Two people want it.
    Request,
}

impl Ground {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Request => "request",
        }
    }
}

/// What the rule of a recording says now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleNow {
    /// There is no such rule any more.
    Gone,
    /// So long; `None`: for ever.
    Says(Option<Retention>),
}

/// Why something is not done, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the archive index of this tenant knows no such recording")]
    Unknown,
    #[error("it is deleted already")]
    Deleted,
    #[error("legal hold {0} is over it: `callseal hold list` shows why; two people can release it")]
    Held(i64),
    #[error("it has to be kept until {}: its rule says so, or said so when it was sealed", day(.0))]
    Kept(Timestamp),
    #[error("it has to be kept for ever: its rule says no retention, or said none when it was sealed")]
    KeptForEver,
    #[error(
        "it is still on its way to a storage target: `callseal shipments` shows where; it can be deleted when it is there, \
         or when that order was given up"
    )]
    OnItsWay,
    #[error(
        "no storage target that has it lets anything be deleted: `deletion: allowed` in the target permits it"
    )]
    NoTargetAllows,
    #[error("a second person has to confirm it: this is the one who asked")]
    SamePerson,
    #[error("deletion {0} of it is open already: confirm or withdraw that one")]
    OpenAlready(i64),
    #[error("there is no open request of this number")]
    NoSuchRequest,
    #[error("there is no hold of this number in force")]
    NoSuchHold,
    #[error("nobody has asked for the release of this hold: `callseal hold release` does")]
    ReleaseNotAsked,
    #[error("{0}")]
    Text(&'static str),
}

fn day(until: &Timestamp) -> String {
    until.strftime("%F %H:%M UTC").to_string()
}

/// Until when a recording is kept: what was fixed when it was sealed, or longer, if its rule says so now. A
/// rule that says less than it did changes nothing. `None`: for ever.
pub(super) fn kept_until(kept: &Kept, rule: RuleNow) -> Option<Timestamp> {
    let sealed = kept.keep_until?;
    match rule {
        RuleNow::Gone => Some(sealed),
        RuleNow::Says(now) => Some(sealed.max(now?.end(kept.ended, &kept.zone))),
    }
}

/// Looks whether anything stands against the deletion of a recording.
///
/// # Errors
/// What does.
pub(super) fn judge(
    kept: &Kept,
    hold: Option<i64>,
    rule: RuleNow,
    ground: Ground,
    now: Timestamp,
) -> Result<(), Refusal> {
    if let Some(hold) = hold {
        return Err(Refusal::Held(hold));
    }
    if ground == Ground::Request && is_erasable(kept, rule, now) {
        return Ok(());
    }
    match kept_until(kept, rule) {
        None => Err(Refusal::KeptForEver),
        Some(until) if now < until => Err(Refusal::Kept(until)),
        Some(_) => Ok(()),
    }
}

/// What may go before its time. A term that a rule got since it made a manual recording counts for it.
fn is_erasable(kept: &Kept, rule: RuleNow, now: Timestamp) -> bool {
    let term = match rule {
        RuleNow::Says(Some(retention)) => Some(retention.end(kept.ended, &kept.zone)),
        _ => None,
    };
    match kept.class {
        Some(Class::Consent) => kept.erasable,
        Some(Class::Manual) => kept.erasable && term.is_none_or(|term| term <= now),
        Some(Class::Regulated) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn kept(class: Class, until: Option<&str>, erasable: bool) -> Kept {
        Kept {
            tenant: "acme".parse().unwrap(),
            recording: RecordingId::new(),
            rule: "desk".into(),
            class: Some(class),
            call: String::new(),
            started: at("2026-11-22T09:00:00Z"),
            ended: at("2026-11-22T09:05:00Z"),
            zone: TimeZone::UTC,
            keep_until: until.map(at),
            erasable,
        }
    }

    #[test]
    fn a_longer_retention_of_the_rule_counts_afterwards_and_a_shorter_one_does_not() {
        use Retention::{Days, Years};
        let sealed = "2026-12-23T00:00:00Z";
        for (rule, until) in [
            (RuleNow::Gone, Some(sealed)),
            (RuleNow::Says(Some(Days(1))), Some(sealed)),
            (RuleNow::Says(Some(Days(30))), Some(sealed)),
            (RuleNow::Says(Some(Years(10))), Some("2036-11-23T00:00:00Z")),
            (RuleNow::Says(None), None),
        ] {
            let kept = kept(Class::Regulated, Some(sealed), false);
            assert_eq!(kept_until(&kept, rule), until.map(at), "{rule:?}");
        }
        // What was to be kept for ever is.
        let for_ever = kept(Class::Regulated, None, false);
        assert_eq!(kept_until(&for_ever, RuleNow::Says(Some(Days(1)))), None);
    }

    #[test]
    fn what_stands_against_a_deletion_depends_on_class_ground_and_time() {
        use Class::{Consent, Manual, Regulated};
        use Ground::{Request, Retention as Ended};
        let until = Some("2026-12-01T00:00:00Z");
        let (before, after) = (at("2026-11-30T23:59:59.999Z"), at("2026-12-01T00:00:00Z"));
        let short = RuleNow::Says(Some(Retention::Days(1)));
        let long = RuleNow::Says(Some(Retention::Years(1)));
        let (to_come, later) =
            (Refusal::Kept(at("2026-12-01T00:00:00Z")), Refusal::Kept(at("2027-11-23T00:00:00Z")));
        for (kept, rule, ground, now, expected) in [
            (kept(Regulated, until, false), short, Ended, before, Err(to_come.clone())),
            (kept(Regulated, until, false), short, Request, before, Err(to_come.clone())),
            (kept(Regulated, until, false), short, Ended, after, Ok(())),
            (kept(Regulated, until, false), short, Request, after, Ok(())),
            (kept(Regulated, until, false), long, Ended, after, Err(later.clone())),
            (kept(Regulated, None, false), short, Request, after, Err(Refusal::KeptForEver)),
            // A word in a message does not make a regulated recording erasable.
            (kept(Regulated, until, true), short, Request, before, Err(to_come.clone())),
            (kept(Consent, until, true), short, Ended, before, Err(to_come.clone())),
            (kept(Consent, until, true), long, Request, before, Ok(())),
            (kept(Consent, None, true), RuleNow::Gone, Request, before, Ok(())),
            (kept(Consent, None, true), RuleNow::Gone, Ended, after, Err(Refusal::KeptForEver)),
            (kept(Manual, None, true), RuleNow::Says(None), Request, before, Ok(())),
            (kept(Manual, None, true), long, Request, before, Err(Refusal::KeptForEver)),
            (kept(Manual, until, false), short, Request, before, Err(to_come)),
        ] {
            assert_eq!(judge(&kept, None, rule, ground, now), expected, "{kept:?} {rule:?} {ground:?} {now}");
            assert_eq!(judge(&kept, Some(7), rule, ground, now), Err(Refusal::Held(7)));
        }
    }
}
