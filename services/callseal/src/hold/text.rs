//! Holds in words. Pure.

use jiff::Timestamp;
use wire::archive_v1::Hold;

/// A paragraph for each.
pub(super) fn shown(holds: &[Hold]) -> String {
    holds.iter().map(one).collect()
}

fn one(hold: &Hold) -> String {
    let counted = match hold.recordings {
        1 => "1 recording now".to_owned(),
        n => format!("{n} recordings now"),
    };
    let mut text = format!(
        "hold {} of {}: {} ({counted})\n    placed {} by {}: {}\n",
        hold.hold,
        hold.tenant,
        hold.over,
        time(hold.placed_unix_ms),
        hold.by,
        hold.reason
    );
    if !hold.release_by.is_empty() {
        let asked = time(hold.release_unix_ms);
        text += &format!("    release asked for {asked} by {}: {}\n", hold.release_by, hold.release_reason);
    }
    if !hold.confirmed_by.is_empty() {
        text += &format!("    released {} by {}\n", time(hold.released_unix_ms), hold.confirmed_by);
    }
    text
}

fn time(unix_ms: i64) -> String {
    let at = Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    at.strftime("%F %T UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_says_who_wanted_what_and_when() {
        let hold = Hold {
            hold: 7,
            tenant: "acme".into(),
            over: "rule desk".into(),
            reason: "proceedings 12 of 2026".into(),
            by: "carla".into(),
            placed_unix_ms: 1_795_000_000_000,
            recordings: 12,
            release_by: "anna".into(),
            release_reason: "settled".into(),
            release_unix_ms: 1_795_100_000_000,
            confirmed_by: "berta".into(),
            released_unix_ms: 1_795_200_000_000,
        };
        assert_eq!(
            shown(&[hold]),
            "hold 7 of acme: rule desk (12 recordings now)\n    placed 2026-11-18 11:06:40 UTC by carla: proceedings 12 of 2026\n    \
             release asked for 2026-11-19 14:53:20 UTC by anna: settled\n    released 2026-11-20 18:40:00 UTC by berta\n"
        );
    }
}
