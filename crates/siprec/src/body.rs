//! Finds the offer and the metadata in the body of a SIP request (RFC 7866 § 9.1).

use crate::multipart::{self, Part};

/// The parts of a SIP body that matter to a recorder, as slices of what was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Body<'a> {
    /// The session description.
    pub sdp: Option<&'a [u8]>,
    /// The recording metadata. Updates may carry it alone.
    pub metadata: Option<&'a [u8]>,
    /// Parts of other types, such as Cisco's `application/gtd`: passed over.
    pub other_parts: usize,
}

/// Deeper nesting of multipart in multipart is not looked into.
const MAX_DEPTH: u8 = 3;

#[derive(PartialEq)]
enum Kind {
    Sdp,
    Metadata,
    Multipart,
    Other,
}

impl<'a> Body<'a> {
    /// Reads a body by the value of its Content-Type header; what names no type, or an unknown one,
    /// is judged by how it begins. Parts may come in any order; the first of a kind counts.
    pub fn read(content_type: &str, body: &'a [u8]) -> Self {
        let mut found = Self::default();
        found.look_into(content_type, body, 0);
        found
    }

    /// True if the request said nothing about media or the call.
    pub fn is_empty(&self) -> bool {
        self.sdp.is_none() && self.metadata.is_none()
    }

    fn look_into(&mut self, content_type: &str, content: &'a [u8], depth: u8) {
        match kind_of(&multipart::media_type(content_type), content) {
            Kind::Sdp if self.sdp.is_none() => self.sdp = Some(content),
            Kind::Metadata if self.metadata.is_none() => self.metadata = Some(content),
            Kind::Multipart if depth < MAX_DEPTH => {
                for Part { content_type, content, .. } in multipart::split(content_type, content) {
                    self.look_into(&content_type, content, depth + 1);
                }
            }
            _ if content.trim_ascii().is_empty() => {}
            _ => self.other_parts += 1,
        }
    }
}

fn kind_of(media_type: &str, content: &[u8]) -> Kind {
    match media_type {
        "application/sdp" => Kind::Sdp,
        t if t.starts_with("multipart/") => Kind::Multipart,
        // RFC 7866 and 9806, drafts and BroadWorks in turn.
        t if t.contains("rs-metadata")
            || t.contains("recording_metadata")
            || t.contains("recording-metadata") =>
        {
            // `application/rs-metadata-request` goes from us to the client and holds no metadata.
            if t.contains("rs-metadata-request") { Kind::Other } else { Kind::Metadata }
        }
        "" | "application/xml" | "text/xml" | "text/plain" | "application/octet-stream" => {
            match content.trim_ascii_start() {
                c if c.starts_with(b"v=0") => Kind::Sdp,
                c if c.starts_with(b"--") => Kind::Multipart,
                c if c.starts_with(b"<") && contains(c, b"recording") => Kind::Metadata,
                _ => Kind::Other,
            }
        }
        _ => Kind::Other,
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offer_and_metadata_are_found_in_any_order_and_among_other_parts() {
        let sdp = "Content-Type:application/sdp\n\nv=0\n";
        let xml = "Content-Type: application/rs-metadata+xml\nContent-Disposition: recording-session\n\n<recording/>\n";
        let gtd = "Content-Type: application/gtd\nContent-Disposition: signal;handling=optional\n\nIAM,\n";
        for parts in [[sdp, xml, gtd], [gtd, xml, sdp], [xml, gtd, sdp]] {
            let body = format!("--u\n{}--u--\n", parts.join("--u\n"));
            let read = Body::read("multipart/mixed;boundary=u", body.as_bytes());
            assert_eq!(read.sdp.map(<[u8]>::trim_ascii), Some(&b"v=0"[..]), "{body}");
            assert_eq!(read.metadata.map(<[u8]>::trim_ascii), Some(&b"<recording/>"[..]), "{body}");
            assert_eq!(read.other_parts, 1);
        }
    }

    #[test]
    fn a_body_of_a_single_kind_needs_no_multipart() {
        assert_eq!(Body::read("application/sdp", b"v=0\r\n").sdp, Some(&b"v=0\r\n"[..]));
        assert_eq!(Body::read("Application/SDP; charset=utf-8", b"v=0").sdp, Some(&b"v=0"[..]));
        for kind in
            ["application/rs-metadata", "application/rs-metadata+xml", "application/recording_metadata"]
        {
            assert!(Body::read(kind, b"<recording/>").metadata.is_some(), "{kind}");
        }
        assert!(Body::read("", b"v=0\n").sdp.is_some());
        assert!(Body::read("application/rs-metadata-request", b"x").is_empty());
        assert!(Body::read("", b"").is_empty());
    }

    #[test]
    fn multipart_within_multipart_is_looked_into_but_not_for_ever() {
        let body = "--a\nContent-Type: multipart/related;boundary=b\n\n--b\nContent-Type: application/sdp\n\nv=0\n--b--\n--a--";
        assert!(Body::read("multipart/mixed;boundary=a", body.as_bytes()).sdp.is_some());
        let mut nested = "v=0".to_owned();
        for depth in 0..40 {
            nested = format!("--n{depth}\nContent-Type: multipart/mixed\n\n{nested}\n--n{depth}--");
        }
        assert!(Body::read("multipart/mixed", nested.as_bytes()).sdp.is_none());
    }
}
