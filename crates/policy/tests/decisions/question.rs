//! Which keys count in an open question, and when it is over (F-20 … F-24).

use domain::{
    AnnouncementPlayed, AskedBy, Channels, Class, Consent, ConsentAsked, ConsentMode, ConsentOutcome,
    ConsentSource, Recorded, Side,
};
use policy::consent::Question;
use proptest::{collection::vec, option, prelude::*, sample::select};

/// The announcement begins here, takes 3 s, and 5 s remain for a key. Microseconds.
const BEGAN: i64 = 1_000_000_000;
const ENDS: i64 = BEGAN + 3_000_000;
const LAST: i64 = ENDS + 5_000_000;

fn asked(mode: ConsentMode, key: Option<char>) -> ConsentAsked {
    ConsentAsked {
        recorded: Recorded {
            rule: "desk".parse().unwrap(),
            class: Class::Consent,
            channels: Channels::Stereo,
            targets: vec![],
            journals: vec![],
            consent: None,
            stop_keys: None,
        },
        mode,
        asked_by: AskedBy::RecordedCall,
        asked_side: Side::Caller,
        announcement: Some(AnnouncementPlayed {
            name: "welcome".parse().unwrap(),
            sha256: "ab".repeat(32),
            duration_ms: 3_000,
        }),
        key,
        window_ms: 5_000,
        in_band: false,
    }
}

/// Both ways to ask: the end computed, and the end told.
fn both(mode: ConsentMode, key: Option<char>) -> [Question; 2] {
    let asked = asked(mode, key);
    let mut played = Question::of_consent_call(&asked);
    played.begin(BEGAN);
    [Question::new(&asked, BEGAN), played]
}

/// One key, then the end of time; the announcement's end is told when its time has come.
fn answer(question: &mut Question, side: Side, key: char, at: i64) -> Consent {
    let told = |question: &mut Question| question.announcement_ended(ENDS);
    let first = if at < ENDS { question.key(side, key, at) } else { told(question) };
    let second = if at < ENDS { told(question) } else { question.key(side, key, at) };
    first.or(second).or_else(|| question.time(LAST + 1)).expect("an answer at the end of time")
}

#[test]
fn f21_a_key_counts_from_when_doubt_does_not_speak_for_the_caller() {
    use ConsentMode::{OptIn, OptOut};
    use ConsentOutcome::{Denied, Granted, NoAnswer};
    for (what, mode, only, side, key, at, expected) in [
        ("opt-in: after the announcement", OptIn, None, Side::Caller, '1', ENDS, Granted),
        ("opt-in: at the last moment", OptIn, None, Side::Caller, '1', LAST, Granted),
        ("opt-in: a moment too late", OptIn, None, Side::Caller, '1', LAST + 1, NoAnswer),
        ("opt-in: before it was heard to the end", OptIn, None, Side::Caller, '1', ENDS - 1, NoAnswer),
        ("opt-in: the configured key", OptIn, Some('5'), Side::Caller, '5', ENDS + 1, Granted),
        ("opt-in: another key", OptIn, Some('5'), Side::Caller, '1', ENDS + 1, NoAnswer),
        ("opt-in: the other side's key", OptIn, None, Side::Callee, '1', ENDS + 1, NoAnswer),
        ("opt-out: after the announcement", OptOut, None, Side::Caller, '#', ENDS + 1, Denied),
        ("opt-out: at the first moment", OptOut, None, Side::Caller, '1', BEGAN, Denied),
        ("opt-out: before anything was played", OptOut, None, Side::Caller, '1', BEGAN - 1, NoAnswer),
        ("opt-out: a moment too late", OptOut, None, Side::Caller, '1', LAST + 1, NoAnswer),
        ("opt-out: another key", OptOut, Some('5'), Side::Caller, '1', ENDS + 1, NoAnswer),
    ] {
        for mut question in both(mode, only) {
            let consent = answer(&mut question, side, key, at);
            assert_eq!(consent.outcome, expected, "{what}");
            let (key, moment) = if expected == NoAnswer { (None, LAST) } else { (Some(key), at) };
            assert_eq!((consent.key, consent.at_unix_us), (key, moment), "{what}");
        }
    }
}

#[test]
fn f22_with_no_choice_no_key_is_read_and_the_end_of_the_announcement_is_the_answer() {
    for mut question in both(ConsentMode::NoChoice, None) {
        assert_eq!(question.key(Side::Caller, '1', ENDS - 1), None);
        assert_eq!(question.time(ENDS - 1), None);
        let consent = question.announcement_ended(ENDS).or_else(|| question.time(ENDS)).unwrap();
        assert!(consent.permits());
        assert_eq!((consent.outcome, consent.at_unix_us), (ConsentOutcome::NoAnswer, ENDS));
    }
}

#[test]
fn f22_without_an_announcement_no_choice_is_answered_at_once() {
    let asked = ConsentAsked { announcement: None, ..asked(ConsentMode::NoChoice, None) };
    assert!(Question::new(&asked, BEGAN).time(BEGAN).unwrap().permits());
}

#[test]
fn f24_the_answer_names_what_was_played_and_where_it_was_asked() {
    for (mut question, source) in both(ConsentMode::OptIn, None)
        .into_iter()
        .zip([ConsentSource::RecordedCall, ConsentSource::ConsentCall])
    {
        let consent = answer(&mut question, Side::Caller, '7', ENDS + 20_000);
        assert_eq!(consent.announcement.unwrap().as_str(), "welcome");
        assert_eq!(consent.announcement_sha256.unwrap(), "ab".repeat(32));
        assert_eq!(consent.source, source);
    }
}

#[test]
fn who_hangs_up_before_the_time_is_over_has_permitted_nothing() {
    let hang_up = |mode, at| {
        let [mut question, _] = both(mode, None);
        question.hang_up(at).map(|consent| (consent.outcome, consent.permits()))
    };
    let refused = Some((ConsentOutcome::Denied, false));
    assert_eq!(hang_up(ConsentMode::OptIn, BEGAN + 1), Some((ConsentOutcome::NoAnswer, false)));
    assert_eq!(hang_up(ConsentMode::OptOut, BEGAN + 1), refused);
    assert_eq!(hang_up(ConsentMode::OptOut, LAST), refused);
    assert_eq!(hang_up(ConsentMode::OptOut, LAST + 1), Some((ConsentOutcome::NoAnswer, true)));
    assert_eq!(hang_up(ConsentMode::NoChoice, ENDS - 1), None);
    assert_eq!(hang_up(ConsentMode::NoChoice, ENDS), Some((ConsentOutcome::NoAnswer, true)));
}

#[test]
fn the_deadline_is_the_first_moment_at_which_time_answers() {
    for mode in ConsentMode::ALL {
        let [mut question, mut played] = both(*mode, None);
        assert_eq!(played.deadline_unix_us(), None, "the announcement's end is not known yet");
        assert_eq!(played.time(i64::MAX), None);
        let deadline = question.deadline_unix_us().unwrap();
        assert_eq!(question.time(deadline - 1), None);
        assert!(question.time(deadline).is_some());
        assert_eq!(question.deadline_unix_us(), None);
        assert!(question.is_closed());
    }
}

#[derive(Debug, Clone, Copy)]
enum Input {
    Begin,
    Ended,
    Key(Side, char),
    Time,
    HangUp,
}

fn inputs() -> impl Strategy<Value = Vec<(Input, i64)>> {
    let input = prop_oneof![
        1 => Just(Input::Begin),
        1 => Just(Input::Ended),
        3 => (select(vec![Side::Caller, Side::Callee]), select(vec!['1', '2', '#']))
            .prop_map(|(side, key)| Input::Key(side, key)),
        1 => Just(Input::Time),
        1 => Just(Input::HangUp),
    ];
    vec((input, 0..2_000_000_i64), 1..12).prop_map(|steps| {
        let mut at = BEGAN;
        let timed = steps.into_iter().map(|(input, step)| {
            at += step;
            (input, at)
        });
        timed.collect()
    })
}

fn step(question: &mut Question, input: Input, at: i64) -> Option<Consent> {
    match input {
        Input::Begin => {
            question.begin(at);
            None
        }
        Input::Ended => question.announcement_ended(at),
        Input::Key(side, key) => question.key(side, key, at),
        Input::Time => question.time(at),
        Input::HangUp => question.hang_up(at),
    }
}

proptest! {
    #[test]
    fn there_are_never_two_answers(
        mode in select(ConsentMode::ALL), only in option::of(Just('1')), told in any::<bool>(), inputs in inputs()
    ) {
        let asked = asked(mode, only);
        let mut question = if told { Question::of_consent_call(&asked) } else { Question::new(&asked, BEGAN) };
        let answers: Vec<_> = inputs.iter().filter_map(|(input, at)| step(&mut question, *input, *at)).collect();
        prop_assert!(answers.len() <= 1, "{:?}", answers);
        prop_assert!(answers.is_empty() || question.is_closed());
    }

    #[test]
    fn nothing_permits_before_the_announcement_was_heard_to_its_end(
        mode in select(ConsentMode::ALL), only in option::of(Just('1')), inputs in inputs()
    ) {
        let mut question = Question::of_consent_call(&asked(mode, only));
        let mut ended = None;
        for (input, at) in inputs {
            if matches!(input, Input::Ended) {
                ended = ended.or(Some(at));
            }
            let Some(consent) = step(&mut question, input, at).filter(Consent::permits) else { continue };
            let ended = ended.expect("it permits only after the announcement's end");
            prop_assert!(consent.at_unix_us >= ended);
            let silence = mode == ConsentMode::OptOut;
            prop_assert!(!silence || consent.at_unix_us == ended + 5_000_000);
            prop_assert!(silence || consent.at_unix_us <= ended + 5_000_000);
        }
    }

    #[test]
    fn a_key_after_the_window_changes_nothing(
        mode in select(ConsentMode::ALL), side in select(vec![Side::Caller, Side::Callee]), late in 1..1_000_000_i64
    ) {
        let [mut one, mut other] = both(mode, None);
        other.announcement_ended(ENDS);
        let [mut silent, _] = both(mode, None);
        let expected = silent.time(LAST + late);
        prop_assert_eq!(one.key(side, '1', LAST + late), expected.clone());
        let other = other.key(side, '1', LAST + late);
        prop_assert_eq!(other.map(|consent| consent.outcome), expected.map(|consent| consent.outcome).filter(|_| mode != ConsentMode::NoChoice));
    }
}
