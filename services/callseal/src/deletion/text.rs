//! Deletions in words. Pure.

use jiff::Timestamp;
use wire::archive_v1::Deletion;

/// A paragraph for each.
pub(super) fn shown(deletions: &[Deletion]) -> String {
    deletions.iter().map(one).collect()
}

fn one(deletion: &Deletion) -> String {
    let Deletion { requested_by, confirmed_by, targets, log_entry, .. } = deletion;
    let mut text = format!(
        "deletion {} of recording {} of {}: {}\n    {} by {}: {}\n",
        deletion.deletion,
        deletion.recording_id,
        deletion.tenant,
        state(&deletion.state),
        time(deletion.requested_unix_ms),
        requested_by,
        deletion.reason
    );
    if !confirmed_by.is_empty() {
        text += &format!("    confirmed {} by {confirmed_by}\n", time(deletion.marked_unix_ms));
    }
    if !targets.is_empty() {
        text += &format!("    from {}\n", targets.join(", "));
    }
    if matches!(deletion.state.as_str(), "logged" | "done") {
        text += &format!("    entry {log_entry} of the log\n");
    }
    if deletion.done_unix_ms != 0 && deletion.state == "done" {
        text += &format!("    done {}\n", time(deletion.done_unix_ms));
    }
    if !deletion.problem.is_empty() {
        text += &format!("    {}\n", deletion.problem);
    }
    text
}

fn state(word: &str) -> &str {
    match word {
        "requested" => "waits for a second person",
        "marked" => "decided; its entry in the log is written next",
        "logged" => "stands in the log; its files are being removed",
        "done" => "deleted",
        other => other,
    }
}

fn time(unix_ms: i64) -> String {
    let at = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    at.strftime("%F %T UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_says_how_far_it_is_and_what_it_waits_for() {
        let deletion = Deletion {
            deletion: 3,
            tenant: "acme".into(),
            recording_id: "01949c3e-7a5b-7000-8000-000000000001".into(),
            state: "logged".into(),
            cause: "request".into(),
            reason: "erasure request".into(),
            requested_by: "anna".into(),
            requested_unix_ms: 1_795_000_000_000,
            confirmed_by: "berta".into(),
            marked_unix_ms: 1_795_100_000_000,
            targets: vec!["archive".into(), "cloud".into()],
            log_entry: 41,
            problem: "target cloud: a lock of the storage keeps it".into(),
            ..Deletion::default()
        };
        assert_eq!(
            shown(&[deletion]),
            "deletion 3 of recording 01949c3e-7a5b-7000-8000-000000000001 of acme: stands in the log; its files are being removed\n    \
             2026-11-18 11:06:40 UTC by anna: erasure request\n    confirmed 2026-11-19 14:53:20 UTC by berta\n    \
             from archive, cloud\n    entry 41 of the log\n    target cloud: a lock of the storage keeps it\n"
        );
    }
}
