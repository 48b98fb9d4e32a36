//! Splits a MIME `multipart/mixed` body (RFC 2046 § 5.1) as vendors write it.
//!
//! Tolerated: boundary quoted or not, missing or wrong in the header; LF or CRLF; a preamble; no
//! final boundary; part headers without a space after the colon, folded, or absent altogether.
//! A part is a slice of the body as it was sent: a stack that "repaired" line ends truncated
//! bodies whose length was counted with LF.

/// One part of a multipart body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// Media type in lower case, without parameters; empty if the part names none.
    pub media_type: String,
    /// The whole value of Content-Type; empty if the part names none.
    pub content_type: String,
    /// The value of Content-Disposition, if there is one, in lower case and without parameters.
    pub disposition: Option<String>,
    /// The bytes between the part's headers and the next boundary, without the line end that
    /// belongs to the boundary.
    pub content: &'a [u8],
}

/// Splits `body` into its parts. `content_type` is the header's value and tells the boundary; if it
/// has none, or one that the body does not use, the first line beginning with `--` is taken.
///
/// Never fails: a body without any boundary line has no parts.
pub fn split<'a>(content_type: &str, body: &'a [u8]) -> Vec<Part<'a>> {
    let declared = boundary_of(content_type).filter(|b| next_delimiter(body, 0, b.as_bytes()).is_some());
    let Some(boundary) = declared.map(String::into_bytes).or_else(|| first_dashed_line(body)) else {
        return Vec::new();
    };
    let mut parts = Vec::new();
    let Some(mut delimiter) = next_delimiter(body, 0, &boundary) else { return parts };
    while !delimiter.is_final {
        let next = next_delimiter(body, delimiter.end, &boundary);
        let stop = next.as_ref().map_or(body.len(), |n| n.start);
        let part = read_part(&body[delimiter.end.min(stop)..stop]);
        // What follows a last boundary that forgot its two dashes is nothing, not a part.
        if next.is_some() || !part.content.is_empty() {
            parts.push(part);
        }
        match next {
            Some(next) => delimiter = next,
            None => break,
        }
    }
    parts
}

/// The media type of a Content-Type value: lower case, without parameters.
pub fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The `boundary` parameter of a Content-Type value, unquoted.
fn boundary_of(content_type: &str) -> Option<String> {
    let mut rest = content_type.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, remaining) = if let Some(quoted) = after.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            (&quoted[..end], quoted[end..].split_once(';').map_or("", |(_, r)| r))
        } else {
            after.split_once(';').unwrap_or((after, ""))
        };
        if name.trim().eq_ignore_ascii_case("boundary") {
            let value = value.trim();
            return (!value.is_empty()).then(|| value.to_owned());
        }
        rest = remaining;
    }
}

fn first_dashed_line(body: &[u8]) -> Option<Vec<u8>> {
    let line = body.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end).find(|l| l.starts_with(b"--"))?;
    (line.len() > 2).then(|| line[2..].to_vec())
}

struct Delimiter {
    /// Where the content before it ends: its own line end is not content.
    start: usize,
    /// Just behind its line.
    end: usize,
    is_final: bool,
}

/// The next delimiter line (`--boundary` at the start of a line) at or after `from`.
fn next_delimiter(body: &[u8], from: usize, boundary: &[u8]) -> Option<Delimiter> {
    let mut line_start = from;
    while line_start < body.len() {
        let line_end =
            body[line_start..].iter().position(|b| *b == b'\n').map_or(body.len(), |i| line_start + i + 1);
        let rest = body[line_start..line_end].strip_prefix(b"--").and_then(|l| l.strip_prefix(boundary));
        if let Some(rest) = rest.map(<[u8]>::trim_ascii)
            && (rest.is_empty() || rest.starts_with(b"--"))
        {
            let mut start = line_start;
            for line_end_byte in [b'\n', b'\r'] {
                if start > from && body[start - 1] == line_end_byte {
                    start -= 1;
                }
            }
            return Some(Delimiter { start, end: line_end, is_final: !rest.is_empty() });
        }
        line_start = line_end;
    }
    None
}

fn read_part(bytes: &[u8]) -> Part<'_> {
    let mut part =
        Part { media_type: String::new(), content_type: String::new(), disposition: None, content: bytes };
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut at = 0;
    loop {
        let end = bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |i| at + i + 1);
        let line = &bytes[at..end];
        if line.trim_ascii().is_empty() {
            at = end;
            break;
        }
        let text = String::from_utf8_lossy(line);
        if line[0] == b' ' || line[0] == b'\t' {
            // A folded header (RFC 5322 § 2.2.3).
            let Some((_, value)) = headers.last_mut() else { break };
            value.push(' ');
            value.push_str(text.trim());
        } else if let Some((name, value)) = text.split_once(':').filter(|(name, _)| is_header_name(name)) {
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        } else {
            // The content begins without headers or without the blank line.
            break;
        }
        at = end;
        if at == bytes.len() {
            break;
        }
    }
    for (name, value) in headers {
        match name.as_str() {
            "content-type" | "c" => {
                part.media_type = media_type(&value);
                part.content_type = value;
            }
            "content-disposition" => part.disposition = Some(media_type(&value)),
            _ => {}
        }
    }
    part.content = &bytes[at..];
    part
}

fn is_header_name(name: &str) -> bool {
    let name = name.trim_end();
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents<'a>(content_type: &str, body: &'a str) -> Vec<(String, &'a str)> {
        split(content_type, body.as_bytes())
            .into_iter()
            .map(|p| (p.media_type, std::str::from_utf8(p.content).unwrap()))
            .collect()
    }

    #[test]
    fn parts_are_found_however_the_boundary_is_written() {
        let crlf = "preamble\r\n--b 1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b 1\r\nContent-Type:text/x;p=1\r\nContent-Length: 99\r\n\r\ny\r\n--b 1--\r\nepilogue";
        let lf = crlf.replace("\r\n", "\n");
        let types =
            ["multipart/mixed;boundary=\"b 1\"", "multipart/mixed; x=y; Boundary = b 1 ", "multipart/mixed"];
        for content_type in types {
            assert_eq!(
                contents(content_type, crlf),
                [("application/sdp".into(), "v=0\r\n"), ("text/x".into(), "y")]
            );
            assert_eq!(
                contents(content_type, &lf),
                [("application/sdp".into(), "v=0\n"), ("text/x".into(), "y")]
            );
        }
    }

    #[test]
    fn a_missing_or_dashless_last_boundary_loses_nothing() {
        let open = "--x\r\nContent-Type: a/b\r\n\r\none\r\n--x\r\nContent-Type: c/d\r\n\r\ntwo\r\n";
        let expected = [("a/b".to_owned(), "one"), ("c/d".to_owned(), "two\r\n")];
        assert_eq!(contents("multipart/mixed;boundary=x", open), expected);
        let dashless = format!("{open}--x\r\n");
        let expected = [("a/b".to_owned(), "one"), ("c/d".to_owned(), "two")];
        assert_eq!(contents("multipart/mixed;boundary=x", &dashless), expected);
    }

    #[test]
    fn a_boundary_that_begins_like_another_is_not_confused_with_it() {
        let body = "--x\r\n\r\n--xy\r\nz\r\n--x--";
        assert_eq!(contents("multipart/mixed;boundary=x", body), [(String::new(), "--xy\r\nz")]);
    }

    #[test]
    fn parts_without_headers_or_with_folded_ones_are_kept() {
        let body = "--x\nv=0\no=- 1 1 IN IP4 0.0.0.0\n--x\nContent-Type: a/b;\n c=d\nContent-Disposition: Recording-Session; handling=optional\n\ntext\n--x--";
        let parts = split("multipart/mixed;boundary=x", body.as_bytes());
        assert_eq!(parts[0].content, b"v=0\no=- 1 1 IN IP4 0.0.0.0");
        assert_eq!(parts[1].content_type, "a/b; c=d");
        assert_eq!(parts[1].disposition.as_deref(), Some("recording-session"));
    }
}
