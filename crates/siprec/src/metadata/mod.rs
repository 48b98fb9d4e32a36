//! Recording metadata (RFC 7865): who takes part in the call and who is on which stream.
//!
//! Ids are opaque. Reading is in [`RecordingMetadata::parse`], the rules of complete and partial
//! updates in [`RecordingMetadata::apply`]; what it means for a recording in [`crate::picture`].

mod merge;
mod parse;
mod xml_text;

use domain::Sensitive;
use jiff::Timestamp;

/// What is known of the communication session, after all updates so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingMetadata {
    /// Communication sessions: the calls being recorded; usually one.
    pub sessions: Vec<Session>,
    /// In document order; participants of later updates follow.
    pub participants: Vec<Participant>,
    /// In document order.
    pub streams: Vec<Stream>,
    /// Vendors' data outside of any participant.
    pub extensions: Vec<Extension>,
}

/// A communication session (RFC 7865 § 6.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// Opaque id; empty if the vendor gave none.
    pub id: String,
    /// `sipSessionID` elements (RFC 7989): the PBX's own ids of the call.
    pub sip_session_ids: Vec<String>,
    /// Group of related sessions, such as the calls of one transfer.
    pub group: Option<String>,
    /// When it began, as far as the client says so credibly.
    pub start: Option<Timestamp>,
    /// When it ended.
    pub stop: Option<Timestamp>,
}

/// A participant (RFC 7865 § 6.4) with all associations of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Participant {
    /// Opaque id; empty if the vendor gave none.
    pub id: String,
    /// `nameID` elements: usually one, two where a PBX gives SIP and tel URIs.
    pub names: Vec<NameId>,
    /// Ids of the streams that it sends, in the order in which it began to.
    pub sends: Vec<String>,
    /// Ids of the streams that it receives.
    pub receives: Vec<String>,
    /// When it joined.
    pub associated: Option<Timestamp>,
    /// When it left; `None` while it takes part.
    pub disassociated: Option<Timestamp>,
    /// Vendors' data, such as Oracle's `callingParty`.
    pub extensions: Vec<Extension>,
}

/// Address and name of a participant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameId {
    /// Address of record as written: URI or bare.
    pub aor: Sensitive<String>,
    /// Display name; empty if there is none.
    pub name: Sensitive<String>,
}

/// A stream (RFC 7865 § 6.5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// Opaque id; empty if the vendor gave none.
    pub id: String,
    /// Id of the session that it belongs to.
    pub session: Option<String>,
    /// `a=label` of its m-line.
    pub label: Option<String>,
}

/// One element that the standard doesn't know, with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Local name of the element, without namespace.
    pub name: String,
    /// Its text: may hold numbers and whole SIP requests.
    pub value: Sensitive<String>,
}

/// `datamode` (RFC 7865 § 6.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataMode {
    /// Replaces what was known. Also taken where the client doesn't say.
    Complete,
    /// Is merged by id; what it doesn't mention stays.
    Partial,
}

/// One metadata document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataUpdate {
    /// How it applies to what was known.
    pub mode: DataMode,
    /// Its content.
    pub content: RecordingMetadata,
    /// What was odd about it and has been lived with.
    pub warnings: Vec<MetadataProblem>,
}

/// What is wrong with metadata. A warning: the call is recorded all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetadataProblem {
    /// Nothing but white space.
    #[error("the recording metadata is empty")]
    Empty,
    /// Above [`MAX_METADATA_BYTES`], or with an absurd number of elements.
    #[error("the recording metadata is larger than a recorder accepts")]
    TooLarge,
    /// Entities can be used to attack a reader; no recording client needs them.
    #[error("the recording metadata has a document type declaration, which is not accepted")]
    Doctype,
    /// Not well-formed, and not to be repaired.
    #[error("the recording metadata is not well-formed XML (line {line}, column {column})")]
    NotXml {
        /// From 1.
        line: u32,
        /// From 1.
        column: u32,
    },
    /// Another kind of document.
    #[error("the recording metadata does not begin with a <recording> element")]
    NotRecording,
    /// It was not well-formed: a bare `&` or an undeclared prefix.
    #[error("the recording metadata was not well-formed XML and has been repaired")]
    Repaired,
    /// It names nobody.
    #[error("the recording metadata names no participant")]
    NoParticipant,
    /// A stream without a label cannot be found in the SDP but by its position.
    #[error("a stream in the recording metadata has no label")]
    StreamWithoutLabel,
    /// More than [`MAX_ENTRIES`] of a kind: the rest is left out.
    #[error("the recording metadata describes more than {MAX_ENTRIES} participants, streams or sessions")]
    TooMany,
    /// A participant sends a stream that is not described.
    #[error("a participant in the recording metadata sends a stream that is not described there")]
    UnknownStream,
}

/// Bounds the work that one message can cause. Real documents have 1 to 10 KB.
pub const MAX_METADATA_BYTES: usize = 256 * 1024;

/// Participants, streams, sessions and vendors' elements that are remembered of a call, each: a client
/// that sends updates for ever must not fill the memory.
pub const MAX_ENTRIES: usize = 256;

impl RecordingMetadata {
    /// True if nothing is known.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// The first text of a vendor's element of this local name (case is ignored), wherever it stood.
    pub fn extension(&self, name: &str) -> Option<&Sensitive<String>> {
        let of_participants = self.participants.iter().flat_map(|p| &p.extensions);
        self.extensions.iter().chain(of_participants).find(|e| e.is(name)).map(|e| &e.value)
    }

    /// The PBX's own id of the call as the metadata gives it: SIP session id, Oracle's UCID,
    /// BroadWorks' tracking id; in this order.
    pub fn call_id(&self) -> Option<&str> {
        let session_id = self.sessions.iter().flat_map(|s| &s.sip_session_ids).map(String::as_str).next();
        session_id.or_else(|| {
            ["ucid", "extTrackingID", "gcid"]
                .iter()
                .find_map(|name| self.extension(name))
                .map(|v| v.expose().split(';').next().unwrap_or_default().trim())
                .filter(|v| !v.is_empty())
        })
    }
}

impl Participant {
    /// The first text of a vendor's element of this local name (case is ignored).
    pub fn extension(&self, name: &str) -> Option<&Sensitive<String>> {
        self.extensions.iter().find(|e| e.is(name)).map(|e| &e.value)
    }

    /// True while it takes part in the call.
    pub fn is_present(&self) -> bool {
        self.disassociated.is_none()
    }
}

impl Extension {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}
