//! What the files of a recording say about it. Pure: the stored record, the plan of the files and
//! the lane's head go in, [`evidence::Info`] comes out.

use std::{collections::BTreeSet, time::Duration};

use domain::{Channels, Consent, Direction, Lane, RecordingId};
use evidence::{
    Channel, Gap, GapCause, Info, KeyId, LaneHead, Participant, Person, Section, StartedByHand, Stopped,
    Supplement,
};
use jiff::{Timestamp, tz::TimeZone};
use media::Codec;
use wire::call_v1::{self, CallEnded, EndReason};

use super::layout::{ChannelPlan, FilePlan, side_of};
use crate::state::call_record::{CallRecord, Laid, NumberRange, StreamLaid};

/// A record that cannot be described: it should never have been put into the queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored record of the recording is not usable: {0}")]
pub struct Unusable(pub &'static str);

/// What a recording's decision says, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Where it is chained.
    pub lane: Lane,
    /// The rule.
    pub rule: String,
    /// The direction.
    pub direction: Direction,
    /// Which sides, in which files.
    pub channels: Channels,
    /// Targets.
    pub targets: Vec<String>,
    /// Journals.
    pub journals: Vec<String>,
    /// The consent that it rests on.
    pub consent: Option<Consent>,
}

impl Terms {
    /// From the stored record.
    ///
    /// # Errors
    /// It holds no decision to record, or one with unknown words.
    pub fn of(call: &CallRecord) -> Result<Self, Unusable> {
        let decision = call.decision.as_ref().ok_or(Unusable("no decision"))?;
        let recorded = decision.recorded.as_ref().ok_or(Unusable("not to be recorded"))?;
        Ok(Self {
            lane: Lane {
                tenant: call.tenant.parse().map_err(|_| Unusable("tenant"))?,
                class: recorded.class.parse().map_err(|_| Unusable("class"))?,
            },
            rule: recorded.rule.clone(),
            direction: decision.direction.parse().map_err(|_| Unusable("direction"))?,
            channels: recorded.channels.parse().map_err(|_| Unusable("channels"))?,
            targets: recorded.targets.clone(),
            journals: recorded.journals.clone(),
            consent: recorded
                .consent
                .clone()
                .map(|c| c.try_into().map_err(|_| Unusable("consent")))
                .transpose()?,
        })
    }
}

/// What belongs to the installation and the moment, not to the call.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Zone of the tenant.
    pub time_zone: TimeZone,
    /// Id of the installation.
    pub installation: String,
    /// The key that will sign.
    pub key_id: KeyId,
    /// The lane's head; `None`: this is its first recording.
    pub previous: Option<LaneHead>,
}

/// Unix time of sample 0: the first packet; without any packet, the INVITE.
pub fn started(call: &CallRecord) -> Timestamp {
    let origin = call.laid.as_ref().map_or(0, |laid| laid.origin_unix_us);
    let first = [origin, call.invited_unix_us, call.last_stored_unix_us].into_iter().find(|at| *at != 0);
    Timestamp::from_microsecond(first.unwrap_or(0)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Everything that info and journal say.
pub fn info(
    id: RecordingId,
    call: &CallRecord,
    terms: &Terms,
    plans: &[FilePlan],
    around: &Surroundings,
) -> Info {
    let laid = call.laid.clone().unwrap_or_default();
    let facts = call.facts.clone().unwrap_or_default();
    let person = |party: Option<call_v1::Party>| {
        let party = party.unwrap_or_default();
        Person { number: party.number.into(), name: party.name.into() }
    };
    let (channels, gaps) = channels(call, &laid, plans);
    Info {
        started: started(call).to_zoned(around.time_zone.clone()),
        recording: id,
        call_id: facts.call_id,
        lane: terms.lane.clone(),
        rule: terms.rule.clone(),
        direction: terms.direction,
        caller: person(facts.caller),
        callee: person(facts.callee),
        answered: (call.answered_unix_us != 0)
            .then(|| Timestamp::from_microsecond(call.answered_unix_us).ok())
            .flatten(),
        duration: duration(&laid),
        channels,
        interrupted: interrupted(call, &laid),
        consent: terms.consent.clone(),
        gaps,
        product: concat!("Callseal ", env!("CARGO_PKG_VERSION")).to_owned(),
        installation: around.installation.clone(),
        key_id: around.key_id,
        previous: around.previous.clone(),
        files: Vec::new(),
        participants: participants(call),
        supplement: supplement(call),
        started_by_hand: started_by_hand(call),
        stopped: stopped(call),
        more: more(call, &laid),
    }
}

/// Length of the audio.
pub fn duration(laid: &Laid) -> Duration {
    Duration::from_micros(laid.length_samples.saturating_mul(125))
}

/// Counts and gaps, channel by channel over all files. A stream counts in the first channel that
/// holds it, so that the sums are those of the call.
fn channels(call: &CallRecord, laid: &Laid, plans: &[FilePlan]) -> (Vec<Channel>, Vec<Gap>) {
    let (mut channels, mut gaps) = (Vec::new(), Vec::new());
    let mut counted: BTreeSet<u32> = BTreeSet::new();
    let all = plans.iter().flat_map(|file| file.channels.iter().map(move |channel| (file, channel)));
    for (number, (file, plan)) in (1_u16..).zip(all) {
        let mut streams: Vec<&StreamLaid> = Vec::new();
        for stream in &laid.streams {
            let here = plan.tracks.iter().any(|track| track.stream == stream.stream);
            // A stream without a packet stands with its side.
            let silent = !laid.tracks.iter().any(|track| track.stream == stream.stream)
                && side_of(call, stream.stream) == plan.side;
            if (here || silent) && counted.insert(stream.stream) {
                streams.push(stream);
            }
        }
        channels.push(Channel {
            side: plan.side,
            codec: file.codec.name().to_owned(),
            packets_received: streams.iter().map(|stream| stream.received).sum(),
            packets_lost: streams.iter().map(|stream| stream.lost).sum(),
        });
        if is_first_part(file) {
            gaps.extend(gaps_of(number, file, plan, &streams));
        }
    }
    (channels, gaps)
}

/// The file that holds what belongs in the channels; further parts hold what had no place there.
const fn is_first_part(file: &FilePlan) -> bool {
    matches!(file.section, Section::Audio { part: 1, .. })
}

/// Silence in a channel of the main file: before, between and after its tracks, and what the
/// timeline put into each.
fn gaps_of(number: u16, file: &FilePlan, plan: &ChannelPlan, streams: &[&StreamLaid]) -> Vec<Gap> {
    let gap = |first_sample: u64, samples: u64, cause: GapCause| Gap {
        channel: number,
        first_sample,
        samples,
        sample_rate_hz: Codec::Pcma.clock_rate_hz(),
        cause,
    };
    let mut gaps = Vec::new();
    let mut end = 0;
    for track in &plan.tracks {
        if track.start_sample > end {
            let cause = if end == 0 { GapCause::LateStart } else { GapCause::Quiet };
            gaps.push(gap(end, track.start_sample - end, cause));
        }
        end = end.max(track.end_sample);
    }
    if file.frames > end {
        let cause = if plan.tracks.is_empty() { GapCause::Quiet } else { GapCause::EndedEarly };
        gaps.push(gap(end, file.frames - end, cause));
    }
    for inner in streams.iter().flat_map(|stream| &stream.gaps) {
        let cause = match inner.cause.as_str() {
            "lost" => GapCause::Lost,
            "quiet" => GapCause::Quiet,
            "drift" => GapCause::Drift,
            // The edges are those of the channel, see above.
            _ => continue,
        };
        gaps.push(gap(inner.start_sample, inner.samples, cause));
    }
    gaps.sort_by_key(|gap| (gap.first_sample, gap.cause));
    gaps
}

fn interrupted(call: &CallRecord, laid: &Laid) -> Option<String> {
    let silent = laid.tracks.is_empty().then_some("no RTP was received");
    // The people may have talked on.
    let cut = call
        .ended
        .as_ref()
        .map(CallEnded::reason)
        .filter(|reason| matches!(reason, EndReason::Shutdown | EndReason::Silent))
        .map(end_reason);
    let reasons: Vec<&str> = [Some(call.interrupted.as_str()), cut, silent]
        .into_iter()
        .flatten()
        .filter(|r| !r.is_empty())
        .collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

fn participants(call: &CallRecord) -> Vec<Participant> {
    let mut participants: Vec<Participant> = Vec::new();
    for stream in call.former_streams.iter().chain(&call.streams).filter(|s| !s.participant.is_empty()) {
        let participant = Participant {
            side: Some(side_of(call, stream.index)),
            person: Person {
                number: stream.participant.clone().into(),
                name: stream.participant_name.clone().into(),
            },
        };
        if !participants.contains(&participant) {
            participants.push(participant);
        }
    }
    participants
}

fn supplement(call: &CallRecord) -> Option<Supplement> {
    let reason = if call.section == 0 {
        "the recorder was restarted during the call"
    } else {
        "this part of the call arrived after the recording was sealed"
    };
    Some(Supplement { to: call.supplements.parse().ok()?, reason: reason.to_owned() })
}

fn started_by_hand(call: &CallRecord) -> Option<StartedByHand> {
    let by = call.decision.as_ref()?.recorded.as_ref()?.started_by.clone()?;
    let at = Timestamp::from_microsecond(by.at_unix_us).ok()?;
    Some(StartedByHand { at, way: by.way, user: by.user.into() })
}

fn stopped(call: &CallRecord) -> Option<Stopped> {
    let ended = call.ended.as_ref().filter(|ended| ended.reason() == EndReason::Stopped)?;
    let by = ended.stopped_by.clone().unwrap_or_default();
    let at = Timestamp::from_microsecond(ended.at_unix_us).ok()?;
    Some(Stopped { at, way: by.way, user: by.user.into() })
}

fn more(call: &CallRecord, laid: &Laid) -> Vec<(String, String)> {
    let mut more = Vec::new();
    let mut add = |key: &str, value: String| more.push((key.to_owned(), value));
    if let Some(ended) = &call.ended {
        add("Ended", end_reason(ended.reason()).to_owned());
    }
    // Parts that the recorder took and that never came here; an open end is said by Interrupted.
    let missing: Vec<String> =
        call.wanted.iter().filter(|range| range.last != u64::MAX).map(range_text).collect();
    if !missing.is_empty() {
        add("PartsMissing", missing.join(", "));
    }
    let sum = |of: fn(&StreamLaid) -> u64| laid.streams.iter().map(of).sum::<u64>();
    for (key, count) in [
        ("PacketsDuplicate", sum(|s| s.duplicates)),
        ("PacketsLate", sum(|s| s.late)),
        ("PacketsConcurrent", sum(|s| s.concurrent)),
        ("PacketsMalformed", sum(|s| s.malformed)),
        ("PacketsOfOtherCodecs", sum(|s| s.unsupported)),
    ] {
        if count > 0 {
            add(key, count.to_string());
        }
    }
    more
}

fn range_text(range: &NumberRange) -> String {
    if range.first == range.last {
        range.first.to_string()
    } else {
        format!("{}-{}", range.first, range.last)
    }
}

const fn end_reason(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Unspecified => "for an unknown reason",
        EndReason::Bye => "hung up",
        EndReason::Cancel => "cancelled before the answer",
        EndReason::Silent => "neither media nor signalling any more",
        EndReason::Shutdown => "the recorder was shut down",
        EndReason::NoAck => "the answer was never acknowledged",
        EndReason::Stopped => "stopped by a user",
    }
}
