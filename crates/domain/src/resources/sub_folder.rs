//! Sub-folder templates: static parts and `$Y $M $D $h $m $s` (F-73).

/// Characters that some target refuses in a name.
const FORBIDDEN: [char; 8] = [':', '*', '?', '"', '<', '>', '|', '\\'];

/// Why a text is not a sub-folder template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSubFolder {
    /// `$` with a letter that stands for nothing.
    #[error("unknown placeholder; use $Y, $M, $D, $h, $m or $s")]
    Placeholder,
    /// A character that some target refuses.
    #[error("must not hold {0:?}: some storage refuses it in a folder name")]
    Character(char),
    /// `.`, `..`, an empty level, or one with a blank or dot at its end.
    #[error("has a level that is empty, is . or .., or ends with a blank or a dot")]
    Level,
}

/// Whether `template` is a sub-folder template; empty is one, too.
pub fn check(template: &str) -> Result<(), InvalidSubFolder> {
    let trimmed = template.trim_matches('/');
    if trimmed.is_empty() {
        return Ok(());
    }
    if let Some(c) = trimmed.chars().find(|c| FORBIDDEN.contains(c) || c.is_control()) {
        return Err(InvalidSubFolder::Character(c));
    }
    if trimmed.split('/').any(|level| level.is_empty() || level.ends_with(['.', ' '])) {
        return Err(InvalidSubFolder::Level);
    }
    let mut after_dollar = trimmed.split('$').skip(1);
    if after_dollar.any(|rest| !rest.starts_with(['Y', 'M', 'D', 'h', 'm', 's'])) {
        return Err(InvalidSubFolder::Placeholder);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_parts_and_placeholders_are_templates() {
        for good in ["", "$Y/$M/$D", "Aufzeichnungen für Köln/$Y-$M", "/a/", "$h$m$s"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_a_target_could_not_make_is_refused() {
        for (bad, why) in [
            ("$y", InvalidSubFolder::Placeholder),
            ("a$", InvalidSubFolder::Placeholder),
            ("a/../b", InvalidSubFolder::Level),
            ("a//b", InvalidSubFolder::Level),
            ("a:b", InvalidSubFolder::Character(':')),
        ] {
            assert_eq!(check(bad), Err(why), "{bad}");
        }
    }
}
