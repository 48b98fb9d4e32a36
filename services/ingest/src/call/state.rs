//! What a call does about what happens to it. No clock, no socket, no bus: one `step`.
//!
//! ```text
//!                   ┌──────────────────record──────────────────┐
//!                   │                                          ▼
//! Undecided ──ask for consent──► Asking ──consent───────► Recorded ──stop──► Stopped
//!     │                            │                       ▲    │               │
//!     │                            └─refused, no answer,   │    └─legal duty    │
//!     │                              memory spent, ended   │      takes over    │
//!     │                                     ▼              │                    │
//!     └──────────do not record────────► NotRecorded ───────┴──── start, ────────┘
//!                                                            another rule
//! ```
//! and from each of them `ended` leads to Over. Audio that comes before the decision, or before
//! consent, waits in memory; what came before the moment of consent is wiped there. Each way into
//! Recorded after the first makes a recording of its own: it has a new id and a new writer.

mod standing;
mod step;

use domain::{Class, Consent, Decision, NotRecorded, Recorded, ResourceName, Verdict};
use wire::call_v1::{CallChanged, CallEnded, CallStarted, StartedBy, StoppedBy, call_message::Body};

use super::{
    asking::{Asking, Closed},
    taking::Taking,
};
use crate::media::chunk::RawChunk;
pub use standing::Standing;
pub use step::{Effect, Input};

enum Waiting {
    Heard(RawChunk),
    Changed(Box<CallChanged>),
    Ended(CallEnded),
}

enum State {
    Undecided(Vec<Waiting>),
    Asking(Box<Asking>),
    Recorded(Box<Taking>),
    NotRecorded,
    Stopped(Box<Recorded>),
    Over,
}

/// One call.
pub struct CallState {
    /// As the call is known by now; the decision is filled in when it is there.
    known: CallStarted,
    /// As the call was known when it began to wait for a decision.
    first: CallStarted,
    /// A recording was begun: the next one is another one.
    has_begun: bool,
    /// What was answered in this leg. Nobody is asked twice.
    answer: Option<Consent>,
    /// The rule whose question ended without an answer. Asked again, it would take the keys that
    /// nobody heard meanwhile for silence.
    unanswered: Option<ResourceName>,
    state: State,
}

impl CallState {
    /// A call as its INVITE describes it; `decision` is not looked at.
    pub fn new(started: CallStarted) -> Self {
        Self {
            known: started.clone(),
            first: started,
            has_begun: false,
            answer: None,
            unanswered: None,
            state: State::Undecided(Vec::new()),
        }
    }

    /// Takes one step.
    #[must_use]
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        let input = match input {
            Input::Decided { decision, at_unix_us } => {
                Input::Decided { decision: nothing_on_a_refusal(decision), at_unix_us }
            }
            input => input,
        };
        if let Input::Changed(changed) = &input {
            self.learn(changed);
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Undecided(waiting) => self.undecided(waiting, input),
            State::Asking(asking) => self.asking(asking, input),
            State::Recorded(taking) => self.recorded(taking, input),
            state @ (State::NotRecorded | State::Stopped(_)) => self.idle(state, input),
            // Whatever was still heard is wiped with its chunk.
            State::Over => Vec::new(),
        }
    }

    fn undecided(&mut self, mut waiting: Vec<Waiting>, input: Input) -> Vec<Effect> {
        match input {
            Input::Decided { decision, at_unix_us } => return self.decide(waiting, decision, at_unix_us),
            Input::Heard(chunk) => waiting.push(Waiting::Heard(chunk)),
            Input::Changed(changed) => waiting.push(Waiting::Changed(Box::new(changed))),
            Input::Ended(ended) => waiting.push(Waiting::Ended(ended)),
            Input::Time(_)
            | Input::MemorySpent
            | Input::Stop { .. }
            | Input::Start { .. }
            | Input::OwnSides(_)
            | Input::Newcomer(_) => {}
        }
        self.state = State::Undecided(waiting);
        Vec::new()
    }

    fn decide(&mut self, waiting: Vec<Waiting>, decision: Decision, at_unix_us: i64) -> Vec<Effect> {
        let mut effects = match &decision.verdict {
            Verdict::Record(_) => {
                let first = std::mem::take(&mut self.first);
                self.begin(decision, first, false, i64::MIN, None)
            }
            Verdict::AskConsent(_) => self.ask(decision, at_unix_us),
            Verdict::DoNotRecord(_) => {
                let has_ended = waiting.iter().any(|item| matches!(item, Waiting::Ended(_)));
                let effects = self.do_not_record(decision);
                if has_ended {
                    self.state = State::Over;
                }
                let last = if has_ended { Effect::Finish } else { Effect::DiscardMedia };
                return effects.into_iter().chain([last]).collect();
            }
        };
        // As if it came only now.
        for item in waiting {
            effects.extend(self.step(match item {
                Waiting::Heard(chunk) => Input::Heard(chunk),
                Waiting::Changed(changed) => Input::Changed(*changed),
                Waiting::Ended(ended) => Input::Ended(ended),
            }));
        }
        effects
    }

    fn asking(&mut self, mut asking: Box<Asking>, input: Input) -> Vec<Effect> {
        let closed = match input {
            Input::Heard(chunk) => asking.hear(chunk),
            Input::Time(now_unix_us) => asking.time(now_unix_us),
            Input::MemorySpent => {
                Some(Closed::Unanswered("the memory for undecided audio was spent before consent was given"))
            }
            Input::Ended(ended) => {
                let closed = asking.hang_up(ended.at_unix_us);
                let mut effects = self.close(*asking, closed);
                effects.extend(self.step(Input::Ended(ended)));
                return effects;
            }
            Input::Changed(_) => {
                asking.learn(&self.known.streams);
                None
            }
            Input::Decided { decision, at_unix_us } => return self.decide_anew(asking, decision, at_unix_us),
            // From now on, whatever was asked; what waited is wiped.
            Input::Start { decision, by } if decision.recorded().is_some() => {
                return self.start(decision, by);
            }
            Input::OwnSides(sides) => {
                asking.own_sides(&sides);
                None
            }
            Input::Newcomer(side) => {
                asking.newcomer(side);
                None
            }
            Input::Start { .. } | Input::Stop { .. } => None,
        };
        if let Some(closed) = closed {
            return self.close(*asking, closed);
        }
        self.state = State::Asking(asking);
        Vec::new()
    }

    /// A question came to its end here.
    fn close(&mut self, asking: Asking, closed: Closed) -> Vec<Effect> {
        let rule = asking.asked().recorded.rule.clone();
        let (consent, is_final) = match closed {
            Closed::Answered { consent, is_final } => (consent, is_final),
            Closed::Unanswered(reason) => {
                self.unanswered = Some(rule);
                let mut effects = self.do_not_record(asking.decision_without(reason));
                effects.push(Effect::DiscardMedia);
                return effects;
            }
        };
        let decision = asking.decision(&consent);
        let mut effects = vec![Effect::Answered { consent: Box::new(consent.clone()), rule, is_final }];
        let permits = consent.permits();
        self.answer = Some(consent);
        if permits {
            effects.extend(self.begin(decision, self.known.clone(), true, i64::MIN, None));
            effects.extend(self.replay(asking.into_waiting()));
        } else {
            effects.extend(self.do_not_record(decision));
            effects.push(Effect::DiscardMedia);
        }
        effects
    }

    /// Rules decided again while a question is open: an answer came from elsewhere, or the facts
    /// are others now.
    fn decide_anew(&mut self, mut asking: Box<Asking>, decision: Decision, at_unix_us: i64) -> Vec<Effect> {
        match &decision.verdict {
            Verdict::Record(recorded) => {
                // Without a proof consent stands from now on, not for what was heard until now.
                let keeps = recorded.class == Class::Regulated || recorded.consent.is_some();
                let from_unix_us = if keeps { i64::MIN } else { at_unix_us };
                let mut effects = self.begin(decision, self.known.clone(), true, from_unix_us, None);
                if keeps {
                    effects.extend(self.replay(asking.into_waiting()));
                }
                effects
            }
            Verdict::AskConsent(asked) if asking.goes_on_as(asked) => {
                self.state = State::Asking(asking);
                Vec::new()
            }
            Verdict::AskConsent(_) => {
                // Somebody else is asked, or something else: what was heard was no answer to that.
                drop(asking);
                self.ask(decision, at_unix_us)
            }
            Verdict::DoNotRecord(_) => {
                let mut effects = self.do_not_record(decision);
                effects.push(Effect::DiscardMedia);
                effects
            }
        }
    }

    fn recorded(&mut self, mut taking: Box<Taking>, input: Input) -> Vec<Effect> {
        let effects = match input {
            Input::Heard(chunk) => {
                taking.hear(chunk).map(|audio| Effect::Send(Body::Audio(audio))).into_iter().collect()
            }
            Input::Changed(changed) => {
                taking.learn(&self.known.streams);
                vec![Effect::Send(Body::Changed(changed))]
            }
            // All that was said until then has been heard.
            Input::Time(_) | Input::Stop { .. } | Input::Ended(_) | Input::Decided { .. }
                if let Some((by, at_unix_us)) = taking.stopped_by_keys() =>
            {
                let mut effects = self.stop(*taking, by, at_unix_us);
                effects.extend(self.step(input));
                return effects;
            }
            Input::Stop { by, at_unix_us } => return self.stop(*taking, by, at_unix_us),
            Input::Ended(ended) => {
                return vec![Effect::Send(Body::Ended(taking.ended(ended))), Effect::Finish];
            }
            Input::Decided { decision, at_unix_us } => {
                let duty = decision.recorded().is_some_and(|r| r.class == Class::Regulated);
                if duty && taking.recorded().class != Class::Regulated {
                    // Transferred to somebody whose calls must be recorded: into another archive,
                    // which no consent and no button opens or closes.
                    let by = StoppedBy { way: "a recording by legal duty".to_owned(), user: String::new() };
                    let mut effects = vec![Effect::Send(Body::Ended(taking.stopped(by, at_unix_us)))];
                    effects.extend(self.begin(decision, self.known.clone(), true, i64::MIN, None));
                    return effects;
                }
                // What is being recorded stays recorded, whatever a later look at the facts says.
                Vec::new()
            }
            Input::OwnSides(sides) => {
                taking.own_sides(&sides, &self.known.streams);
                Vec::new()
            }
            Input::Newcomer(side) => {
                taking.newcomer(side, &self.known.streams);
                Vec::new()
            }
            Input::Time(_) | Input::MemorySpent | Input::Start { .. } => Vec::new(),
        };
        self.state = State::Recorded(taking);
        effects
    }

    fn stop(&mut self, taking: Taking, by: StoppedBy, at_unix_us: i64) -> Vec<Effect> {
        let ended = taking.stopped(by.clone(), at_unix_us);
        self.state = State::Stopped(Box::new(taking.into_recorded()));
        vec![Effect::Send(Body::Ended(ended)), Effect::Stopped(by), Effect::DiscardMedia]
    }

    /// Nothing is recorded, and nothing taken.
    fn idle(&mut self, state: State, input: Input) -> Vec<Effect> {
        let mut effects = match input {
            Input::Ended(_) => return vec![Effect::Finish],
            Input::Start { decision, by } if decision.recorded().is_some() => self.start(decision, by),
            Input::Decided { decision, at_unix_us } => match &decision.verdict {
                // Who stopped it knew this rule; another one may hold for another person.
                verdict if is_stopped_by_hand(&state, verdict) => Vec::new(),
                Verdict::Record(recorded) if self.is_refused(recorded) => {
                    self.state = state;
                    return vec![Effect::Settled(Box::new(refused(decision)))];
                }
                Verdict::Record(_) => self.begin(decision, self.known.clone(), true, at_unix_us, None),
                Verdict::AskConsent(asked) => match &self.answer {
                    // What permits by one rule's terms need not by those of another.
                    Some(consent) if consent.permits() && asked.mode.permits(consent.outcome) => {
                        let Decision { direction, trace, .. } = decision.clone();
                        let asking =
                            Asking::new(direction, trace, (**asked).clone(), &self.known.streams, at_unix_us);
                        self.begin(asking.decision(consent), self.known.clone(), true, at_unix_us, None)
                    }
                    Some(_) => Vec::new(),
                    None if self.unanswered.as_ref() == Some(&asked.recorded.rule) => Vec::new(),
                    None => self.ask(decision, at_unix_us),
                },
                Verdict::DoNotRecord(_) => {
                    let effects = vec![Effect::Settled(Box::new(decision))];
                    self.state = state;
                    return effects;
                }
            },
            // Was on its way when the decision fell: wiped with its chunk.
            _ => Vec::new(),
        };
        if effects.is_empty() {
            self.state = state;
        } else {
            effects.push(Effect::ResumeMedia);
        }
        effects
    }

    fn ask(&mut self, decision: Decision, at_unix_us: i64) -> Vec<Effect> {
        let settled = Effect::Settled(Box::new(decision.clone()));
        if let Verdict::AskConsent(asked) = decision.verdict {
            let asking =
                Asking::new(decision.direction, decision.trace, *asked, &self.known.streams, at_unix_us);
            self.state = State::Asking(Box::new(asking));
        }
        vec![settled]
    }

    fn do_not_record(&mut self, decision: Decision) -> Vec<Effect> {
        self.state = State::NotRecorded;
        vec![Effect::Settled(Box::new(decision))]
    }

    /// Somebody refused in this leg, and nothing but that leg may know it: rules was away.
    fn is_refused(&self, recorded: &Recorded) -> bool {
        let Some(refusal) = self.answer.as_ref().filter(|answer| !answer.permits()) else { return false };
        let newer = |consent: &Consent| consent.at_unix_us > refusal.at_unix_us;
        recorded.class != Class::Regulated && !recorded.consent.as_ref().is_some_and(newer)
    }

    /// A user begins a recording: from now on, whatever was said before.
    fn start(&mut self, decision: Decision, by: StartedBy) -> Vec<Effect> {
        let from_unix_us = by.at_unix_us;
        self.begin(decision, self.known.clone(), true, from_unix_us, Some(by))
    }

    /// A recording begins, by itself or by somebody's wish. `is_part`: not with the call. Nothing that
    /// came before `from_unix_us` is kept, also if it is handed over later.
    fn begin(
        &mut self,
        decision: Decision,
        known: CallStarted,
        is_part: bool,
        from_unix_us: i64,
        started_by: Option<StartedBy>,
    ) -> Vec<Effect> {
        let mut told: wire::call_v1::Decision = (&decision).into();
        if let Some(recorded) = &mut told.recorded {
            recorded.started_by = started_by;
        }
        let started = CallStarted { decision: Some(told), ..known };
        let mut effects = Vec::new();
        if std::mem::replace(&mut self.has_begun, true) {
            effects.push(Effect::NextRecording);
        }
        if let Some(recorded) = decision.recorded() {
            let taking = Taking::new(recorded.clone(), &self.known.streams, is_part, from_unix_us);
            self.state = State::Recorded(Box::new(taking));
        }
        effects.push(Effect::Settled(Box::new(decision)));
        effects.push(Effect::Send(Body::Started(started)));
        effects
    }

    fn replay(&mut self, waiting: Vec<RawChunk>) -> Vec<Effect> {
        waiting.into_iter().flat_map(|chunk| self.step(Input::Heard(chunk))).collect()
    }

    fn learn(&mut self, changed: &CallChanged) {
        if changed.facts.is_some() {
            self.known.facts.clone_from(&changed.facts);
        }
        if !changed.streams.is_empty() {
            self.known.streams.clone_from(&changed.streams);
        }
        if changed.answered_unix_us != 0 {
            self.known.answered_unix_us = changed.answered_unix_us;
        }
    }
}

/// No recording rests on a refusal, whoever says so.
fn nothing_on_a_refusal(decision: Decision) -> Decision {
    let refusal = decision.recorded().and_then(|r| r.consent.as_ref()).is_some_and(|c| !c.permits());
    if refusal { refused(decision) } else { decision }
}

fn refused(decision: Decision) -> Decision {
    let reason = "consent to the recording was not given".to_owned();
    Decision { verdict: Verdict::DoNotRecord(NotRecorded { reason }), ..decision }
}

/// Somebody stopped what this verdict would begin again.
fn is_stopped_by_hand(state: &State, verdict: &Verdict) -> bool {
    let State::Stopped(stopped) = state else { return false };
    match verdict {
        Verdict::Record(recorded) => recorded.rule == stopped.rule,
        Verdict::AskConsent(asked) => asked.recorded.rule == stopped.rule,
        Verdict::DoNotRecord(_) => true,
    }
}

#[cfg(test)]
mod consent_tests;
#[cfg(test)]
mod stop_tests;
#[cfg(test)]
mod tests;
