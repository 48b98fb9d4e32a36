//! Sub-folders from static parts and the recording's start (F-73).

use jiff::{Timestamp, tz::TimeZone};

/// Why a sub-folder template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTemplate {
    /// `$` is followed by something that is no placeholder.
    #[error("\"${0}\" is no placeholder: use $Y $M $D $h $m $s")]
    Placeholder(String),
    /// A level that would lead out of the target's folder, or is empty.
    #[error("a sub-folder cannot have a level that is empty, \".\" or \"..\"")]
    Level,
    /// A character that some storage cannot have in a name.
    #[error("a sub-folder cannot hold the character {0:?}: some storage cannot have it in a name")]
    Character(char),
}

/// Fills in `template` with the local time of `start` in `zone`: `$Y` year, `$M` month, `$D` day,
/// `$h` hour, `$m` minute, `$s` second (all of fixed width, the
/// case matters). Slashes at either end are taken off; an empty template is the target's folder itself.
///
/// # Errors
/// The template is invalid; see [`InvalidTemplate`].
pub fn expand(template: &str, start: Timestamp, zone: &TimeZone) -> Result<String, InvalidTemplate> {
    let local = start.to_zoned(zone.clone());
    let template = template.trim_matches('/');
    let mut folder = String::with_capacity(template.len() + 8);
    let mut rest = template.chars();
    while let Some(c) = rest.next() {
        if c != '$' {
            if c.is_control() || "\\:*?\"<>|".contains(c) {
                return Err(InvalidTemplate::Character(c));
            }
            folder.push(c);
            continue;
        }
        match rest.next() {
            Some('Y') => folder += &format!("{:04}", local.year()),
            Some('M') => folder += &format!("{:02}", local.month()),
            Some('D') => folder += &format!("{:02}", local.day()),
            Some('h') => folder += &format!("{:02}", local.hour()),
            Some('m') => folder += &format!("{:02}", local.minute()),
            Some('s') => folder += &format!("{:02}", local.second()),
            other => return Err(InvalidTemplate::Placeholder(other.map(String::from).unwrap_or_default())),
        }
    }
    let bad = |level: &str| matches!(level.trim(), "" | "." | "..");
    if !folder.is_empty() && folder.split('/').any(bad) {
        return Err(InvalidTemplate::Level);
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "2026-01-02T12:00:00Z";

    fn berlin(template: &str, at: &str) -> Result<String, InvalidTemplate> {
        expand(template, at.parse().unwrap(), &TimeZone::get("Europe/Berlin").unwrap())
    }

    #[test]
    fn placeholders_are_the_start_in_the_tenants_zone() {
        let expanded = berlin("calls/$Y/$M/$D/$h-$m-$s", "2026-07-31T23:05:09Z");
        assert_eq!(expanded.as_deref(), Ok("calls/2026/08/01/01-05-09"));
    }

    #[test]
    fn the_case_of_a_placeholder_matters_and_static_parts_may_be_any_utf_8() {
        assert_eq!(berlin("Gespräche $Y/$m", "2026-01-02T03:04:05Z").as_deref(), Ok("Gespräche 2026/04"));
        assert_eq!(berlin("$y", "2026-01-02T03:04:05Z"), Err(InvalidTemplate::Placeholder("y".into())));
    }

    #[test]
    fn the_hour_that_autumn_repeats_lands_in_one_folder() {
        for utc in ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"] {
            assert_eq!(berlin("$h", utc).as_deref(), Ok("02"));
        }
    }

    #[test]
    fn no_template_leads_out_of_the_targets_folder() {
        for bad in ["../x", "a/../b", "a//b", "a/./b", "a/ /b", ".."] {
            assert_eq!(berlin(bad, NOON), Err(InvalidTemplate::Level), "{bad}");
        }
        assert_eq!(berlin("a\\..\\b", NOON), Err(InvalidTemplate::Character('\\')));
        assert_eq!(berlin("x$", NOON), Err(InvalidTemplate::Placeholder(String::new())));
    }

    #[test]
    fn an_empty_template_is_the_targets_folder_itself() {
        assert_eq!(berlin("", "2026-01-02T03:04:05Z").as_deref(), Ok(""));
        assert_eq!(berlin("/$Y/", "2026-01-02T03:04:05Z").as_deref(), Ok("2026"));
    }
}
