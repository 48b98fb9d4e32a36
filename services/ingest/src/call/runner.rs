//! The task of one call: feeds the state machine and carries out what it says.

use std::{sync::Arc, time::Duration};

use bus::CallWriter;
use domain::{CallFacts, Decision, Party, RecordingId, Side};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};
use wire::{
    call_v1::{AudioChunk, CallChanged, CallEnded, CallStarted, EndReason, call_message::Body},
    event_v1::{self, event::What},
};

use super::{
    CallHandle, Calls, Change, NewCall, Peer, Told,
    budget::Share,
    decision::{self, Outcome},
    state::{CallState, Input, Standing},
};
use crate::media::{CallCounters, chunk::RawChunk, unix_us};

/// Signer hears of a live call at least this often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(4);
/// How often time alone is looked at.
const TICK: Duration = Duration::from_millis(250);
/// Without a connection to NATS nobody can be listened to yet: then the call goes on after this.
const LISTENING: Duration = Duration::from_millis(100);
/// Packets still under way when signalling ends are waited for this long.
const LAST_PACKETS: Duration = Duration::from_millis(200);
/// Media this recent shows that a client whose ACK never came is there all the same.
const RECENT_MEDIA_US: i64 = 5_000_000;
/// A held call may be silent this many times longer before the client is asked.
const HELD: u32 = 10;

pub(super) struct Inbox {
    pub told: UnboundedReceiver<Told>,
    pub chunks: UnboundedReceiver<RawChunk>,
}

pub(super) struct Runner {
    pub(super) calls: Arc<Calls>,
    pub(super) handle: CallHandle,
    peer: Arc<dyn Peer>,
    pub(super) state: CallState,
    pub(super) writer: CallWriter,
    pub(super) share: Share,
    counters: Arc<CallCounters>,
    pub(super) recording: RecordingId,
    tenant: Arc<domain::resources::TenantResources>,
    pub(super) facts: Arc<CallFacts>,
    pub(super) facts_version: u64,
    /// A decision about an earlier version knows too little, whatever it says.
    pub(super) decisions_from: u64,
    expects_media: bool,
    pub(super) was_recorded: bool,
    pub(super) has_ended: bool,
    pub(super) is_over: bool,
    began: Instant,
    pub(super) last_sent: Instant,
    last_signalling: Instant,
    decisions: (UnboundedSender<Outcome>, Option<UnboundedReceiver<Outcome>>),
    alive: (UnboundedSender<bool>, Option<UnboundedReceiver<bool>>),
    is_asking_peer: bool,
}

impl Runner {
    pub fn new(calls: Arc<Calls>, handle: CallHandle, call: NewCall, peer: Arc<dyn Peer>) -> Self {
        let NewCall { recording, tenant, invited_unix_us, facts, streams, answered_unix_us, expects_media } =
            call;
        let writer = calls.publisher.call(&facts.tenant, recording);
        let known = Some((&facts).into());
        let started =
            CallStarted { invited_unix_us, facts: known, decision: None, streams, answered_unix_us };
        let (share, counters, now) = (calls.budget.share(), handle.media().counters(), Instant::now());
        let (outcome_sender, outcomes) = unbounded_channel();
        let (alive_sender, alive) = unbounded_channel();
        Self {
            state: CallState::new(started),
            facts: Arc::new(facts),
            decisions: (outcome_sender, Some(outcomes)),
            alive: (alive_sender, Some(alive)),
            began: now,
            last_sent: now,
            last_signalling: now,
            facts_version: 0,
            decisions_from: 0,
            was_recorded: false,
            has_ended: false,
            is_over: false,
            is_asking_peer: false,
            calls,
            handle,
            peer,
            writer,
            share,
            counters,
            recording,
            tenant,
            expects_media,
        }
    }

    /// Runs the call to its end.
    pub async fn run(mut self, mut inbox: Inbox) {
        let (Some(mut outcomes), Some(mut alive)) = (self.decisions.1.take(), self.alive.1.take()) else {
            return;
        };
        self.calls.metrics.calls_live.inc();
        tracing::info!(recording = %self.recording, tenant = %self.facts.tenant, "call began");
        self.tell_call();
        let subject = bus::subjects::control(&self.facts.tenant, &self.facts.call_id);
        let mut control = self.calls.bus.listen(subject);
        // First: what is stored after rules looked is told to who listens.
        let _ = tokio::time::timeout(LISTENING, control.ready()).await;
        self.ask();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let closing = self.calls.closing.clone();
        let mut is_closing = false;
        while !self.is_over {
            tokio::select! {
                () = closing.cancelled(), if !is_closing => {
                    is_closing = true;
                    self.hang_up(EndReason::Shutdown);
                    self.end(EndReason::Shutdown, &mut inbox).await;
                    // Also of a call that had ended by itself: nobody will be here for the answer.
                    if self.state.is_undecided() {
                        self.decide_without_rules("ingest stops");
                    }
                }
                Some(chunk) = inbox.chunks.recv() => self.step(Input::Heard(chunk)),
                asked = control.next() => self.obey(asked, &mut inbox).await,
                Some(told) = inbox.told.recv() => {
                    if let Some(reason) = self.hear_signalling(told, &mut inbox).await {
                        self.end(reason, &mut inbox).await;
                    }
                }
                Some(outcome) = outcomes.recv() => self.settle(outcome),
                Some(is_alive) = alive.recv() => {
                    self.is_asking_peer = false;
                    if is_alive {
                        self.last_signalling = Instant::now();
                    } else if self.is_silent() {
                        self.hang_up(EndReason::Silent);
                        self.end(EndReason::Silent, &mut inbox).await;
                    }
                }
                _ = tick.tick() => self.look_around(&mut inbox).await,
            }
        }
        self.peer.forget();
        let result = if self.was_recorded { "recorded" } else { "not_recorded" };
        self.calls.metrics.calls_live.dec();
        self.calls.metrics.calls.with_label_values(&[result]).inc();
        tracing::info!(recording = %self.recording, tenant = %self.facts.tenant, result, "call over");
    }

    /// Takes what waits at the sockets, and hears it.
    pub(super) async fn hear_all(&mut self, inbox: &mut Inbox) {
        // The guard must not live across the wait.
        let swept = self.handle.media().sweep();
        let _ = swept.await;
        while let Ok(chunk) = inbox.chunks.try_recv() {
            self.step(Input::Heard(chunk));
        }
    }

    /// Returns why the call is to end, if so.
    async fn hear_signalling(&mut self, told: Told, inbox: &mut Inbox) -> Option<EndReason> {
        self.last_signalling = Instant::now();
        match told {
            Told::Alive => None,
            Told::Ended(reason) => Some(reason),
            Told::NoAck if unix_us() - self.counters.last_arrival_unix_us() > RECENT_MEDIA_US => {
                self.hang_up(EndReason::NoAck);
                Some(EndReason::NoAck)
            }
            Told::NoAck => {
                tracing::warn!(recording = %self.recording, "the answer was never acknowledged, but media comes: recording goes on");
                None
            }
            Told::Changed(change) => {
                self.change(*change, inbox).await;
                None
            }
        }
    }

    async fn change(&mut self, change: Change, inbox: &mut Inbox) {
        let Change { facts, streams, answered_unix_us, expects_media, reason } = change;
        self.expects_media = expects_media;
        let newcomers = newcomers(&self.facts, &facts);
        if !newcomers.is_empty() && self.state.is_recorded() {
            // Keys pressed until now are those of who was there.
            self.hear_all(inbox).await;
        }
        for side in newcomers {
            self.step(Input::Newcomer(side));
        }
        self.step(Input::Changed(CallChanged {
            at_unix_us: unix_us(),
            facts: Some((&facts).into()),
            streams,
            answered_unix_us,
            reason: reason.to_owned(),
        }));
        if facts != *self.facts {
            self.facts = Arc::new(facts);
            self.facts_version += 1;
            if self.may_be_decided_anew() {
                self.ask();
            }
        }
    }

    /// Other facts can make another decision; what is recorded stays recorded, but others may stop it.
    /// While rules has not decided it is asked again in any case.
    fn may_be_decided_anew(&self) -> bool {
        match self.state.standing() {
            Standing::Undecided | Standing::Over => false,
            Standing::Asking | Standing::Recorded | Standing::NotRecorded | Standing::Stopped => true,
        }
    }

    pub(super) fn ask(&self) {
        let deadline = self.began.max(Instant::now()) + self.calls.options.decision;
        let (bus, facts, answer) = (self.calls.bus.clone(), self.facts.clone(), self.decisions.0.clone());
        decision::ask(bus, self.recording, facts, self.facts_version, deadline, answer);
    }

    fn settle(&mut self, outcome: Outcome) {
        match outcome.decision {
            Ok(decision) if self.is_current(&decision, outcome.facts_version) => {
                if self.state.is_undecided() {
                    self.calls.metrics.decision_seconds.observe(self.began.elapsed().as_secs_f64());
                }
                self.decided(decision);
                if outcome.facts_version == self.facts_version {
                    self.step(Input::OwnSides(outcome.own_sides));
                } else {
                    // Who is there now is for another look to say.
                    self.step(Input::OwnSides(Vec::new()));
                    self.ask();
                }
            }
            // By facts that no longer hold: rules has to look at the new ones.
            Ok(_) => self.ask(),
            Err(why) if self.state.is_undecided() => self.decide_without_rules(&why),
            Err(why) => {
                tracing::warn!(recording = %self.recording, why, "rules did not look at the changed facts");
            }
        }
    }

    /// Whether a decision about this version of the facts still counts. A call that is to be recorded
    /// by older facts is: none of it may be missing. But not if rules said that it knows better: an
    /// answer may have been a refusal, a wish that nothing is recorded.
    fn is_current(&self, decision: &Decision, facts_version: u64) -> bool {
        facts_version == self.facts_version
            || (decision.recorded().is_some() && facts_version >= self.decisions_from)
    }

    pub(super) fn decide_without_rules(&mut self, why: &str) {
        self.calls.metrics.undecided.inc();
        tracing::error!(recording = %self.recording, tenant = %self.facts.tenant, why, "no decision from rules: whenUndecided applies");
        let problem = format!("no decision from rules ({why}): the tenant's whenUndecided applies");
        self.event(What::Fault(event_v1::Fault { r#where: "rules".to_owned(), problem, will_retry: false }));
        let decision = decision::when_undecided(&self.tenant, &self.facts);
        self.decided(decision);
    }

    fn decided(&mut self, decision: Decision) {
        self.step(Input::Decided { decision, at_unix_us: unix_us() });
    }

    /// What time alone brings about.
    async fn look_around(&mut self, inbox: &mut Inbox) {
        if self.state.is_recorded() && self.last_sent.elapsed() >= SIGN_OF_LIFE {
            self.send(Body::Audio(AudioChunk::default()));
        }
        let now_unix_us = unix_us();
        if self.state.deadline_unix_us().is_some_and(|deadline| now_unix_us >= deadline) {
            // A key that was pressed in time may still wait at a socket.
            self.hear_all(inbox).await;
            self.step(Input::Time(now_unix_us));
        }
        if self.has_ended || self.is_asking_peer {
            return;
        }
        if self.is_silent() {
            self.is_asking_peer = true;
            let (peer, answer) = (self.peer.clone(), self.alive.0.clone());
            self.calls.tasks.spawn(async move {
                let _ = answer.send(peer.still_knows_the_call().await);
            });
        }
    }

    /// Neither media nor signalling for so long that the client may be gone. Asked again when the
    /// client did not answer: media that came back meanwhile (the network was cut, or the clock
    /// jumped) shows that it is there.
    fn is_silent(&self) -> bool {
        let patience = self.calls.options.silence * if self.expects_media { 1 } else { HELD };
        let media_silent_us = unix_us() - self.counters.last_arrival_unix_us();
        let media_silent = Duration::from_micros(u64::try_from(media_silent_us).unwrap_or(0));
        self.last_signalling.elapsed() >= patience && media_silent >= patience
    }

    /// Tells the client that we end the call; its answer is not waited for.
    fn hang_up(&self, reason: EndReason) {
        if !self.has_ended {
            tracing::warn!(recording = %self.recording, reason = reason.as_str_name(), "we end the call");
            let peer = self.peer.clone();
            // Not among the tasks that a drain waits for: whether it answers changes nothing.
            tokio::spawn(async move { peer.hang_up(reason).await });
        }
    }

    /// Signalling is over: takes the last packets, closes the sockets, and says so.
    async fn end(&mut self, reason: EndReason, inbox: &mut Inbox) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let at_unix_us = unix_us();
        tokio::time::sleep(LAST_PACKETS).await;
        self.hear_all(inbox).await;
        let streams = self.handle.media().stream_count();
        self.handle.media().close();
        let packets_received = self.counters.datagrams(streams);
        self.event(What::Ended(event_v1::Ended {
            reason: reason.as_str_name().trim_start_matches("END_REASON_").to_ascii_lowercase(),
            packets_received: packets_received.iter().sum(),
        }));
        self.step(Input::Ended(CallEnded {
            at_unix_us,
            reason: reason.into(),
            packets_received,
            stopped_by: None,
        }));
    }
}

/// The sides on which somebody else may be now. A party's name may be learnt late: the number and the
/// addresses say who it is. By another direction, anybody can be anywhere.
fn newcomers(before: &CallFacts, now: &CallFacts) -> Vec<Side> {
    let same = |a: &Party, b: &Party| a.number == b.number && a.identities == b.identities;
    let turned = before.direction != now.direction;
    let sides = [
        (Side::Caller, turned || !same(&before.caller, &now.caller)),
        (Side::Callee, turned || !same(&before.callee, &now.callee)),
    ];
    sides.into_iter().filter(|(_, is_new)| *is_new).map(|(side, _)| side).collect()
}
