//! What a call does about what happens to it. No clock, no socket, no bus: one `step`.
//!
//! ```text
//! Undecided ──record──────► Recorded ──ended──► Over
//!     │                        ▲
//!     └────do not record───► NotRecorded ──ended──► Over
//! ```
//! Audio that comes before the decision waits in memory. A call that was not recorded can come to
//! be recorded (a transfer to somebody in scope), never the other way round.

use domain::Decision;
use wire::call_v1::{CallChanged, CallEnded, CallStarted, call_message::Body};

use crate::media::chunk::RawChunk;

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// Packets came.
    Heard(RawChunk),
    /// Rules, or the tenant's `whenUndecided`, decided.
    Decided(Decision),
    /// Facts or streams changed.
    Changed(CallChanged),
    /// Signalling is over and the sockets are empty and closed: nothing more will be heard.
    Ended(CallEnded),
}

/// What is to be done.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "lives for one step, and almost always is the large variant")]
pub enum Effect {
    /// Send this to the bus, in this order.
    Send(Body),
    /// Throw away whatever comes from now on.
    DiscardMedia,
    /// Take what comes again.
    ResumeMedia,
    /// The call is finished.
    Finish,
}

enum Waiting {
    Heard(RawChunk),
    Changed(Box<CallChanged>),
    Ended(CallEnded),
}

enum State {
    Undecided(Vec<Waiting>),
    Recorded,
    NotRecorded,
    Over,
}

/// One call.
pub struct CallState {
    /// As the call is known by now; the decision is filled in when it is there.
    known: CallStarted,
    /// As the call was known when it began to wait for a decision.
    first: CallStarted,
    state: State,
}

impl CallState {
    /// A call as its INVITE describes it; `decision` is not looked at.
    pub fn new(started: CallStarted) -> Self {
        Self { known: started.clone(), first: started, state: State::Undecided(Vec::new()) }
    }

    /// Takes one step.
    #[must_use]
    pub fn step(&mut self, input: Input) -> Vec<Effect> {
        if let Input::Changed(changed) = &input {
            self.learn(changed);
        }
        match (std::mem::replace(&mut self.state, State::Over), input) {
            (State::Undecided(waiting), Input::Decided(decision)) => self.decide(waiting, &decision),
            (State::Undecided(mut waiting), input) => {
                match input {
                    Input::Heard(chunk) => waiting.push(Waiting::Heard(chunk)),
                    Input::Changed(changed) => waiting.push(Waiting::Changed(Box::new(changed))),
                    Input::Ended(ended) => waiting.push(Waiting::Ended(ended)),
                    Input::Decided(_) => {}
                }
                self.state = State::Undecided(waiting);
                Vec::new()
            }
            (State::Recorded, Input::Ended(ended)) => vec![Effect::Send(Body::Ended(ended)), Effect::Finish],
            (State::Recorded, input) => {
                self.state = State::Recorded;
                match input {
                    Input::Heard(chunk) => vec![Effect::Send(Body::Audio(chunk.into_message()))],
                    Input::Changed(changed) => vec![Effect::Send(Body::Changed(changed))],
                    // What is being recorded stays recorded, whatever a later look at the facts says.
                    Input::Decided(_) | Input::Ended(_) => Vec::new(),
                }
            }
            (State::NotRecorded, Input::Decided(decision)) if decision.recorded().is_some() => {
                self.state = State::Recorded;
                let started = CallStarted { decision: Some((&decision).into()), ..self.known.clone() };
                vec![Effect::Send(Body::Started(started)), Effect::ResumeMedia]
            }
            (State::NotRecorded, Input::Ended(_)) => vec![Effect::Finish],
            (State::NotRecorded, input) => {
                self.state = State::NotRecorded;
                if let Input::Heard(chunk) = input {
                    // Was on its way when the decision fell.
                    chunk.wipe();
                }
                Vec::new()
            }
            (State::Over, input) => {
                if let Input::Heard(chunk) = input {
                    chunk.wipe();
                }
                Vec::new()
            }
        }
    }

    fn decide(&mut self, waiting: Vec<Waiting>, decision: &Decision) -> Vec<Effect> {
        if decision.recorded().is_none() {
            let mut has_ended = false;
            for item in waiting {
                match item {
                    Waiting::Heard(chunk) => chunk.wipe(),
                    Waiting::Ended(_) => has_ended = true,
                    Waiting::Changed(_) => {}
                }
            }
            if has_ended {
                return vec![Effect::Finish];
            }
            self.state = State::NotRecorded;
            return vec![Effect::DiscardMedia];
        }
        self.state = State::Recorded;
        let started = CallStarted { decision: Some(decision.into()), ..self.first.clone() };
        let mut effects = vec![Effect::Send(Body::Started(started))];
        for item in waiting {
            effects.push(Effect::Send(match item {
                Waiting::Heard(chunk) => Body::Audio(chunk.into_message()),
                Waiting::Changed(changed) => Body::Changed(*changed),
                Waiting::Ended(ended) => {
                    self.state = State::Over;
                    Body::Ended(ended)
                }
            }));
        }
        if matches!(self.state, State::Over) {
            effects.push(Effect::Finish);
        }
        effects
    }

    fn learn(&mut self, changed: &CallChanged) {
        if changed.facts.is_some() {
            self.known.facts.clone_from(&changed.facts);
        }
        if !changed.streams.is_empty() {
            self.known.streams.clone_from(&changed.streams);
        }
    }

    /// Memory that holds audio nobody decided about yet, in bytes.
    pub fn undecided_bytes(&self) -> u64 {
        let State::Undecided(waiting) = &self.state else { return 0 };
        let chunks = waiting.iter().map(|w| if let Waiting::Heard(chunk) = w { chunk.memory() } else { 0 });
        chunks.sum()
    }

    /// True while there is no decision.
    pub fn is_undecided(&self) -> bool {
        matches!(self.state, State::Undecided(_))
    }

    /// True while what is heard is recorded.
    pub fn is_recorded(&self) -> bool {
        matches!(self.state, State::Recorded)
    }

    /// True if it was decided that the call is not recorded.
    pub fn is_not_recorded(&self) -> bool {
        matches!(self.state, State::NotRecorded)
    }
}

impl Drop for CallState {
    fn drop(&mut self) {
        if let State::Undecided(waiting) = &mut self.state {
            for item in waiting.drain(..) {
                if let Waiting::Heard(chunk) = item {
                    chunk.wipe();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{Channels, Class, Direction, NotRecorded, Recorded, Verdict};

    use super::*;

    fn chunk(text: &[u8]) -> Input {
        let mut chunk = RawChunk::with_capacity(0);
        assert!(chunk.push(0, false, 1, text));
        Input::Heard(chunk)
    }

    fn decision(record: bool) -> Input {
        let recorded = Recorded {
            rule: "desk".parse().unwrap(),
            class: Class::Regulated,
            channels: Channels::Stereo,
            targets: vec![],
            journals: vec![],
            consent: None,
            stop_keys: None,
        };
        let not = NotRecorded { reason: "no rule matches".into() };
        let verdict = if record { Verdict::Record(recorded) } else { Verdict::DoNotRecord(not) };
        Input::Decided(Decision { direction: Direction::In, verdict, trace: vec![] })
    }

    fn changed(reason: &str) -> Input {
        Input::Changed(CallChanged { reason: reason.into(), ..CallChanged::default() })
    }

    fn told(effects: &[Effect]) -> Vec<String> {
        let one = |effect: &Effect| match effect {
            Effect::Send(Body::Started(s)) => {
                format!("started by {}", s.decision.as_ref().unwrap().recorded.as_ref().unwrap().rule)
            }
            Effect::Send(Body::Audio(a)) => {
                a.packets.iter().map(|p| String::from_utf8_lossy(&p.data).into_owned()).collect()
            }
            Effect::Send(Body::Changed(c)) => c.reason.clone(),
            Effect::Send(Body::Ended(_)) => "ended".into(),
            Effect::Send(Body::NodeStarted(_)) => "node".into(),
            other => format!("{other:?}"),
        };
        effects.iter().map(one).collect()
    }

    /// All effects of some inputs, in order.
    fn run(inputs: Vec<Input>) -> Vec<String> {
        let mut call = CallState::new(CallStarted::default());
        inputs.into_iter().flat_map(|input| told(&call.step(input))).collect()
    }

    fn ended() -> Input {
        Input::Ended(CallEnded::default())
    }

    #[test]
    fn what_was_heard_before_the_decision_follows_the_start_in_order() {
        let seen = run(vec![
            chunk(b"one"),
            changed("held"),
            chunk(b"two"),
            decision(true),
            chunk(b"three"),
            ended(),
        ]);
        assert_eq!(seen, ["started by desk", "one", "held", "two", "three", "ended", "Finish"]);
    }

    #[test]
    fn nothing_of_a_call_that_is_not_recorded_is_sent() {
        let seen =
            run(vec![chunk(b"a"), decision(false), chunk(b"b"), changed("held"), ended(), chunk(b"c")]);
        assert_eq!(seen, ["DiscardMedia", "Finish"]);
    }

    #[test]
    fn a_call_that_ends_before_its_decision_is_recorded_all_the_same() {
        assert_eq!(
            run(vec![chunk(b"a"), ended(), decision(true)]),
            ["started by desk", "a", "ended", "Finish"]
        );
        assert_eq!(run(vec![chunk(b"a"), ended(), decision(false)]), ["Finish"]);
    }

    #[test]
    fn a_recorded_call_stays_recorded() {
        assert_eq!(run(vec![decision(true), decision(false), chunk(b"a")]), ["started by desk", "a"]);
    }

    #[test]
    fn a_call_that_comes_into_scope_is_recorded_from_then_on() {
        let seen = run(vec![chunk(b"private"), decision(false), decision(true), chunk(b"business"), ended()]);
        assert_eq!(seen, ["DiscardMedia", "started by desk", "ResumeMedia", "business", "ended", "Finish"]);
    }

    #[test]
    fn a_call_without_any_packet_makes_a_record() {
        assert_eq!(run(vec![decision(true), ended()]), ["started by desk", "ended", "Finish"]);
    }

    #[test]
    fn undecided_memory_is_told_and_falls_to_nothing_with_the_decision() {
        let mut call = CallState::new(CallStarted::default());
        assert!(call.step(chunk(b"a")).is_empty());
        let one = call.undecided_bytes();
        assert!(one > 0 && call.step(chunk(b"b")).is_empty());
        assert_eq!(call.undecided_bytes(), 2 * one);
        assert_eq!(call.step(decision(true)).len(), 3);
        assert_eq!(call.undecided_bytes(), 0);
    }
}
