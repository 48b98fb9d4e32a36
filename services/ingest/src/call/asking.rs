//! A question for consent that is open: what is heard meanwhile waits in memory, and nowhere else.

use domain::{
    AskedBy, Consent, ConsentAsked, ConsentOutcome, Decision, Direction, NotRecorded, Recorded, Side, Verdict,
};
use policy::consent::Question;
use wire::call_v1::Stream;

use super::keys::Ears;
use crate::media::chunk::RawChunk;

/// An answer from elsewhere (a consent call, the PBX) is waited for so much longer than it could take.
const PATIENCE_US: i64 = 60_000_000;
/// Where the key is heard in this very call consent can only stand at the moment just heard, or later.
/// What is older than this will be wiped in any case: it need not wait.
const KEPT_US: i64 = 5_000_000;
/// A packet of one stream may be handed over after later ones of another stream, by much less than this.
const DISORDER_US: i64 = 1_000_000;

/// How a question ended.
#[derive(Debug)]
pub enum Closed {
    /// By an answer.
    Answered {
        /// The answer with its proof.
        consent: Consent,
        /// It is the answer of the person for the whole call, not just the end of this leg.
        is_final: bool,
    },
    /// Without one; why, for people.
    Unanswered(&'static str),
}

/// An open question and what waits for its answer.
pub struct Asking {
    direction: Direction,
    trace: Vec<String>,
    asked: ConsentAsked,
    /// The question in this call, from its first packet on.
    question: Option<Question>,
    ears: Ears,
    /// When an answer from elsewhere is given up. Unix time, microseconds.
    patience_until_unix_us: i64,
    waiting: Vec<RawChunk>,
}

impl Asking {
    /// The question of a decision, which came at `at_unix_us`.
    pub fn new(
        direction: Direction,
        trace: Vec<String>,
        asked: ConsentAsked,
        streams: &[Stream],
        at_unix_us: i64,
    ) -> Self {
        let announcement_ms = asked.announcement.as_ref().map_or(0, |played| played.duration_ms);
        let answer_us = (i64::from(announcement_ms) + i64::from(asked.window_ms)) * 1_000;
        // No key is read where the answer comes from elsewhere.
        let sides = if asked.asked_by == AskedBy::RecordedCall { vec![asked.asked_side] } else { vec![] };
        Self {
            ears: Ears::new(streams, &sides, asked.in_band),
            patience_until_unix_us: at_unix_us.saturating_add(answer_us).saturating_add(PATIENCE_US),
            question: None,
            waiting: Vec::new(),
            direction,
            trace,
            asked,
        }
    }

    /// What is asked.
    pub fn asked(&self) -> &ConsentAsked {
        &self.asked
    }

    /// True if `asked` is this very question; then only who may stop the recording can be another.
    pub fn goes_on_as(&mut self, asked: &ConsentAsked) -> bool {
        let recorded =
            Recorded { stop_keys: asked.recorded.stop_keys.clone(), ..self.asked.recorded.clone() };
        let mine = ConsentAsked { recorded, ..self.asked.clone() };
        let is_same = mine == *asked;
        if is_same {
            self.asked = mine;
        }
        is_same
    }

    /// The sides whose keys will stop the recording, once it is one.
    pub fn own_sides(&mut self, sides: &[Side]) {
        if let Some(keys) = &mut self.asked.recorded.stop_keys {
            keys.sides = sides.to_vec();
        }
    }

    /// Somebody else is on this side, of whom it is not known yet whether he may stop anything.
    pub fn newcomer(&mut self, side: Side) {
        if let Some(keys) = &mut self.asked.recorded.stop_keys {
            keys.sides.retain(|own| *own != side);
        }
    }

    /// The streams as they are described now.
    pub fn learn(&mut self, streams: &[Stream]) {
        self.ears.learn(streams);
    }

    /// Keeps what was heard, and reads the keys in it.
    pub fn hear(&mut self, chunk: RawChunk) -> Option<Closed> {
        let closed = self.keys_in(&chunk);
        let latest = chunk.latest_unix_us();
        self.waiting.push(chunk);
        if let (true, Some(latest)) = (self.is_heard_here(), latest) {
            self.waiting.retain(|chunk| chunk.latest_unix_us().is_some_and(|at| at >= latest - KEPT_US));
        }
        closed
    }

    fn keys_in(&mut self, chunk: &RawChunk) -> Option<Closed> {
        if !self.is_heard_here() {
            return None;
        }
        let earliest = chunk.earliest_unix_us()?;
        let began = chunk.heard().filter(|heard| !heard.rtcp).map(|heard| heard.arrival_unix_us).min();
        if self.question.is_none() {
            // Nothing could be played before media flows.
            self.question = Some(Question::new(&self.asked, began?));
        }
        let question = self.question.as_mut()?;
        // Only when the task was kept from looking at the clock.
        let mut consent = question.time(earliest - DISORDER_US);
        for key in self.ears.listen(chunk) {
            let (character, at) = (key.pressed.key.character(), key.pressed.pressed_at_unix_us);
            consent = consent.or_else(|| question.key(key.side, character, at));
        }
        consent.map(|consent| Closed::Answered { consent, is_final: true })
    }

    fn is_heard_here(&self) -> bool {
        self.asked.asked_by == AskedBy::RecordedCall
    }

    /// All that arrived until `now_unix_us` has been heard.
    pub fn time(&mut self, now_unix_us: i64) -> Option<Closed> {
        if self.is_heard_here() {
            let consent = self.question.as_mut()?.time(now_unix_us)?;
            return Some(Closed::Answered { consent, is_final: true });
        }
        (now_unix_us >= self.patience_until_unix_us)
            .then_some(Closed::Unanswered("no answer to the question for consent came"))
    }

    /// When [`time`](Self::time) has something to say. Unix time, microseconds.
    pub fn deadline_unix_us(&self) -> Option<i64> {
        if self.is_heard_here() {
            return self.question.as_ref()?.deadline_unix_us();
        }
        Some(self.patience_until_unix_us)
    }

    /// Nothing more will be heard of the call.
    pub fn hang_up(&mut self, at_unix_us: i64) -> Closed {
        if let Some(answered) = self.time(at_unix_us) {
            return answered;
        }
        // Of this leg: the question may go on in another one.
        match self.question.as_mut().and_then(|question| question.hang_up(at_unix_us)) {
            Some(consent) => Closed::Answered { consent, is_final: false },
            None => Closed::Unanswered("the call ended before consent was given"),
        }
    }

    /// What follows from an answer.
    pub fn decision(&self, consent: &Consent) -> Decision {
        let verdict = if consent.permits() {
            let mut recorded = self.asked.recorded.clone();
            recorded.consent = Some(consent.clone());
            Verdict::Record(recorded)
        } else {
            let reason = match consent.outcome {
                ConsentOutcome::Denied => "consent was denied",
                ConsentOutcome::Granted | ConsentOutcome::NoAnswer => "consent was not given in time",
            };
            Verdict::DoNotRecord(NotRecorded { reason: reason.to_owned() })
        };
        let line = format!("consent ({}): {}", consent.source, consent.outcome);
        self.decided(verdict, line)
    }

    /// What follows when no answer comes.
    pub fn decision_without(&self, reason: &str) -> Decision {
        let verdict = Verdict::DoNotRecord(NotRecorded { reason: reason.to_owned() });
        self.decided(verdict, "consent: no answer".to_owned())
    }

    fn decided(&self, verdict: Verdict, line: String) -> Decision {
        let trace = self.trace.iter().cloned().chain([line]).collect();
        Decision { direction: self.direction, verdict, trace }
    }

    /// What waited, oldest first.
    pub fn into_waiting(self) -> Vec<RawChunk> {
        self.waiting
    }

    /// Memory that holds what waits, in bytes.
    pub fn bytes(&self) -> u64 {
        self.waiting.iter().map(RawChunk::memory).sum()
    }
}
