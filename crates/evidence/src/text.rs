//! Values on one line, and lengths of time as people write them.

use std::time::Duration;

/// `value` on one line: control characters, line separators and the marks that turn the direction
/// of writing (an auditor's terminal would show another text than the file holds) are escaped as in
/// JSON, the backslash as `\\`.
pub(crate) fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_invisible(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// All of them lie in the Basic Multilingual Plane, so four hexadecimal digits hold them.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What [`escape`] was given; an escape that it never makes stays as it stands.
pub(crate) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (c, length) = unescape_one(&rest[at..]);
        out.push(c);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    out
}

/// The character that the escape at the start of `text` stands for, and the escape's length.
fn unescape_one(text: &str) -> (char, usize) {
    match text.as_bytes().get(1) {
        Some(b'\\') => ('\\', 2),
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(b'u') => text
            .get(2..6)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32)
            .map_or(('\\', 1), |c| (c, 6)),
        _ => ('\\', 1),
    }
}

/// `h:mm:ss.mmm`, the milliseconds rounded down.
pub(crate) fn clock(length: Duration) -> String {
    let seconds = length.as_secs();
    format!("{}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, length.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_comes_back_from_one_line_without_control_characters(text in any::<String>()) {
            let line = escape(&text);
            prop_assert!(!line.chars().any(|c| c.is_control() || is_invisible(c)));
            prop_assert_eq!(unescape(&line), text);
        }

        #[test]
        fn unescaping_any_text_does_not_panic(text in any::<String>()) {
            unescape(&text);
        }
    }

    #[test]
    fn lengths_are_written_as_on_a_clock() {
        assert_eq!(clock(Duration::ZERO), "0:00:00.000");
        assert_eq!(clock(Duration::from_millis(33 * 3_600_000 + 59 * 60_000 + 1_999)), "33:59:01.999");
    }
}
