//! What an identity is before anybody interprets it: a number, an address or a word.

use std::borrow::Cow;

/// An identity without scheme, parameters and what only helps the eye.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bare<'a> {
    /// Digits, with or without a plus before them.
    Number { plus: bool, digits: Cow<'a, str> },
    /// `user@host`.
    Address { whole: &'a str, user: &'a str },
    /// A word, or nothing.
    Other(Cow<'a, str>),
}

/// What people put between digits (RFC 3966, visual separators).
const SEPARATORS: [char; 6] = ['-', '.', '(', ')', '/', ' '];

/// Reads an identity as it stands in SIP, in a directory or in a list.
pub(super) fn bare(identity: &str) -> Bare<'_> {
    let text = without_scheme(identity);
    if let Some((user, _)) = text.split_once('@') {
        // `sip:+49…;npdi@host`: parameters of the user part (RFC 3261, 19.1.6).
        let user = user.split_once(';').map_or(user, |(before, _)| before);
        let whole = text.rsplit_once('@').map_or(text, |(_, host)| {
            let end = host.find(';').unwrap_or(host.len());
            &text[..text.len() - host.len() + end]
        });
        return Bare::Address { whole, user };
    }
    let text = text.split_once(';').map_or(text, |(before, _)| before);
    let text = unescaped(text);
    // Unicode knows many spaces and dashes; a number copied from a web page has them.
    let is_separator =
        |c: char| SEPARATORS.contains(&c) || matches!(c, '\u{a0}' | '\u{2010}'..='\u{2015}' | '\u{2212}');
    let trimmed = text.trim();
    let rest = trimmed.strip_prefix('+').unwrap_or(trimmed);
    let plus = rest.len() < trimmed.len();
    if !rest.contains(|c: char| c.is_ascii_digit())
        || !rest.chars().all(|c| c.is_ascii_digit() || is_separator(c))
    {
        return Bare::Other(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        });
    }
    let digits = match text {
        Cow::Borrowed(text) if rest.bytes().all(|b| b.is_ascii_digit()) => {
            Cow::Borrowed(text.trim().trim_start_matches('+'))
        }
        _ => Cow::Owned(rest.chars().filter(char::is_ascii_digit).collect()),
    };
    Bare::Number { plus, digits }
}

/// A feature code (F-13). In a SIP address the star may be escaped.
pub(crate) fn has_star(number: &str) -> bool {
    number.contains('*') || number.as_bytes().windows(3).any(|three| three.eq_ignore_ascii_case(b"%2a"))
}

fn without_scheme(identity: &str) -> &str {
    let text = identity.trim();
    // `"Name" <sip:22@pbx>`, as some header values are passed on.
    let text = match (text.find('<'), text.rfind('>')) {
        (Some(begin), Some(end)) if begin < end => &text[begin + 1..end],
        _ => text,
    };
    let bare = ["sip:", "sips:", "tel:"].iter().find_map(|scheme| {
        let (head, rest) = text.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    bare.unwrap_or(text)
}

/// Escapes of RFC 3986 undone, where they are ASCII: `%2B49` is `+49`.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let code =
            after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii_graphic);
        match code {
            Some(code) => {
                plain.push(char::from(code));
                rest = &after[2..];
            }
            None => {
                plain.push('%');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_found_escaped_or_not() {
        for (number, expected) in
            [("*21#", true), ("%2A21", true), ("%2a21", true), ("21", false), ("%2B21", false)]
        {
            assert_eq!(has_star(number), expected, "{number}");
        }
    }

    #[test]
    fn an_address_keeps_its_host_and_loses_parameters() {
        let address = |whole, user| Bare::Address { whole, user };
        assert_eq!(bare("sip:22@pbx;user=phone"), address("22@pbx", "22"));
        assert_eq!(bare("\"Erika\" <sip:22@pbx>;tag=1"), address("22@pbx", "22"));
        assert_eq!(bare("sip:+49703122;npdi@pbx"), address("+49703122;npdi@pbx", "+49703122"));
    }

    #[test]
    fn escapes_are_undone_and_broken_ones_left() {
        assert_eq!(bare("%2B49703122"), Bare::Number { plus: true, digits: "49703122".into() });
        assert_eq!(bare("a%zz%4"), Bare::Other("a%zz%4".into()));
    }
}
