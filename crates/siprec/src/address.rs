//! Addresses of people: SIP and tel URIs, with or without scheme, with or without display name.

use domain::Sensitive;

/// An address of record as found in a header or in the metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// The number as the PBX writes it, or the user part; empty if the address has none.
    pub number: Sensitive<String>,
    /// Display name without quotes; empty if there is none.
    pub name: Sensitive<String>,
    /// User and host without scheme and parameters, as an identity to compare with directories.
    pub identity: Sensitive<String>,
}

impl Address {
    /// Reads a name-addr or addr-spec (RFC 3261 § 25.1), a tel URI (RFC 3966), or what vendors write
    /// instead: `1001@10.0.0.1`, `+4970311234`. Anything can be read; text that is no address gives
    /// an empty number.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let (name, uri) = split_display_name(text);
        let uri = uri.trim();
        let (scheme, rest) = match uri.split_once(':') {
            Some((s, rest)) if is_scheme(s) => (s.to_ascii_lowercase(), rest.trim_start_matches("//")),
            _ => (String::new(), uri),
        };
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (user, before_any(host, &[';', '?', '>', ' '])),
            None => {
                let whole = before_any(rest, &[';', '?', '>']);
                // White space belongs to a number, and ends anything else.
                let bare = if looks_like_number(whole) { whole } else { before_any(whole, &[' ']) };
                // `sip:host` has no user; but `sip:4711` or a bare `4711` is meant as a number.
                if scheme == "tel" || looks_like_number(bare) || (scheme.is_empty() && !bare.contains('.')) {
                    (bare, "")
                } else {
                    ("", bare)
                }
            }
        };
        // Parameters within the user part (`+49…;phone-context=…`) and a password.
        let user = before_any(user, &[';', ':']);
        let user = percent_decode(user);
        let number = if looks_like_number(&user) { without_separators(&user) } else { user };
        let identity = match (number.is_empty(), host.is_empty()) {
            (false, false) => format!("{number}@{}", host.to_ascii_lowercase()),
            (false, true) => number.clone(),
            (true, _) => String::new(),
        };
        Self { number: number.into(), name: clean_name(name).into(), identity: identity.into() }
    }

    /// True if nobody is named: no user part, or one that stands for nobody or for a machine.
    pub fn is_nobody(&self) -> bool {
        const NOBODY: [&str; 16] = [
            "anonymous",
            "unknown",
            "unavailable",
            "restricted",
            "private",
            "invalid",
            "srs",
            "src",
            "siprec",
            "recorder",
            "recording",
            "rec",
            "callseal",
            "asterisk",
            "freeswitch",
            "opensips",
        ];
        let number = self.number.expose();
        number.is_empty() || NOBODY.iter().any(|n| n.eq_ignore_ascii_case(number))
    }
}

/// Name without surrounding quotes and white space.
pub(crate) fn clean_name(name: &str) -> String {
    let name = name.trim();
    let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).unwrap_or(name);
    let mut clean = String::with_capacity(name.len());
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        // A quoted-pair (RFC 3261 § 25.1).
        let c = if c == '\\' { chars.next().unwrap_or(c) } else { c };
        if !c.is_control() {
            clean.push(c);
        }
    }
    clean.trim().to_owned()
}

/// Splits `"Name" <uri>;params` or `Name <uri>`; without angle brackets all of it is the URI.
fn split_display_name(text: &str) -> (&str, &str) {
    // A `<` within the quoted name does not open the URI.
    let search_from = match text.strip_prefix('"') {
        Some(quoted) => {
            let mut escaped = false;
            let end = quoted.char_indices().find(|(_, c)| {
                let closes = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            });
            end.map_or(0, |(i, _)| i + 2)
        }
        None => 0,
    };
    match text[search_from..].find('<') {
        Some(open) => {
            let open = search_from + open;
            let uri = &text[open + 1..];
            (&text[..open], uri.split('>').next().unwrap_or(uri))
        }
        None => ("", text),
    }
}

fn is_scheme(text: &str) -> bool {
    ["sip", "sips", "tel", "im", "pres", "xmpp", "h323"].iter().any(|s| s.eq_ignore_ascii_case(text.trim()))
}

fn before_any<'a>(text: &'a str, stops: &[char]) -> &'a str {
    text.split(stops).next().unwrap_or_default().trim()
}

/// At least two digits and otherwise only what numbers are written with (RFC 3966 § 3).
fn looks_like_number(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    digits >= 2
        && text.char_indices().all(|(i, c)| {
            c.is_ascii_digit() || matches!(c, '-' | '(' | ')' | ' ' | '*' | '#') || (c == '+' && i == 0)
                // Four groups of digits with dots are an address of a machine.
                || (c == '.' && text.parse::<std::net::IpAddr>().is_err())
        })
}

fn without_separators(number: &str) -> String {
    number.chars().filter(|c| !matches!(c, '-' | '(' | ')' | ' ' | '.')).collect()
}

fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let hex = pair.and_then(|p| std::str::from_utf8(p).ok()).and_then(|p| u8::from_str_radix(p, 16).ok());
        match hex {
            Some(byte) if !byte.is_ascii_control() => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_pbxs_write_them() {
        for (text, number, name, identity) in [
            ("sip:+4970311234@pbx;user=phone", "+4970311234", "", "+4970311234@pbx"),
            ("sip:1001@PBX.example:5060", "1001", "", "1001@pbx.example:5060"),
            ("sips:anna@pbx.example?x=y", "anna", "", "anna@pbx.example"),
            ("tel:+49-7031-1234;phone-context=x", "+4970311234", "", "+4970311234"),
            ("1001@10.0.0.1", "1001", "", "1001@10.0.0.1"),
            ("+49 7031 1234", "+4970311234", "", "+4970311234"),
            ("4711", "4711", "", "4711"),
            ("sip:4711", "4711", "", "4711"),
            ("sip:10.0.0.1", "", "", ""),
            ("sip:srs.example.net", "", "", ""),
            ("sip:%2B4970311234;npdi@pbx:5060;tag=1", "+4970311234", "", "+4970311234@pbx:5060"),
            ("\"Müller, Anna\" <sip:1001@pbx>;tag=4", "1001", "Müller, Anna", "1001@pbx"),
            ("Anna <1001@pbx>", "1001", "Anna", "1001@pbx"),
            (r#""a \"b\" <c>" <tel:112>"#, "112", r#"a "b" <c>"#, "112"),
            ("<sip:a:secret@pbx>", "a", "", "a@pbx"),
            ("*45#", "*45#", "", "*45#"),
            ("", "", "", ""),
            ("<", "", "", ""),
            ("\"", "\"", "", "\""),
            ("sip:@", "", "", ""),
        ] {
            let read = Address::parse(text);
            assert_eq!(
                (read.number.expose().as_str(), read.name.expose().as_str(), read.identity.expose().as_str()),
                (number, name, identity),
                "{text}"
            );
        }
    }

    #[test]
    fn machines_and_the_anonymous_are_nobody() {
        for text in ["sip:anonymous@anonymous.invalid", "sip:10.0.0.1", "sip:SRS@recorder", ""] {
            assert!(Address::parse(text).is_nobody(), "{text}");
        }
        assert!(!Address::parse("sip:anna@pbx").is_nobody());
    }
}
