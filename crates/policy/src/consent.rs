//! A question that is open: was the announcement heard, which key came, and when.
//!
//! One state machine for both places where Callseal asks: in the recorded call, where the end of
//! the announcement follows from its length, and at the consent endpoint, which knows when it sent
//! the last of it. No clock and no I/O: every input comes with its time.
//!
//! ```text
//!        began            announcement's end           window's end
//!          │  a refusing key counts  │  any fitting key counts  │
//! ─────────┼─────────────────────────┼──────────────────────────┼───► no answer
//! ```
//! Doubt goes to the person who is asked: a refusal counts before the announcement is over, an
//! agreement only by somebody who could hear all of it, and silence means something only after the
//! whole time for an answer.

use domain::{AnnouncementPlayed, Consent, ConsentAsked, ConsentMode, ConsentOutcome, ConsentSource, Side};

/// An open question (F-20 … F-22). It gives its answer once, by the first input that makes it.
#[derive(Debug, Clone)]
pub struct Question {
    mode: ConsentMode,
    /// The only key that counts; `None`: any.
    key: Option<char>,
    side: Side,
    window_us: i64,
    announcement: Option<AnnouncementPlayed>,
    source: ConsentSource,
    state: State,
}

/// How far it is. Times are Unix microseconds.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing was played yet.
    Silent,
    /// The announcement is playing; when it ends is not known.
    Playing { began: i64 },
    /// When the announcement ends or ended is known.
    Timed { began: i64, ends: i64 },
    /// The answer was given.
    Answered,
}

impl Question {
    /// The question in a recorded call, whose announcement began at `began_unix_us` and takes as
    /// long as its file.
    pub fn new(asked: &ConsentAsked, began_unix_us: i64) -> Self {
        let duration_ms = asked.announcement.as_ref().map_or(0, |played| played.duration_ms);
        let ends = began_unix_us.saturating_add(i64::from(duration_ms) * 1_000);
        Self::in_state(asked, ConsentSource::RecordedCall, State::Timed { began: began_unix_us, ends })
    }

    /// The question in a call to the consent endpoint, before anything was played: tell it by
    /// [`begin`](Self::begin) and [`announcement_ended`](Self::announcement_ended).
    pub fn of_consent_call(asked: &ConsentAsked) -> Self {
        Self::in_state(asked, ConsentSource::ConsentCall, State::Silent)
    }

    fn in_state(asked: &ConsentAsked, source: ConsentSource, state: State) -> Self {
        Self {
            mode: asked.mode,
            key: asked.key,
            side: asked.asked_side,
            window_us: i64::from(asked.window_ms) * 1_000,
            announcement: asked.announcement.clone(),
            source,
            state,
        }
    }

    /// The first moment of the announcement, Unix microseconds. Only the first call counts.
    pub fn begin(&mut self, at_unix_us: i64) {
        if matches!(self.state, State::Silent) {
            self.state = State::Playing { began: at_unix_us };
        }
    }

    /// The announcement was played to its end. Only the first call counts. Where no key is read,
    /// this is the answer.
    pub fn announcement_ended(&mut self, at_unix_us: i64) -> Option<Consent> {
        self.state = match self.state {
            State::Silent => State::Timed { began: at_unix_us, ends: at_unix_us },
            State::Playing { began } => State::Timed { began, ends: at_unix_us.max(began) },
            known => known,
        };
        self.time(at_unix_us)
    }

    /// A key was pressed on `side`; `at_unix_us` is its first packet. Feed keys in the order of
    /// their times, and before a later [`time`](Self::time).
    pub fn key(&mut self, side: Side, key: char, at_unix_us: i64) -> Option<Consent> {
        if let Some(over) = self.time(at_unix_us) {
            return Some(over);
        }
        let fits = side == self.side && self.key.is_none_or(|only| only == key);
        let outcome = self.mode.outcome_of_key().filter(|_| fits)?;
        let counts = match self.state {
            State::Silent | State::Answered => false,
            // Who refuses need not hear it to the end; who agrees must have.
            State::Playing { began } => outcome == ConsentOutcome::Denied && at_unix_us >= began,
            State::Timed { began, ends } => {
                at_unix_us >= if outcome == ConsentOutcome::Denied { began } else { ends }
            }
        };
        counts.then(|| self.answer(outcome, Some(key), at_unix_us))
    }

    /// Time passes. The time for an answer is over once `now_unix_us` is past the window's end: a
    /// key at that very moment still counts.
    pub fn time(&mut self, now_unix_us: i64) -> Option<Consent> {
        let last = self.last_moment()?;
        let over = if self.mode == ConsentMode::NoChoice { now_unix_us >= last } else { now_unix_us > last };
        over.then(|| self.answer(ConsentOutcome::NoAnswer, None, last))
    }

    /// The person hung up, or the consent call ended before there was an answer. Silence permits
    /// nothing before the whole time for a refusal has passed, so for opt-out this is a refusal;
    /// with no choice and before the announcement's end there is nothing to prove: `None`.
    pub fn hang_up(&mut self, at_unix_us: i64) -> Option<Consent> {
        if let Some(over) = self.time(at_unix_us) {
            return Some(over);
        }
        let outcome = match (self.mode, self.state) {
            (_, State::Answered) | (ConsentMode::NoChoice, _) => {
                self.state = State::Answered;
                return None;
            }
            (ConsentMode::OptIn, _) => ConsentOutcome::NoAnswer,
            (ConsentMode::OptOut, _) => ConsentOutcome::Denied,
        };
        Some(self.answer(outcome, None, at_unix_us))
    }

    /// The earliest time at which [`time`](Self::time) gives an answer, Unix microseconds; `None`
    /// while that is not known, and after the answer.
    pub fn deadline_unix_us(&self) -> Option<i64> {
        self.last_moment().map(|last| if self.mode == ConsentMode::NoChoice { last } else { last + 1 })
    }

    /// True once the answer was given, or none can come any more.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Answered)
    }

    /// The last moment at which a key counts; with no choice the announcement's end.
    fn last_moment(&self) -> Option<i64> {
        match self.state {
            State::Timed { ends, .. } if self.mode == ConsentMode::NoChoice => Some(ends),
            State::Timed { ends, .. } => Some(ends.saturating_add(self.window_us)),
            State::Silent | State::Playing { .. } | State::Answered => None,
        }
    }

    fn answer(&mut self, outcome: ConsentOutcome, key: Option<char>, at_unix_us: i64) -> Consent {
        self.state = State::Answered;
        Consent {
            mode: self.mode,
            outcome,
            key,
            at_unix_us,
            announcement: self.announcement.as_ref().map(|played| played.name.clone()),
            announcement_sha256: self.announcement.as_ref().map(|played| played.sha256.clone()),
            source: self.source,
        }
    }
}
