//! The lines of an entry in their order.

use std::fmt::Display;

use jiff::Timestamp;

use super::{
    Entry, KeyEntry, SealedEntry, What,
    line::{list, text},
};
use crate::text::clock;

pub(super) fn write(entry: &Entry) -> String {
    let mut out = String::with_capacity(512);
    line(&mut out, "Callseal-Log", 1);
    line(&mut out, "Kind", entry.what.kind());
    line(&mut out, "Time", time(entry.at));
    line(&mut out, "Tenant", &entry.tenant);
    what(&mut out, &entry.what);
    out
}

fn line(out: &mut String, key: &str, value: impl Display) {
    out.push_str(&format!("{key}: {value}\n"));
}

/// To the millisecond, cut off: a time never lies later than it was.
fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn or_none(value: Option<impl Display>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn what(out: &mut String, what: &What) {
    match what {
        What::Started { reference } => line(out, "Reference", reference),
        What::Decided { reference, outcome, rule } => {
            line(out, "Reference", reference);
            line(out, "Outcome", outcome);
            line(out, "Rule", text(rule));
        }
        What::Stopped { reference, way } => {
            line(out, "Reference", reference);
            line(out, "Way", text(way));
        }
        What::Sealed(sealed) => write_sealed(out, sealed),
        What::Empty { reference, reason } => {
            line(out, "Reference", reference);
            line(out, "Reason", text(reason));
        }
        What::Deleted { recording, targets, reason, by } => {
            line(out, "Recording", recording);
            line(out, "Targets", list(targets, "all"));
            line(out, "Reason", text(reason));
            line(out, "By", text(by));
        }
        What::Accessed { recording, how, by } => {
            line(out, "Recording", recording);
            line(out, "How", how);
            line(out, "By", text(by));
        }
        What::Key(key) => write_key(out, key),
        What::Heartbeat => {}
    }
}

fn write_sealed(out: &mut String, sealed: &SealedEntry) {
    line(out, "Reference", &sealed.reference);
    line(out, "Recording", sealed.recording);
    line(out, "Class", sealed.class);
    line(out, "Position", sealed.position);
    line(out, "HashList", sealed.hash_list);
    line(out, "Signature", sealed.signature);
    line(out, "KeyId", sealed.key_id);
    line(out, "Started", time(sealed.started));
    line(out, "Duration", clock(sealed.duration));
    line(out, "Gaps", sealed.gaps);
    line(out, "Interrupted", if sealed.interrupted { "yes" } else { "no" });
    line(out, "SupplementTo", or_none(sealed.supplement_to));
    line(out, "Targets", list(&sealed.targets, "none"));
}

fn write_key(out: &mut String, key: &KeyEntry) {
    line(out, "Change", key.change);
    line(out, "KeyId", key.key_id);
    line(out, "PreviousKeyId", or_none(key.previous));
    line(out, "Certificate", key.certificate);
    line(out, "LogKey", text(&key.log_key));
    line(out, "Statement", or_none(key.statement));
    line(out, "Reason", text(&key.reason));
}
