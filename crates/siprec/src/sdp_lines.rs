//! Brings a session description into the shape that `sdp-types` accepts, without changing what it
//! says about media.

/// A tidy copy of `sdp`: LF, CR and CRLF end a line; white space around lines, keys and fields is
/// dropped; text that is not UTF-8 is taken as Latin-1; `v=0` comes first.
///
/// Only `v= o= c= m= a=` are kept: everything else says nothing to a recorder, and a bad `t=` must
/// not cost a recording. Fields that are missing in `m=` are filled so that the line is refused
/// (port 0) rather than lost: the answer must have every m-line in its place (RFC 3264 § 6).
pub(crate) fn tidy(sdp: &[u8]) -> String {
    let text = match std::str::from_utf8(sdp) {
        Ok(text) => text.to_owned(),
        Err(_) => sdp.iter().map(|b| char::from(*b)).collect(),
    };
    let mut tidy = String::with_capacity(text.len() + 8);
    tidy.push_str("v=0\r\n");
    let (mut in_media, mut has_origin, mut has_connection) = (false, false, false);
    for line in text.split(['\n', '\r']).map(|l| l.trim_matches(|c: char| c.is_whitespace() || c == '\0')) {
        let Some((key, value)) = line.split_once('=') else { continue };
        // Control characters mean nothing anywhere; an m-line keeps its place without them, and none is
        // repeated in the answer.
        let plain = |c: char| if c == '\t' { Some(' ') } else { (!c.is_control()).then_some(c) };
        let value: String = value.chars().filter_map(plain).collect();
        let (key, value) = (key.trim(), value.trim());
        let line = match key {
            "o" | "O" if !in_media && !has_origin => origin(value).inspect(|_| has_origin = true),
            "c" | "C" if in_media || !has_connection => {
                connection(value).inspect(|_| has_connection |= !in_media)
            }
            "m" | "M" => {
                in_media = true;
                Some(media(value))
            }
            "a" | "A" if !value.is_empty() => Some(format!("a={value}")),
            _ => None,
        };
        if let Some(line) = line {
            tidy.push_str(&line);
            tidy.push_str("\r\n");
        }
    }
    tidy
}

fn origin(value: &str) -> Option<String> {
    // The user name may be missing or hold spaces: count from the end.
    let fields: Vec<&str> = value.split_whitespace().collect();
    let [.., id, version, net, kind, address] = fields[..] else { return None };
    version.parse::<u64>().ok()?;
    Some(format!("o=- {id} {version} {net} {kind} {address}"))
}

fn connection(value: &str) -> Option<String> {
    let mut fields = value.split_whitespace();
    let (net, kind, address) = (fields.next()?, fields.next()?, fields.next()?);
    Some(format!("c={net} {kind} {address}"))
}

fn media(value: &str) -> String {
    let mut fields = value.split_whitespace();
    let kind = fields.next().unwrap_or("unknown");
    let port =
        fields.next().unwrap_or("0").split('/').next().and_then(|p| p.parse::<u16>().ok()).unwrap_or(0);
    let transport = fields.next().unwrap_or("RTP/AVP");
    let mut formats = fields.collect::<Vec<_>>().join(" ");
    if formats.is_empty() {
        formats.push('0');
    }
    format!("m={kind} {port} {transport} {formats}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_cost_no_line_its_place() {
        let tidy =
            tidy(b"v=0\r\nm=audio 4000 RTP\0/AVP 8\r\na=label:\x7f1\r\nm=\x01vi\x7fdeo\t0 RTP/AVP 31\r\n");
        assert_eq!(tidy, "v=0\r\nm=audio 4000 RTP/AVP 8\r\na=label:1\r\nm=video 0 RTP/AVP 31\r\n");
    }

    #[test]
    fn whatever_is_tidied_is_accepted_by_the_parser() {
        for odd in [
            &b""[..],
            b"v=1\nm=audio",
            b"\n\n v = 0 \no=root 1 2 IN IP4\nm =  audio  4000/2   RTP/AVP   8  0\n a = label:1 \nc=IN IP4\nt=x\nzz\n",
            b"v=0\no=J\xfcrgen Mann 1 2 IN IP4 h\ns=\xff\na\nc=IN IP4 1.2.3.4\nc=IN IP4 5.6.7.8\nm=audio 70000 RTP/AVP 8\nb=TIAS\nk=\ni=1\ni=2\n",
        ] {
            let tidy = tidy(odd);
            assert!(sdp_types::Session::parse(tidy.as_bytes()).is_ok(), "{tidy}");
        }
    }
}
