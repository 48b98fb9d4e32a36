//! Answers, before they are sent.

use rsipstack::sip::{Header, StatusCode};

/// What we understand, for `Allow`.
pub const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO";
/// What we read, for `Accept`.
const ACCEPT: &str = "application/sdp, application/rs-metadata+xml, application/rs-metadata, multipart/mixed";

/// An answer to a request.
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers beyond those that every answer has.
    pub headers: Vec<Header>,
    /// Session description.
    pub sdp: Option<String>,
    /// Tag for the To header of a new dialog.
    pub to_tag: Option<String>,
    /// Told whether the answer to an INVITE was acknowledged, as soon as that is known.
    pub acknowledged: Option<Box<dyn FnOnce(bool) + Send>>,
}

impl Reply {
    /// An answer without a body.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), sdp: None, to_tag: None, acknowledged: None }
    }

    /// 200.
    pub fn ok() -> Self {
        Self::new(StatusCode::OK)
    }

    /// A refusal with a sentence for the person who looks at the PBX's log (RFC 3261, section
    /// 20.43). `why` must hold nothing of the request.
    pub fn refusal(status: StatusCode, why: &str) -> Self {
        let text: String = why.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect();
        Self::new(status).with("Warning", format!("399 callseal \"{text}\""))
    }

    /// 503: the client should try elsewhere, and here again after some seconds.
    pub fn overloaded(why: &str) -> Self {
        Self::refusal(StatusCode::ServiceUnavailable, why).with("Retry-After", "10")
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(Header::Other(name.to_owned(), value.into()));
        self
    }

    /// With a session description.
    #[must_use]
    pub fn with_sdp(mut self, sdp: String) -> Self {
        self.headers.push(Header::ContentType("application/sdp".into()));
        self.sdp = Some(sdp);
        self
    }

    /// The sentence of a refusal.
    pub fn why(&self) -> &str {
        self.headers.iter().find(|h| h.name() == "Warning").map_or("", |h| h.value())
    }

    /// With what we understand and read.
    #[must_use]
    pub fn with_abilities(self) -> Self {
        self.with("Allow", ALLOW).with("Accept", ACCEPT).with("Supported", "siprec, timer")
    }
}
