//! From the bytes of a metadata document to text that the XML parser has a chance with.

use std::borrow::Cow;

/// Decodes and trims: UTF-8 with or without byte order mark, else Latin-1 (what senders of a wrong
/// or missing encoding declaration mean); no NULs or white space around the document.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|b| char::from(*b)).collect()),
    };
    let around = |c: char| c.is_whitespace() || c == '\0' || c == '\u{feff}';
    match text {
        Cow::Borrowed(t) => Cow::Borrowed(t.trim_matches(around)),
        Cow::Owned(t) => Cow::Owned(t.trim_matches(around).to_owned()),
    }
}

/// Mends what vendors get wrong: `&` in names that isn't an entity, characters that XML forbids, and
/// text behind the end of the document.
pub(super) fn repair(text: &str) -> String {
    let end = text.rfind('>').map_or(text.len(), |i| i + 1);
    let text = &text[..end];
    let mut repaired = String::with_capacity(text.len() + 32);
    for (i, c) in text.char_indices() {
        match c {
            '&' if !starts_with_entity(&text[i + 1..]) => repaired.push_str("&amp;"),
            '\t' | '\n' | '\r' => repaired.push(c),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => {}
            c => repaired.push(c),
        }
    }
    repaired
}

fn starts_with_entity(rest: &str) -> bool {
    let Some((name, _)) = rest.split_once(';') else { return false };
    matches!(name, "amp" | "lt" | "gt" | "quot" | "apos")
        || name.strip_prefix('#').is_some_and(|n| {
            let code = match n.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => n.parse(),
            };
            code.ok().and_then(char::from_u32).is_some_and(|c| !c.is_control())
        })
}

/// Declares a prefix, which the sender forgot to, in the document's first element.
pub(super) fn declare_prefix(text: &str, prefix: &str) -> Option<String> {
    let mut from = 0;
    loop {
        let open = from + text[from..].find('<')?;
        let name = &text[open + 1..];
        if name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let name_end = open + 1 + name.find(|c: char| c.is_whitespace() || c == '>' || c == '/')?;
            return Some(format!(
                "{} xmlns:{prefix}=\"urn:undeclared:{prefix}\"{}",
                &text[..name_end],
                &text[name_end..]
            ));
        }
        from = open + 1;
    }
}
