//! What people write into a log: auditors and witnesses read it, archives keep it for ever, and nothing
//! can be taken out again. So a text that looks as if it named a person by number or address is refused.
//!
//! The rule is simple, so that it can be said in a sentence: no `@`, no `+`, and no number of five digits or
//! more, however it is divided. Dates and clock times are let through: they name nobody. It cannot know
//! names; the command's help asks not to write them.

/// Digits that a telephone number has at least: shorter ones are extensions of an office, which are too
/// many to tell from a count or a year.
const FROM: usize = 5;

/// Why a text is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It holds a number, or what could be one.
    Number,
    /// It holds what could be an address.
    Address,
}

impl Found {
    /// What the writer is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Number => {
                "the log is public to auditors and nothing can be taken out of it again: this text holds a number of five \
                 digits or more, which could be a telephone number. Say it without (dates like 2026-11-22 are taken)"
            }
            Self::Address => {
                "the log is public to auditors and nothing can be taken out of it again: this text holds an '@' or a '+', as \
                 e-mail addresses and telephone numbers do. Say it without, with the short name of an account"
            }
        }
    }
}

/// Looks at a text before it is written. Pure.
///
/// # Errors
/// What it holds that must not get into a log.
pub fn look_at(text: &str) -> Result<(), Found> {
    // Also in the wide forms of other scripts.
    if text.contains(['@', '+', '\u{ff20}', '\u{ff0b}']) {
        return Err(Found::Address);
    }
    let is_part = |c: char| c.is_numeric() || matches!(c, '-' | '.' | '/' | '(' | ')' | ':' | ' ' | '\u{a0}');
    for run in text.split(|c| !is_part(c)) {
        // What is left when dates are taken out is one number, however it is divided.
        let words = run.split_whitespace().filter(|word| !is_date(word.trim_end_matches([':', '.'])));
        if words.flat_map(str::chars).filter(|c| c.is_numeric()).count() >= FROM {
            return Err(Found::Number);
        }
    }
    Ok(())
}

/// `2026-11-22`, `22.11.2026`, `11/22/2026`, `09:15`, `09:15:30`.
fn is_date(word: &str) -> bool {
    let parts = |by: char| -> Option<Vec<&str>> {
        let parts: Vec<&str> = word.split(by).collect();
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        parts.iter().all(is_number).then_some(parts)
    };
    let is_year = |part: &str| part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    let below = |part: &str, limit: u8| part.len() <= 2 && part.parse::<u8>().is_ok_and(|n| n < limit);
    let day = |part: &str| below(part, 32);
    ['-', '.', '/'].into_iter().filter_map(parts).any(|parts| match parts.as_slice() {
        [first, month, last] => {
            (is_year(first) && below(month, 13) && day(last)) || (day(first) && day(month) && is_year(last))
        }
        _ => false,
    }) || parts(':').is_some_and(|parts| match parts.as_slice() {
        [hour, minute] => below(hour, 24) && below(minute, 60),
        [hour, minute, second] => below(hour, 24) && below(minute, 60) && below(second, 60),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_addresses_are_found_however_they_are_written() {
        for text in [
            "12345",
            "of 0711 123 456",
            "asked by 0711/123-45",
            "(0711) 4455",
            "tel. 07.11.44.55",
            "0 7 1 1 4",
            "case 2026-11-22 49711",
            "2026-11-22-12345",
            "\u{0660}\u{0661}\u{0662}\u{0663}\u{0664}",
            "99:11:22",
        ] {
            assert_eq!(look_at(text), Err(Found::Number), "{text}");
        }
        for text in ["erika@example.com", "+49 711", "a \u{ff20} b"] {
            assert_eq!(look_at(text), Err(Found::Address), "{text}");
        }
    }

    #[test]
    fn what_people_have_to_say_is_taken() {
        for text in [
            "",
            "erasure request of 12 November",
            "erasure request of 2026-11-22, 09:15",
            "retention: 10 years, ended 22.11.2026",
            "retention: 10 years, 3650 days",
            "court order no. 4711 of 2025",
            "on 11/22/2026 09:15:30.",
            "anna (works council, room 12)",
        ] {
            assert_eq!(look_at(text), Ok(()), "{text}");
        }
    }
}
