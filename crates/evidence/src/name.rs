//! Names of a recording's files (F-40): they sort by time and are allowed on every target.

mod section;

use std::{fmt, str::FromStr};

use domain::{Direction, RecordingId};
use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use unicode_normalization::UnicodeNormalization;

pub use self::section::{AudioFormat, Section};

/// How many bytes of a number stand in a name: enough for any number and most SIP addresses, and
/// with two of them a name stays under 200 bytes, which even encrypting file systems take.
const NUMBER_BYTES: usize = 40;
/// `20261122-091530.123Z`
const STAMP: &str = "%Y%m%d-%H%M%S.%3fZ";
const STAMP_BYTES: usize = 20;
const ID_BYTES: usize = 36;

/// Why a text is not the base name of a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a recording: expected <time stamp>_<direction>_<caller>_<callee>_<recording id>")]
pub struct InvalidBaseName;

/// The name that all files of one recording begin with:
/// `20261122-091530.123Z_in_+4970311234_+4922198765_<recording id>`.
///
/// The stamp is UTC, because local time repeats an hour each autumn. Numbers keep letters and digits of
/// any script (in Unicode form NFC), `+`, `-` and `.`; anything else becomes `_`. No two names of
/// different recordings are equal even where case counts for nothing, because the id stands in them.
/// Holds numbers: `Debug` shows the recording id alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaseName {
    text: String,
    started: Timestamp,
    direction: Direction,
    recording: RecordingId,
}

impl BaseName {
    /// The name of a recording whose sample 0 was at `started` (milliseconds count).
    pub fn new(
        started: Timestamp,
        direction: Direction,
        caller: &str,
        callee: &str,
        recording: RecordingId,
    ) -> Self {
        let started = whole_milliseconds(started);
        let stamp = started.to_zoned(TimeZone::UTC).strftime(STAMP);
        let text = format!("{stamp}_{direction}_{}_{}_{recording}", safe(caller), safe(callee));
        Self { text, started, direction, recording }
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// When sample 0 was; whole milliseconds.
    pub const fn started(&self) -> Timestamp {
        self.started
    }

    /// The direction of the call.
    pub const fn direction(&self) -> Direction {
        self.direction
    }

    /// Whose name it is.
    pub const fn recording(&self) -> RecordingId {
        self.recording
    }

    /// The name of the file that holds `section`.
    pub fn file(&self, section: Section) -> String {
        format!("{}{section}", self.text)
    }

    /// The recording and section that a file name stands for; `None` if it is not a name of ours.
    pub fn parse_file(name: &str) -> Option<(Self, Section)> {
        let (base, ending) = Self::split_file(name)?;
        Some((base, ending.parse().ok()?))
    }

    /// The recording that a file name begins with, and what follows, known section or not.
    pub fn split_file(name: &str) -> Option<(Self, &str)> {
        // The id ends the base name, and no ending of a section looks like an id: the last place
        // where the text up to it is a base name is the place.
        let mut at = name.len();
        while at > STAMP_BYTES + ID_BYTES {
            if name.is_char_boundary(at)
                && let Ok(base) = name[..at].parse()
            {
                return Some((base, &name[at..]));
            }
            at -= 1;
        }
        None
    }
}

impl FromStr for BaseName {
    type Err = InvalidBaseName;
    fn from_str(text: &str) -> Result<Self, InvalidBaseName> {
        let parse = || {
            let (stamp, rest) = text.split_at_checked(STAMP_BYTES)?;
            let started = strtime::parse("%Y%m%d-%H%M%S.%fZ", stamp).ok()?.to_datetime().ok()?;
            let started = started.to_zoned(TimeZone::UTC).ok()?.timestamp();
            let (direction, rest) = rest.strip_prefix('_')?.split_once('_')?;
            let (numbers, id) = rest.split_at_checked(rest.len().checked_sub(ID_BYTES)?)?;
            // An underscore may stand for any sign of a number, so where the first number ends is not
            // told apart.
            let numbers = numbers.strip_suffix('_')?;
            let clean = numbers.contains('_') && numbers.chars().all(|c| is_safe(c) || c == '_');
            let direction = direction.parse().ok()?;
            let recording = id.parse().ok()?;
            (clean && text.len() < 160 && is_stamp(stamp, started)).then(|| Self {
                text: text.to_owned(),
                started,
                direction,
                recording,
            })
        };
        parse().ok_or(InvalidBaseName)
    }
}

impl fmt::Debug for BaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseName(…_{})", self.recording)
    }
}

/// `at` without what is finer than a millisecond.
pub(crate) fn whole_milliseconds(at: Timestamp) -> Timestamp {
    // A floor towards the past; every millisecond of a timestamp is a timestamp.
    Timestamp::from_millisecond(at.as_nanosecond().div_euclid(1_000_000) as i64).unwrap_or(at)
}

/// A time has one spelling.
fn is_stamp(text: &str, at: Timestamp) -> bool {
    at.to_zoned(TimeZone::UTC).strftime(STAMP).to_string() == text
}

fn is_safe(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '+' | '-' | '.')
}

/// A number as it can stand in a name on every target.
fn safe(number: &str) -> String {
    let mut out = String::new();
    for c in number.trim().nfc().map(|c| if is_safe(c) { c } else { '_' }) {
        if out.len() + c.len_utf8() > NUMBER_BYTES {
            break;
        }
        out.push(c);
    }
    if out.is_empty() { "anonymous".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use domain::Side;
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "01949c3e-7a5b-7000-8000-000000000001";

    fn name(caller: &str, callee: &str) -> BaseName {
        let started = "2026-11-22T09:15:30.1239Z".parse().unwrap();
        BaseName::new(started, Direction::In, caller, callee, ID.parse().unwrap())
    }

    #[test]
    fn a_name_holds_utc_stamp_direction_both_numbers_and_the_id() {
        let base = name("+4970311234", "+4922198765");
        let expected = format!("20261122-091530.123Z_in_+4970311234_+4922198765_{ID}");
        assert_eq!(base.as_str(), expected);
        assert_eq!(expected.parse::<BaseName>().unwrap(), base);
        assert_eq!(base.started(), "2026-11-22T09:15:30.123Z".parse().unwrap());
        assert_eq!(base.file(Section::Info), format!("{expected}_info.txt"));
    }

    #[test]
    fn what_a_target_would_not_take_becomes_an_underscore() {
        for (number, expected) in [
            ("", "anonymous"),
            ("  ", "anonymous"),
            ("*21#", "_21_"),
            ("a:b*c?d\"e<f>g|h\\i/j", "a_b_c_d_e_f_g_h_i_j"),
            ("mu\u{308}ller", "m\u{fc}ller"),
            ("x\u{0}\u{202e}y", "x__y"),
            ("alice@example.org", "alice_example.org"),
        ] {
            let base = name(number, "1");
            assert_eq!(base.as_str(), format!("20261122-091530.123Z_in_{expected}_1_{ID}"), "{number:?}");
        }
    }

    #[test]
    fn names_sort_by_time_and_debug_shows_no_number() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let named = |ms| BaseName::new(at(ms), Direction::Out, "1", "2", ID.parse().unwrap());
        let mut names: Vec<_> = [0, 999, 1_000, 1_767_225_599_999, 1_767_225_600_000].map(named).to_vec();
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        assert!(names.is_sorted_by_key(BaseName::started));
        assert_eq!(format!("{:?}", name("5551234", "5559876")), format!("BaseName(…_{ID})"));
    }

    proptest! {
        #[test]
        fn any_two_numbers_make_a_name_that_every_target_takes_and_that_parses_back(
            caller in any::<String>(), callee in any::<String>(), ms in 0_i64..253_402_300_799_000,
        ) {
            let at = Timestamp::from_millisecond(ms).unwrap();
            let base = BaseName::new(at, Direction::Internal, &caller, &callee, ID.parse().unwrap());
            for section in [Section::Signature, Section::wav(Some(Side::Caller), 12)] {
                let file = base.file(section);
                prop_assert!(file.len() < 200 && !file.ends_with(['.', ' ']));
                let bad = |c: char| c.is_control() || c.is_whitespace() || ":*?\"<>|\\/#%~@".contains(c);
                prop_assert!(!file.contains(bad), "{file}");
                prop_assert!(file.nfc().eq(file.chars()));
                prop_assert_eq!(BaseName::parse_file(&file), Some((base.clone(), section)));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>(), tail in any::<String>()) {
            BaseName::parse_file(&text);
            let file = format!("{}{tail}", name("1", "2").as_str());
            let split = BaseName::split_file(&file).map(|(_, ending)| ending.to_owned());
            prop_assert!(split.is_some());
        }
    }
}
