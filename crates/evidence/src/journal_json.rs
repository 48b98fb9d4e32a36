//! `_journal.json` (F-43): the same as `_info.txt`, for scripts, with the columns of the journal (F-91)
//! first and under their names.
//!
//! The column `signature` is not in it: the signature covers this file.

use domain::Direction;
use jiff::Timestamp;
use serde::Serialize;

use crate::{HashedFile, Info, info};

/// The word of the journal's column `direction`: internal calls are written `in` (F-91).
pub const fn journal_direction(direction: Direction) -> &'static str {
    match direction {
        Direction::In | Direction::Internal => "in",
        Direction::Out => "out",
    }
}

/// The exact bytes of `_journal.json`: keys always in the same order, two spaces of indent, LF.
/// `files` are those that exist before it: audio and info.
pub fn to_bytes(info: &Info, files: &[HashedFile]) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(&Document::new(info, files))
        .expect("strings, numbers and lists always have a JSON form");
    bytes.push(b'\n');
    bytes
}

#[derive(Serialize)]
struct Document<'a> {
    basefilename: String,
    direction: &'static str,
    time: i64,
    callid: &'a str,
    callername: &'a str,
    caller: &'a str,
    callee: &'a str,
    setting: &'a str,
    recording: String,
    tenant: &'a str,
    class: &'static str,
    datetime: String,
    #[serde(rename = "callDirection")]
    call_direction: &'static str,
    calleename: &'a str,
    answered: Option<String>,
    #[serde(rename = "durationMs")]
    duration_ms: u64,
    channels: Vec<Channel<'a>>,
    interrupted: Option<&'a str>,
    consent: Option<Consent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<Wish<'a>>,
    stopped: Option<Wish<'a>>,
    gaps: Vec<Gap>,
    participants: Vec<Participant<'a>>,
    supplement: Option<Supplement<'a>>,
    product: &'a str,
    installation: &'a str,
    #[serde(rename = "keyId")]
    key_id: String,
    #[serde(rename = "chainPosition")]
    chain_position: u64,
    #[serde(rename = "previousRecording")]
    previous_recording: Option<String>,
    #[serde(rename = "previousSignature")]
    previous_signature: Option<String>,
    more: serde_json::Map<String, serde_json::Value>,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Channel<'a> {
    side: &'static str,
    codec: &'a str,
    packets_received: u64,
    packets_lost: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gap {
    channel: u16,
    first_sample: u64,
    samples: u64,
    sample_rate_hz: u32,
    cause: &'static str,
}

#[derive(Serialize)]
struct Participant<'a> {
    side: Option<&'static str>,
    number: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Supplement<'a> {
    to: String,
    reason: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Consent<'a> {
    outcome: &'static str,
    mode: &'static str,
    key: Option<char>,
    at: Option<String>,
    announcement: Option<&'a str>,
    announcement_sha256: Option<&'a str>,
    source: &'static str,
}

#[derive(Serialize)]
struct Wish<'a> {
    at: String,
    way: &'a str,
    user: Option<&'a str>,
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    size: u64,
    sha256: String,
}

impl<'a> Document<'a> {
    fn new(info: &'a Info, files: &'a [HashedFile]) -> Self {
        let base = info.base_name();
        Self {
            basefilename: base.as_str().to_owned(),
            direction: journal_direction(info.direction),
            time: base.started().as_millisecond(),
            callid: &info.call_id,
            callername: info.caller.name.expose(),
            caller: info.caller.number.expose(),
            callee: info.callee.number.expose(),
            setting: &info.rule,
            recording: info.recording.to_string(),
            tenant: info.lane.tenant.as_str(),
            class: info.lane.class.as_str(),
            datetime: info::local(&info.started),
            call_direction: info.direction.as_str(),
            calleename: info.callee.name.expose(),
            answered: info.answered.map(|at| info::time_of(info, at)),
            duration_ms: u64::try_from(info.duration.as_millis()).unwrap_or(u64::MAX),
            channels: info.channels.iter().map(Channel::new).collect(),
            interrupted: info.interrupted.as_deref(),
            consent: info.consent.as_ref().map(|consent| Consent::new(info, consent)),
            started: info.started_by_hand.as_ref().map(|s| Wish::new(info, s.at, &s.way, &s.user)),
            stopped: info.stopped.as_ref().map(|s| Wish::new(info, s.at, &s.way, &s.user)),
            gaps: info.gaps.iter().map(Gap::new).collect(),
            participants: info.participants.iter().map(Participant::new).collect(),
            supplement: info
                .supplement
                .as_ref()
                .map(|s| Supplement { to: s.to.to_string(), reason: &s.reason }),
            product: &info.product,
            installation: &info.installation,
            key_id: info.key_id.to_string(),
            chain_position: info.position(),
            previous_recording: info.previous.as_ref().map(|head| head.recording.to_string()),
            previous_signature: info.previous.as_ref().map(|head| head.signature.to_base64()),
            more: info.more.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect(),
            files: files.iter().map(File::new).collect(),
        }
    }
}

impl<'a> Channel<'a> {
    fn new(channel: &'a crate::Channel) -> Self {
        let crate::Channel { side, codec, packets_received, packets_lost } = channel;
        let (packets_received, packets_lost) = (*packets_received, *packets_lost);
        Self { side: info::side(*side), codec, packets_received, packets_lost }
    }
}

impl Gap {
    fn new(gap: &crate::Gap) -> Self {
        let crate::Gap { channel, first_sample, samples, sample_rate_hz, cause } = *gap;
        Self { channel, first_sample, samples, sample_rate_hz, cause: cause.as_str() }
    }
}

impl<'a> Participant<'a> {
    fn new(participant: &'a crate::Participant) -> Self {
        let person = &participant.person;
        let side = participant.side.map(info::side);
        Self { side, number: person.number.expose(), name: person.name.expose() }
    }
}

impl<'a> Consent<'a> {
    fn new(info: &Info, consent: &'a domain::Consent) -> Self {
        let at = Timestamp::from_microsecond(consent.at_unix_us).ok();
        Self {
            outcome: consent.outcome.as_str(),
            mode: consent.mode.as_str(),
            key: consent.key,
            at: at.map(|at| info::time_of(info, at)),
            announcement: consent.announcement.as_ref().map(domain::ResourceName::as_str),
            announcement_sha256: consent.announcement_sha256.as_deref(),
            source: consent.source.as_str(),
        }
    }
}

impl<'a> Wish<'a> {
    fn new(info: &Info, at: Timestamp, way: &'a str, user: &'a domain::Sensitive<String>) -> Self {
        let user = Some(user.expose().as_str()).filter(|user| !user.is_empty());
        Self { at: info::time_of(info, at), way, user }
    }
}

impl<'a> File<'a> {
    fn new(file: &'a HashedFile) -> Self {
        Self { name: &file.name, size: file.size, sha256: file.sha256.to_string() }
    }
}
