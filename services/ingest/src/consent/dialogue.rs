//! What happens in a consent call, step by step. No clock, no socket: one `step`.
//!
//! ```text
//! Connecting ─established─► Announcing ─key, time─► Storing ─stored─► Telling ─played─► Over
//!     │                        │ hang-up               │ not stored                       ▲
//!     └──────hang-up───────────┴───────────────────────┴──────────────────────────────────┘
//! ```
//! The caller is told an outcome, by voice and in the BYE, only once it is kept: what was granted
//! and then lost would be a promise that the recorder cannot hold.

use domain::{Consent, ConsentOutcome, Side};
use policy::consent::Question;

/// What happened. Times are Unix microseconds.
#[derive(Debug, Clone, Copy)]
pub enum Input {
    /// Media can flow: the answer was acknowledged, or RTP came.
    Established(i64),
    /// The announcement was sent to its end.
    AnnouncementEnded(i64),
    /// The caller pressed a key.
    Key(char, i64),
    /// Time passed.
    Time(i64),
    /// The answer is kept, or could not be.
    Stored(bool),
    /// The outcome's announcement was sent to its end.
    OutcomePlayed,
    /// The caller hung up, or is gone.
    HungUp(i64),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Play the announcement from its beginning.
    PlayAnnouncement,
    /// Keep this answer; say when it is done.
    Store(Consent),
    /// Play the announcement of this outcome, if there is one, instead of whatever is played now.
    PlayOutcome(ConsentOutcome),
    /// End the call and say this; `None`: there is nothing to say.
    Leave(Option<ConsentOutcome>),
    /// The call is over; nothing more comes.
    Finish,
}

#[derive(Debug)]
enum State {
    Connecting,
    Announcing,
    /// The caller is there, or not any more.
    Storing {
        outcome: ConsentOutcome,
        hung_up: bool,
    },
    Telling(ConsentOutcome),
    Over,
}

/// One call to the endpoint.
#[derive(Debug)]
pub struct Dialogue {
    /// `None`: the call only announces.
    question: Option<Question>,
    state: State,
}

impl Dialogue {
    /// A call that asks `question`, or only announces.
    pub const fn new(question: Option<Question>) -> Self {
        Self { question, state: State::Connecting }
    }

    /// Takes one step.
    #[must_use]
    pub fn step(&mut self, input: Input) -> Vec<Action> {
        let consent = match (&self.state, &input) {
            (State::Connecting, Input::Established(at)) => {
                if let Some(question) = &mut self.question {
                    question.begin(*at);
                }
                self.state = State::Announcing;
                return vec![Action::PlayAnnouncement];
            }
            (State::Connecting, Input::HungUp(_)) => {
                self.state = State::Over;
                return vec![Action::Finish];
            }
            (State::Announcing, _) => return self.announcing(&input),
            (State::Storing { outcome, hung_up: false }, Input::Stored(kept)) => {
                // What could not be kept is not told as if it were.
                (kept.then_some(*outcome)).map_or(Action::Leave(Some(ConsentOutcome::NoAnswer)), |outcome| {
                    Action::PlayOutcome(outcome)
                })
            }
            (State::Storing { hung_up: true, .. }, Input::Stored(_)) => Action::Finish,
            (State::Storing { outcome, .. }, Input::HungUp(_)) => {
                self.state = State::Storing { outcome: *outcome, hung_up: true };
                return Vec::new();
            }
            (State::Telling(outcome), Input::OutcomePlayed) => Action::Leave(Some(*outcome)),
            (State::Telling(_), Input::HungUp(_)) => Action::Finish,
            _ => return Vec::new(),
        };
        self.state = match &consent {
            Action::PlayOutcome(outcome) => State::Telling(*outcome),
            _ => State::Over,
        };
        vec![consent]
    }

    fn announcing(&mut self, input: &Input) -> Vec<Action> {
        let Some(question) = &mut self.question else {
            let action = match input {
                Input::AnnouncementEnded(_) => Action::Leave(None),
                Input::HungUp(_) => Action::Finish,
                _ => return Vec::new(),
            };
            self.state = State::Over;
            return vec![action];
        };
        let answer = match *input {
            Input::AnnouncementEnded(at) => question.announcement_ended(at),
            // The question is put to whoever is on the line.
            Input::Key(key, at) => question.key(Side::Caller, key, at),
            Input::Time(at) => question.time(at),
            Input::HungUp(at) => question.hang_up(at),
            _ => return Vec::new(),
        };
        let hung_up = matches!(input, Input::HungUp(_));
        match answer {
            Some(consent) => {
                self.state = State::Storing { outcome: consent.outcome, hung_up };
                vec![Action::Store(consent)]
            }
            None if hung_up => {
                self.state = State::Over;
                vec![Action::Finish]
            }
            None => Vec::new(),
        }
    }

    /// When [`Input::Time`] is next worth telling, Unix microseconds.
    pub fn deadline_unix_us(&self) -> Option<i64> {
        let question = self.question.as_ref().filter(|_| matches!(self.state, State::Announcing))?;
        question.deadline_unix_us()
    }

    /// True while a key could be an answer.
    pub const fn reads_keys(&self) -> bool {
        self.question.is_some() && matches!(self.state, State::Announcing)
    }

    /// True once nothing more is to be done.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }
}

#[cfg(test)]
mod tests {
    use domain::{AskedBy, Channels, Class, ConsentAsked, ConsentMode, Recorded};
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000;

    fn asked(mode: ConsentMode) -> ConsentAsked {
        ConsentAsked {
            recorded: Recorded {
                rule: "sales".parse().unwrap(),
                class: Class::Consent,
                channels: Channels::Stereo,
                targets: vec![],
                journals: vec![],
                consent: None,
                stop_keys: None,
            },
            mode,
            asked_by: AskedBy::ConsentCall,
            asked_side: Side::Caller,
            announcement: None,
            key: Some('1'),
            window_ms: 5_000,
            in_band: true,
        }
    }

    fn dialogue(mode: ConsentMode) -> Dialogue {
        Dialogue::new(Some(Question::of_consent_call(&asked(mode))))
    }

    /// The actions after all inputs, as words.
    fn run(mut dialogue: Dialogue, inputs: Vec<Input>) -> String {
        let actions = inputs.into_iter().flat_map(|input| dialogue.step(input));
        let words = actions.map(|action| match action {
            Action::PlayAnnouncement => "announce".to_owned(),
            Action::Store(consent) => format!("store {}", consent.outcome),
            Action::PlayOutcome(outcome) => format!("tell {outcome}"),
            Action::Leave(Some(outcome)) => format!("leave {outcome}"),
            Action::Leave(None) => "leave".to_owned(),
            Action::Finish => "finish".to_owned(),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_key_in_time_is_stored_told_and_then_said_in_the_bye() {
        use Input::{AnnouncementEnded, Established, Key, OutcomePlayed, Stored, Time};
        for (mode, key, at, stored, expected) in [
            (ConsentMode::OptIn, '1', 5, true, "announce, store granted, tell granted, leave granted"),
            (ConsentMode::OptOut, '1', 5, true, "announce, store denied, tell denied, leave denied"),
            (ConsentMode::OptIn, '2', 5, true, "announce, store no-answer, tell no-answer, leave no-answer"),
            (ConsentMode::OptIn, '1', 20, true, "announce, store no-answer, tell no-answer, leave no-answer"),
            (ConsentMode::OptIn, '1', 5, false, "announce, store granted, leave no-answer"),
        ] {
            let inputs = vec![
                Established(0),
                AnnouncementEnded(4 * SECOND),
                Key(key, at * SECOND),
                Time(30 * SECOND),
                Stored(stored),
                OutcomePlayed,
            ];
            assert_eq!(run(dialogue(mode), inputs), expected, "{mode} {key} {at} {stored}");
        }
    }

    #[test]
    fn with_no_choice_the_end_of_the_announcement_is_the_answer() {
        use Input::{AnnouncementEnded, Established, OutcomePlayed, Stored};
        let whole = vec![Established(0), AnnouncementEnded(SECOND), Stored(true), OutcomePlayed];
        assert_eq!(
            run(dialogue(ConsentMode::NoChoice), whole),
            "announce, store no-answer, tell no-answer, leave no-answer"
        );
        let cut = vec![Established(0), Input::HungUp(SECOND)];
        assert_eq!(run(dialogue(ConsentMode::NoChoice), cut), "announce, finish");
    }

    #[test]
    fn who_hangs_up_in_mid_announcement_has_not_agreed() {
        use Input::{Established, HungUp, Stored};
        for (mode, stored) in [(ConsentMode::OptIn, "no-answer"), (ConsentMode::OptOut, "denied")] {
            let inputs = vec![Established(0), HungUp(SECOND), Stored(true)];
            assert_eq!(run(dialogue(mode), inputs), format!("announce, store {stored}, finish"));
        }
        assert_eq!(run(dialogue(ConsentMode::OptIn), vec![HungUp(0)]), "finish");
    }

    #[test]
    fn who_hangs_up_after_the_key_has_answered_all_the_same() {
        use Input::{AnnouncementEnded, Established, HungUp, Key, Stored};
        let inputs = vec![
            Established(0),
            AnnouncementEnded(SECOND),
            Key('1', 2 * SECOND),
            HungUp(3 * SECOND),
            Stored(true),
        ];
        assert_eq!(run(dialogue(ConsentMode::OptIn), inputs), "announce, store granted, finish");
    }

    #[test]
    fn a_call_that_only_announces_keeps_nothing() {
        use Input::{AnnouncementEnded, Established, Key};
        let inputs = vec![Established(0), Key('1', 1), AnnouncementEnded(SECOND)];
        assert_eq!(run(Dialogue::new(None), inputs), "announce, leave");
    }

    fn any_input() -> impl Strategy<Value = Input> {
        let at = 0..20 * SECOND;
        prop_oneof![
            at.clone().prop_map(Input::Established),
            at.clone().prop_map(Input::AnnouncementEnded),
            (prop_oneof![Just('1'), Just('2')], at.clone()).prop_map(|(key, at)| Input::Key(key, at)),
            at.clone().prop_map(Input::Time),
            any::<bool>().prop_map(Input::Stored),
            Just(Input::OutcomePlayed),
            at.prop_map(Input::HungUp),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_granted_that_was_not_stored_and_the_call_ends_once(
            inputs in proptest::collection::vec(any_input(), 0..30),
        ) {
            let (mut dialogue, mut stored, mut kept, mut ends) = (dialogue(ConsentMode::OptIn), None, false, 0);
            for input in inputs {
                let says_kept = matches!(input, Input::Stored(true));
                for action in dialogue.step(input) {
                    match action {
                        Action::Store(consent) => {
                            prop_assert!(stored.is_none());
                            stored = Some(consent.outcome);
                        }
                        Action::PlayOutcome(outcome) => {
                            kept = says_kept;
                            prop_assert!(kept && stored == Some(outcome));
                        }
                        Action::Leave(outcome) => {
                            ends += 1;
                            prop_assert!(outcome != Some(ConsentOutcome::Granted) || kept);
                        }
                        Action::Finish => ends += 1,
                        Action::PlayAnnouncement => {}
                    }
                }
                prop_assert_eq!(ends == 1, dialogue.is_over());
            }
        }
    }
}
