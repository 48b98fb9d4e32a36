//! The task of one call to the consent endpoint: feeds the dialogue and carries out what it says.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{Consent, ConsentOutcome, TenantId};
use media::{
    dtmf::{Listener, PressedKey, info::InfoKey},
    rtp::RtpPacket,
};
use policy::consent::Question;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wire::rules_v1::{StoreConsentRequest, StoreConsentResponse};

use super::{
    ConsentCalls,
    agreement::Agreement,
    dialogue::{Action, Dialogue, Input},
    pacer::{self, Played, Talker},
    source::Source,
    terms::Terms,
};
use crate::media::{Line, unix_us};

/// How long the answer may wait to be kept; the caller hears silence meanwhile.
const STORE_WITHIN: Duration = Duration::from_secs(8);
const ONE_REQUEST: Duration = Duration::from_secs(1);
/// A caller that neither acknowledges nor sends anything is given up after this.
const ESTABLISH_WITHIN: Duration = Duration::from_secs(40);
/// Between the last of an announcement and the end of the call: longer than jitter buffers are.
const TAIL: Duration = Duration::from_millis(200);
/// No call to the endpoint takes longer than its announcements, the time for a key and this.
const AT_MOST: Duration = Duration::from_secs(60);

/// The other end of the signalling.
#[async_trait]
pub trait Caller: Send + Sync + 'static {
    /// Ends the call; the BYE says the outcome.
    async fn hang_up(&self, outcome: Option<ConsentOutcome>);
    /// Sends the caller on to `target` (REFER, RFC 3515); then the call is ended, by the caller or
    /// by us.
    async fn send_on(&self, target: &str, outcome: ConsentOutcome);
    /// The call is over and may be forgotten.
    fn forget(&self);
}

/// What signalling tells the task.
#[derive(Debug)]
pub enum Told {
    /// The answer was acknowledged, or never will be.
    Acknowledged(bool),
    /// A key in an INFO request, and when that came. Unix time, microseconds.
    Key(InfoKey, i64),
    /// The caller's RTP comes from elsewhere from now on.
    MovedTo(SocketAddr),
    /// BYE.
    HungUp,
}

/// One call.
pub struct ConsentCall {
    /// What all calls share.
    pub calls: Arc<ConsentCalls>,
    /// Whose rule it is.
    pub tenant: TenantId,
    /// The PBX's id of the call that is asked about.
    pub call_id: String,
    /// What is played and asked.
    pub terms: Terms,
    /// What was agreed on.
    pub agreed: Agreement,
    /// Our ports.
    pub line: Line,
    /// The caller.
    pub caller: Arc<dyn Caller>,
}

struct Running {
    call: ConsentCall,
    dialogue: Dialogue,
    talker: Talker,
    played: UnboundedReceiver<Played>,
    /// The piece whose last packet is about to leave.
    ending: Option<Played>,
    stored: UnboundedSender<bool>,
    announcement: Bytes,
    /// Number of the piece that is played, and what it is.
    piece: Option<(u64, Piece)>,
    outcome: Option<ConsentOutcome>,
}

#[derive(Clone, Copy)]
enum Piece {
    Announcement,
    Outcome,
}

impl ConsentCall {
    /// Runs the call to its end.
    pub async fn run(self, mut told: UnboundedReceiver<Told>) {
        let caller = self.caller.clone();
        let calls = self.calls.clone();
        calls.metrics.consent_live.inc();
        let tenant = self.tenant.clone();
        let result = match self.serve(&mut told).await {
            Ok(result) => result,
            Err(error) => {
                tracing::error!(%tenant, %error, "a call to the consent endpoint failed");
                caller.hang_up(Some(ConsentOutcome::NoAnswer)).await;
                "failed"
            }
        };
        caller.forget();
        calls.metrics.consent_live.dec();
        calls.metrics.consent_calls.with_label_values(&[result]).inc();
        tracing::info!(%tenant, result, "a call to the consent endpoint is over");
    }

    async fn serve(self, told: &mut UnboundedReceiver<Told>) -> anyhow::Result<&'static str> {
        let announcement = self.calls.library.payload(&self.terms.announcement, self.agreed.codec).await?;
        let ear = self.line.ear()?;
        let (played_tell, played) = unbounded_channel();
        let (stored, mut kept) = unbounded_channel();
        let agreed = self.agreed.clone();
        let clock_hz = agreed.codec.clock_rate_hz();
        let mut keys = Listener::new(agreed.events.map(|payload_type| (payload_type, clock_hz)));
        let outcomes = [&self.terms.granted, &self.terms.denied].into_iter().flatten();
        let outcome = outcomes.map(|announcement| announcement.duration).max().unwrap_or_default();
        let longest = self.terms.announcement.duration + outcome + AT_MOST;
        let window = self.terms.question.as_ref().map_or(0, |q| u64::from(q.window_ms));
        let mut give_up = tokio::time::Instant::now() + longest + Duration::from_millis(window);
        let connect_until = tokio::time::Instant::now() + ESTABLISH_WITHIN;

        let mut source = Source::new(self.agreed.to);
        // Media may flow with the acknowledgement, or with the caller's first packet.
        loop {
            tokio::select! {
                told = told.recv() => match told {
                    Some(Told::Acknowledged(true)) => break,
                    Some(Told::HungUp) | None => return Ok("hung_up"),
                    Some(Told::Acknowledged(false)) => {
                        self.caller.hang_up(None).await;
                        return Ok("never_acknowledged");
                    }
                    Some(_) => {}
                },
                heard = ear.hear() => {
                    for from in heard?.iter().filter_map(|packet| packet.source) {
                        source.takes(from);
                    }
                    break;
                }
                () = tokio::time::sleep_until(connect_until) => {
                    self.caller.hang_up(None).await;
                    return Ok("never_acknowledged");
                }
            }
        }
        let talker = self.calls.pacer.open(pacer::Line {
            socket: self.line.rtp.clone(),
            to: source.address(),
            payload_type: self.agreed.payload_type,
            silence: self.agreed.codec.silence(),
            played: played_tell,
        });
        let dialogue = Dialogue::new(self.terms.question.as_ref().map(Question::of_consent_call));
        let mut running = Running {
            call: self,
            dialogue,
            talker,
            played,
            stored,
            announcement,
            piece: None,
            ending: None,
            outcome: None,
        };
        running.step(Input::Established(unix_us())).await;
        while !running.dialogue.is_over() {
            let wake = running
                .dialogue
                .deadline_unix_us()
                .map(|at| Instant::now() + Duration::from_micros(u64::try_from(at - unix_us()).unwrap_or(0)));
            let wake = wake.map_or(give_up, |at| give_up.min(at.into()));
            let input = tokio::select! {
                // Keys before time: one that came in time counts even if we wake late.
                biased;
                told = told.recv() => match told {
                    Some(Told::Key(info, at_unix_us)) => {
                        let press = keys.info(info, at_unix_us);
                        running.in_order(press.iter().map(pressed).collect()).await;
                        continue;
                    }
                    Some(Told::MovedTo(to)) => {
                        source = Source::new(to);
                        running.talker.move_to(to);
                        continue;
                    }
                    Some(Told::Acknowledged(false)) if !source.is_heard() => Input::HungUp(unix_us()),
                    Some(Told::Acknowledged(_)) => continue,
                    Some(Told::HungUp) | None => Input::HungUp(unix_us()),
                },
                heard = ear.hear() => {
                    let mut inputs = Vec::new();
                    for packet in heard? {
                        let Some(from) = packet.source else { continue };
                        let known = source.address();
                        if !source.takes(from) {
                            continue;
                        }
                        if known != from {
                            running.talker.move_to(from);
                        }
                        let Ok(rtp) = RtpPacket::parse(&packet.data) else { continue };
                        let press = keys.packet(&rtp, agreed.kind(rtp.payload_type), packet.arrival_unix_us);
                        inputs.extend(press.map(|press| pressed(&press)));
                    }
                    running.in_order(inputs).await;
                    continue;
                }
                Some(played) = running.played.recv() => match running.ended(played) {
                    Some(input) => input,
                    None => continue,
                },
                Some(kept) = kept.recv() => Input::Stored(kept),
                () = tokio::time::sleep_until(wake) => {
                    if tokio::time::Instant::now() >= give_up {
                        // The caller does not know that nobody listens any more.
                        running.call.caller.hang_up(None).await;
                        give_up += AT_MOST;
                        Input::HungUp(unix_us())
                    } else {
                        Input::Time(unix_us())
                    }
                }
            };
            running.step(input).await;
        }
        Ok(running.outcome.map_or("announced", ConsentOutcome::as_str))
    }
}

impl Running {
    /// Which input the end of a piece is; nothing if another has taken its place since.
    fn ended(&mut self, played: Played) -> Option<Input> {
        if !played.has_left {
            self.ending = Some(played);
            return None;
        }
        let (_, what) = self.piece.take_if(|(number, _)| *number == played.piece)?;
        Some(match what {
            Piece::Announcement => Input::AnnouncementEnded(played.at_unix_us),
            Piece::Outcome => Input::OutcomePlayed,
        })
    }

    /// Takes keys, and the end of a piece that was played meanwhile, by their own times: which of them
    /// this task hears of first says nothing on a busy machine.
    async fn in_order(&mut self, keys: Vec<(i64, Input)>) {
        if keys.is_empty() {
            return;
        }
        let mut inputs = keys;
        if self.dialogue.reads_keys() {
            while let Ok(played) = self.played.try_recv() {
                inputs.extend(self.ended(played).map(|ended| (played.at_unix_us, ended)));
            }
            // Whoever answers has heard it.
            let ending = self.ending.take().map(|played| Played { has_left: true, ..played });
            inputs.extend(ending.and_then(|played| Some((played.at_unix_us, self.ended(played)?))));
        }
        inputs.sort_by_key(|(at_unix_us, _)| *at_unix_us);
        for (_, input) in inputs {
            self.step(input).await;
        }
    }

    async fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for action in self.dialogue.step(input) {
                inputs.extend(self.carry_out(action).await);
            }
        }
    }

    /// Returns what follows at once.
    async fn carry_out(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::PlayAnnouncement => {
                self.piece = Some((self.talker.play(self.announcement.clone()), Piece::Announcement));
            }
            Action::Store(consent) => {
                // Whoever has answered hears no more of the announcement.
                self.piece = None;
                self.talker.play(Bytes::new());
                self.outcome = Some(consent.outcome);
                self.store(consent);
            }
            Action::PlayOutcome(outcome) => {
                let Some(announcement) = self.call.terms.outcome(outcome) else {
                    return Some(Input::OutcomePlayed);
                };
                match self.call.calls.library.payload(announcement, self.call.agreed.codec).await {
                    Ok(audio) => self.piece = Some((self.talker.play(audio), Piece::Outcome)),
                    Err(error) => {
                        tracing::error!(%error, "an outcome's announcement cannot be played");
                        return Some(Input::OutcomePlayed);
                    }
                }
            }
            Action::Leave(outcome) => {
                self.outcome = outcome;
                // What was played last is still in the phone's jitter buffer; silence goes on meanwhile.
                tokio::time::sleep(TAIL).await;
                let caller = &self.call.caller;
                match (&self.call.terms.continue_to, outcome) {
                    (Some(target), Some(outcome)) => {
                        let target = target.replace("{callId}", &escaped(&self.call.call_id));
                        caller.send_on(&target, outcome).await;
                    }
                    _ => caller.hang_up(outcome).await,
                }
            }
            Action::Finish => {}
        }
        None
    }

    /// Has rules keep the answer; said on the channel when it is done.
    fn store(&self, consent: Consent) {
        let request = StoreConsentRequest {
            tenant: self.call.tenant.to_string(),
            call_id: self.call.call_id.clone(),
            consent: Some((&consent).into()),
            rule: self.call.terms.rule.to_string(),
        };
        let (bus, said, tenant) =
            (self.call.calls.bus.clone(), self.stored.clone(), self.call.tenant.clone());
        tokio::spawn(async move {
            let keep = async {
                let mut pause = Duration::from_millis(50);
                loop {
                    let answer = bus
                        .request::<_, StoreConsentResponse>(
                            bus::subjects::RULES_STORE_CONSENT,
                            &request,
                            ONE_REQUEST,
                        )
                        .await;
                    match answer {
                        Ok(answer) if answer.error.is_empty() => return,
                        Ok(answer) => {
                            tracing::warn!(%tenant, error = answer.error, "a consent is not kept yet")
                        }
                        Err(error) => tracing::warn!(%tenant, %error, "a consent is not kept yet"),
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(ONE_REQUEST);
                }
            };
            let kept = tokio::time::timeout(STORE_WITHIN, keep).await.is_ok();
            if !kept {
                tracing::error!(%tenant, "a consent could not be kept: the caller is told that there is no answer");
            }
            // The call may be over.
            let _ = said.send(kept);
        });
    }
}

fn pressed(press: &PressedKey) -> (i64, Input) {
    let at_unix_us = press.pressed_at_unix_us;
    (at_unix_us, Input::Key(press.key.character(), at_unix_us))
}

/// The call id as a part of a SIP URI (RFC 3261, section 19.1.2).
fn escaped(call_id: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'!' | b'~' => {
            (byte as char).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    call_id.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_call_id_can_stand_in_a_uri() {
        assert_eq!(super::escaped("a.b@pbx;x=1"), "a.b%40pbx%3Bx%3D1");
    }
}
