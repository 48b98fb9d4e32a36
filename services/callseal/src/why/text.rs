//! The story for a person at a terminal. Times are UTC.

use std::fmt::{self, Write};

use jiff::Timestamp;
use wire::event_v1::{ConsentAnswered, Event, event::What};

use super::{
    outcome::Outcome,
    story::{Leg, Story},
};
use crate::terminal::printable;

/// Everything that is known, or that nothing is.
pub(super) fn told(story: &Story) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = tell(&mut text, story);
    text
}

fn tell(out: &mut String, story: &Story) -> fmt::Result {
    let call_id = printable(&story.call_id);
    if story.is_empty() {
        return nothing(out, &call_id, story.reach.oldest_unix_us);
    }
    writeln!(out, "call {call_id}")?;
    if !story.answers.is_empty() {
        writeln!(out, "\nanswers outside its legs")?;
        for event in &story.answers {
            tell_event(out, event)?;
        }
    }
    for leg in &story.legs {
        tell_leg(out, leg)?;
    }
    if story.legs.is_empty() {
        writeln!(
            out,
            "\nno leg of this call is known: the PBX sent nothing to be recorded, or it was refused"
        )?;
    }
    Ok(())
}

fn nothing(out: &mut String, call_id: &str, oldest_unix_us: Option<i64>) -> fmt::Result {
    writeln!(out, "nothing is known of the call {call_id}")?;
    match oldest_unix_us {
        Some(oldest) => writeln!(out, "  what happened is known since {}", time(oldest))?,
        None => writeln!(out, "  nothing is known of any call")?,
    }
    writeln!(
        out,
        "  either it is older, or the PBX sent no INVITE with this id, or the INVITE was refused (see"
    )?;
    writeln!(out, "  the log of ingest), or the PBX gave another id: look for it in CallId of an _info.txt")
}

fn tell_leg(out: &mut String, leg: &Leg) -> fmt::Result {
    let Leg { recording, tenant, events } = leg;
    writeln!(out, "\nleg {recording} of {}", printable(tenant))?;
    writeln!(out, "  {}", printable(&Outcome::of(events).to_string()))?;
    events.iter().try_for_each(|event| tell_event(out, event))
}

fn tell_event(out: &mut String, event: &Event) -> fmt::Result {
    let Some(what) = &event.what else { return Ok(()) };
    let (at, service) = (time(event.at_unix_us), printable(&event.service));
    writeln!(out, "  {at}  {service:<8} {}", printable(&said(what)))?;
    if let What::Decided(decided) = what {
        for (i, line) in decided.trace.iter().enumerate() {
            writeln!(out, "  {:>37}. {}", i + 1, printable(line))?;
        }
    }
    Ok(())
}

fn said(what: &What) -> String {
    match what {
        What::Ringing(ringing) => format!("the leg began, streams: {}", ringing.streams),
        What::Decided(decided) if decided.recorded => format!("decided: recorded by rule {}", decided.rule),
        What::Decided(decided) if decided.asks_consent => {
            format!("decided: recorded by rule {} once there is consent", decided.rule)
        }
        What::Decided(decided) => format!("decided: not recorded: {}", decided.reason),
        What::ConsentAnswered(answer) => format!("consent: {}", consent(answer)),
        What::Started(started) => format!("started by hand: {}, rule {}", started.way, started.rule),
        What::Stopped(stopped) => format!("stopped by hand: {}", stopped.way),
        What::Deleted(deleted) => format!("deleted by {}: {}", deleted.by, deleted.reason),
        What::Accessed(accessed) => format!("{} by {}", accessed.how, accessed.by),
        What::HoldChanged(hold) if hold.placed => {
            format!("legal hold {} placed by {}, over {}", hold.hold, hold.by, hold.over)
        }
        What::HoldChanged(hold) => format!("legal hold {} released by {}", hold.hold, hold.by),
        What::Removed(removed) => format!("removed: by {}: {}", removed.by, removed.reason),
        What::Ended(ended) => {
            format!(
                "the call ended ({}), packets received: {}",
                ended.reason.replace('_', " "),
                ended.packets_received
            )
        }
        What::Assembled(assembled) => {
            let audio =
                format!("{}, packets lost: {}", seconds(assembled.duration_ms), assembled.packets_lost);
            if assembled.supplement_to.is_empty() {
                format!("assembled: {audio}")
            } else {
                format!("assembled: {audio}; late audio of {}", assembled.supplement_to)
            }
        }
        What::Sealed(sealed) => {
            format!(
                "sealed: {}, signed, number {} of its chain",
                seconds(sealed.duration_ms),
                sealed.chain_position
            )
        }
        What::Shipped(shipped) if shipped.handed_over => {
            format!("handed over: to {}, which keeps no copy", shipped.target)
        }
        What::Shipped(shipped) => {
            format!(
                "shipped: to {}, folder {}, verified by {}",
                shipped.target, shipped.folder, shipped.verified_by
            )
        }
        What::Journalled(journalled) => format!("journalled: in {}", journalled.journal),
        What::Fault(fault) => {
            let then = if fault.will_retry { "tried again" } else { "needs a person" };
            format!("FAULT in {}: {} ({then})", fault.r#where, fault.problem)
        }
    }
}

/// The proof (F-24).
fn consent(answer: &ConsentAnswered) -> String {
    let mut parts = vec![format!("{} ({})", answer.outcome, answer.mode)];
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            parts.push(format!("{name} {value}"));
        }
    };
    add("rule", &answer.rule);
    add("key", &answer.key);
    if answer.consented_unix_us != 0 {
        add("at", &time(answer.consented_unix_us));
    }
    add("announcement", &answer.announcement);
    add("sha256", &answer.announcement_sha256);
    add("by", &answer.source);
    parts.join("; ")
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}

fn time(unix_us: i64) -> String {
    Timestamp::from_microsecond(unix_us)
        .map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}
