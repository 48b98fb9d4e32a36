//! The lines of `_info.txt` in their order.

use std::time::Duration;

use domain::{Consent, Side};
use jiff::{Timestamp, Zoned};

use super::{Channel, Gap, Info, Participant, Person};
use crate::text::{clock, escape};

pub(crate) fn line(key: &str, value: &str) -> String {
    format!("{key}: {}\n", escape(value))
}

/// Keys and values, not yet escaped. The order of the first block is fixed: scripts read it.
pub(crate) fn lines(info: &Info) -> Vec<(String, String)> {
    let previous = info.previous.as_ref();
    let fixed = [
        ("Datetime", local(&info.started)),
        ("Recording", info.recording.to_string()),
        ("CallId", info.call_id.clone()),
        ("Tenant", info.lane.tenant.to_string()),
        ("Class", info.lane.class.to_string()),
        ("Rule", info.rule.clone()),
        ("Direction", info.direction.to_string()),
        ("Caller", info.caller.number.expose().clone()),
        ("CallerName", info.caller.name.expose().clone()),
        ("Callee", info.callee.number.expose().clone()),
        ("CalleeName", info.callee.name.expose().clone()),
        ("Answered", info.answered.map_or_else(|| "no".to_owned(), |at| time_of(info, at))),
        ("Duration", clock(info.duration)),
        ("Channels", per_channel(info, |channel| side(channel.side).to_owned())),
        ("Codec", codec(&info.channels)),
        ("PacketsReceived", per_channel(info, |channel| channel.packets_received.to_string())),
        ("PacketsLost", per_channel(info, |channel| channel.packets_lost.to_string())),
        ("Interrupted", info.interrupted.clone().unwrap_or_else(|| "no".to_owned())),
        ("Consent", info.consent.as_ref().map_or_else(|| "none".to_owned(), |c| consent(info, c))),
        ("Gaps", info.gaps.len().to_string()),
        ("Product", info.product.clone()),
        ("Installation", info.installation.clone()),
        ("KeyId", info.key_id.to_string()),
        ("PreviousRecording", previous.map_or_else(|| "none".to_owned(), |head| head.recording.to_string())),
        ("PreviousSignature", previous.map_or_else(|| "none".to_owned(), |head| head.signature.to_base64())),
        ("ChainPosition", info.position().to_string()),
        ("Files", info.files.join(",")),
    ];
    let mut lines: Vec<_> = fixed.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    if let Some(supplement) = &info.supplement {
        lines.push(("SupplementTo".to_owned(), supplement.to.to_string()));
        lines.push(("SupplementReason".to_owned(), supplement.reason.clone()));
    }
    if let Some(started) = &info.started_by_hand {
        lines.push(("Started".to_owned(), format!("{} by {}", time_of(info, started.at), started.way)));
        if !started.user.expose().is_empty() {
            lines.push(("StartedBy".to_owned(), started.user.expose().clone()));
        }
    }
    if let Some(stopped) = &info.stopped {
        lines.push(("Stopped".to_owned(), format!("{} by {}", time_of(info, stopped.at), stopped.way)));
        if !stopped.user.expose().is_empty() {
            lines.push(("StoppedBy".to_owned(), stopped.user.expose().clone()));
        }
    }
    for (number, participant) in (1..).zip(&info.participants) {
        lines.push((format!("Participant{number}"), participant_text(participant)));
    }
    for (number, gap) in (1..).zip(&info.gaps) {
        lines.push((format!("Gap{number}"), gap_text(gap)));
    }
    lines.extend(info.more.iter().cloned());
    lines
}

/// RFC 3339 with offset and milliseconds.
pub(crate) fn local(at: &Zoned) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

/// A moment of the call in the tenant's zone.
pub(crate) fn time_of(info: &Info, at: Timestamp) -> String {
    local(&at.to_zoned(info.started.time_zone().clone()))
}

/// The proof in one line: outcome, mode, key, time, announcement and its hash, where it was asked.
fn consent(info: &Info, consent: &Consent) -> String {
    let mut parts = vec![consent.outcome.to_string(), consent.mode.to_string()];
    parts.extend(consent.key.map(|key| format!("key {key}")));
    parts.extend(Timestamp::from_microsecond(consent.at_unix_us).ok().map(|at| time_of(info, at)));
    parts.extend(consent.announcement.as_ref().map(|name| format!("announcement {name}")));
    parts.extend(consent.announcement_sha256.as_ref().map(|hash| format!("sha256 {hash}")));
    parts.push(consent.source.to_string());
    parts.join("; ")
}

pub(crate) const fn side(side: Side) -> &'static str {
    match side {
        Side::Caller => "caller",
        Side::Callee => "callee",
    }
}

fn per_channel(info: &Info, value: impl Fn(&Channel) -> String) -> String {
    info.channels.iter().map(value).collect::<Vec<_>>().join(",")
}

/// One name if all channels have the same codec, as they mostly do.
fn codec(channels: &[Channel]) -> String {
    let mut names: Vec<&str> = channels.iter().map(|channel| channel.codec.as_str()).collect();
    if names.iter().all(|name| *name == names[0]) {
        names.truncate(1);
    }
    names.join(",")
}

fn participant_text(participant: &Participant) -> String {
    let Person { number, name } = &participant.person;
    let side = participant.side.map_or("unknown", side);
    let (number, name) = (number.expose(), name.expose());
    if name.is_empty() { format!("{side} {number}") } else { format!("{side} {number} \"{name}\"") }
}

/// `channel 2 at 0:00:12.340 for 0:00:00.020, samples 98720+160, lost`
fn gap_text(gap: &Gap) -> String {
    let Gap { channel, first_sample, samples, cause, .. } = gap;
    let (at, length) = (gap.time_of(*first_sample), gap.time_of(*samples));
    let cause = cause.as_str();
    format!(
        "channel {channel} at {} for {}, samples {first_sample}+{samples}, {cause}",
        clock(at),
        clock(length)
    )
}

impl Gap {
    /// How long so many samples last; the fraction below a nanosecond is cut off.
    pub fn time_of(&self, samples: u64) -> Duration {
        let rate = u64::from(self.sample_rate_hz.max(1));
        let nanos = u128::from(samples % rate) * 1_000_000_000 / u128::from(rate);
        // Less than a second: it fits.
        Duration::new(samples / rate, nanos as u32)
    }
}
