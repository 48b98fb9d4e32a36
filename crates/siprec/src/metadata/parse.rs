//! Reads one metadata document, whatever vendor wrote it.
//!
//! Elements are known by their local name, case ignored: the namespace is `…:recording:1`,
//! `…:recording`, something else or none, with or without a prefix. Attributes go by their RFC 7865
//! names or those of the drafts (`id`, `session`). Associations may stand in elements of their own
//! (RFC 7865) or within the participant (drafts, Oracle, AudioCodes).

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use roxmltree::{Document, Error, Node, ParsingOptions};

use super::{
    DataMode, Extension, MAX_ENTRIES, MAX_METADATA_BYTES, MetadataProblem, MetadataUpdate, NameId,
    Participant, RecordingMetadata, Session, Stream, merge::participant_entry, xml_text,
};
use crate::address::clean_name;

/// Every element and text counts as a node.
const MAX_NODES: u32 = 20_000;

/// Prefixes that may be missing a declaration before a document is given up.
const MAX_UNDECLARED_PREFIXES: usize = 8;

impl RecordingMetadata {
    /// Reads a document of type `application/rs-metadata+xml`.
    ///
    /// # Errors
    /// If nothing can be read from it. That is a warning for the log; the call is recorded without
    /// metadata. What could be lived with is in [`MetadataUpdate::warnings`].
    pub fn parse(xml: &[u8]) -> Result<MetadataUpdate, MetadataProblem> {
        if xml.len() > MAX_METADATA_BYTES {
            return Err(MetadataProblem::TooLarge);
        }
        let text = xml_text::decode(xml);
        if text.is_empty() {
            return Err(MetadataProblem::Empty);
        }
        match Document::parse_with_options(&text, options()) {
            Ok(document) => read(&document, false),
            Err(Error::DtdDetected) => Err(MetadataProblem::Doctype),
            Err(_) => parse_repaired(xml_text::repair(&text)),
        }
    }
}

fn options<'a>() -> ParsingOptions<'a> {
    ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() }
}

fn parse_repaired(mut text: String) -> Result<MetadataUpdate, MetadataProblem> {
    for _ in 0..=MAX_UNDECLARED_PREFIXES {
        let with_prefix = match Document::parse_with_options(&text, options()) {
            Ok(document) => return read(&document, true),
            Err(Error::UnknownNamespace(prefix, at)) => xml_text::declare_prefix(&text, &prefix).ok_or(at),
            Err(Error::DtdDetected) => return Err(MetadataProblem::Doctype),
            Err(Error::NodesLimitReached | Error::AttributesLimitReached | Error::NamespacesLimitReached) => {
                return Err(MetadataProblem::TooLarge);
            }
            Err(error) => Err(error.pos()),
        };
        match with_prefix {
            Ok(declared) => text = declared,
            Err(at) => return Err(MetadataProblem::NotXml { line: at.row, column: at.col }),
        }
    }
    Err(MetadataProblem::NotXml { line: 1, column: 1 })
}

fn read(document: &Document<'_>, repaired: bool) -> Result<MetadataUpdate, MetadataProblem> {
    let root = document.root_element();
    let name = root.tag_name().name().to_ascii_lowercase();
    // BroadWorks: `recording_metadata`.
    if !matches!(
        name.as_str(),
        "recording" | "recording_metadata" | "recording-metadata" | "recordingmetadata"
    ) {
        return Err(MetadataProblem::NotRecording);
    }
    let mut reader = Reader {
        mode: DataMode::Complete,
        content: RecordingMetadata::default(),
        has_unlabelled_stream: false,
        has_too_many: false,
    };
    for element in root.children().filter(Node::is_element) {
        reader.top_level(element);
    }
    let warnings = reader.warnings(repaired);
    Ok(MetadataUpdate { mode: reader.mode, content: reader.content, warnings })
}

struct Reader {
    mode: DataMode,
    content: RecordingMetadata,
    has_unlabelled_stream: bool,
    has_too_many: bool,
}

impl Reader {
    fn top_level(&mut self, element: Node<'_, '_>) {
        match local_name(element).as_str() {
            "datamode" => {
                if text(element).eq_ignore_ascii_case("partial") {
                    self.mode = DataMode::Partial;
                }
            }
            "group" | "sessionrecordingassoc" => {}
            "session" => self.session(element),
            "participant" => self.participant(element),
            "stream" => self.stream(element),
            "participantsessionassoc" | "participantstreamassoc" => {
                if let Some(id) =
                    attribute(element, &["participant_id", "participant-id", "participant", "id"])
                {
                    let Some(participant) = participant_entry(&mut self.content.participants, &id) else {
                        self.has_too_many = true;
                        return;
                    };
                    for child in element.children().filter(Node::is_element) {
                        association(participant, child);
                    }
                }
            }
            _ => collect_extensions(element, &mut self.content.extensions),
        }
    }

    fn session(&mut self, element: Node<'_, '_>) {
        let mut session = Session { id: id_of(element, "session_id"), ..Session::default() };
        if self.content.sessions.len() >= MAX_ENTRIES {
            self.has_too_many = true;
            return;
        }
        for child in element.children().filter(Node::is_element) {
            match local_name(child).as_str() {
                "sipsessionid" => {
                    // `local;remote=…`: the first half names the call (RFC 7989 § 5).
                    let id = text(child).split(';').next().unwrap_or_default().trim().to_owned();
                    if !id.is_empty() {
                        session.sip_session_ids.push(id);
                    }
                }
                "group-ref" => session.group = Some(text(child)).filter(|t| !t.is_empty()),
                "start-time" | "associate-time" => session.start = time(child).or(session.start),
                "stop-time" | "end-time" | "disassociate-time" => session.stop = time(child).or(session.stop),
                "reason" => {}
                _ => collect_extensions(child, &mut self.content.extensions),
            }
        }
        self.content.sessions.push(session);
    }

    fn participant(&mut self, element: Node<'_, '_>) {
        let id = id_of(element, "participant_id");
        let Some(participant) = participant_entry(&mut self.content.participants, &id) else {
            self.has_too_many = true;
            return;
        };
        if let Some(aor) = attribute(element, &["aor"]) {
            participant.names.push(NameId { aor: aor.into(), ..NameId::default() });
        }
        for child in element.children().filter(Node::is_element) {
            match local_name(child).as_str() {
                "nameid" => participant.names.push(name_id(child)),
                // Very early drafts: address and name as elements of the participant.
                "aor" => participant.names.push(NameId { aor: text(child).into(), ..NameId::default() }),
                "name" => match participant.names.last_mut() {
                    Some(last) if last.name.is_empty() => last.name = clean_name(&text(child)).into(),
                    _ => participant
                        .names
                        .push(NameId { name: clean_name(&text(child)).into(), ..NameId::default() }),
                },
                _ => association(participant, child),
            }
        }
        participant.names.retain(|n| !n.aor.is_empty() || !n.name.is_empty());
    }

    fn stream(&mut self, element: Node<'_, '_>) {
        let mut stream = Stream {
            id: id_of(element, "stream_id"),
            session: attribute(element, &["session_id", "session-id", "session"]),
            label: attribute(element, &["label"]),
        };
        for child in element.children().filter(Node::is_element) {
            match local_name(child).as_str() {
                "label" => stream.label = Some(text(child)).filter(|t| !t.is_empty()),
                "mode" | "content-type" | "start-time" | "end-time" | "associate-time"
                | "disassociate-time" => {}
                _ => collect_extensions(child, &mut self.content.extensions),
            }
        }
        self.has_unlabelled_stream |= stream.label.is_none();
        if self.content.streams.len() < MAX_ENTRIES {
            self.content.streams.push(stream);
        } else {
            self.has_too_many = true;
        }
    }

    fn warnings(&self, repaired: bool) -> Vec<MetadataProblem> {
        let RecordingMetadata { participants, streams, .. } = &self.content;
        let is_described = |id: &String| streams.iter().any(|s| &s.id == id);
        // A partial update may well speak of what an earlier one described.
        let is_complete = self.mode == DataMode::Complete;
        [
            (repaired, MetadataProblem::Repaired),
            (is_complete && participants.is_empty(), MetadataProblem::NoParticipant),
            (self.has_unlabelled_stream, MetadataProblem::StreamWithoutLabel),
            (self.has_too_many, MetadataProblem::TooMany),
            (
                is_complete && participants.iter().flat_map(|p| &p.sends).any(|id| !is_described(id)),
                MetadataProblem::UnknownStream,
            ),
        ]
        .into_iter()
        .filter_map(|(applies, problem)| applies.then_some(problem))
        .collect()
    }
}

/// What stands in an association element, or in the participant itself in the drafts.
fn association(participant: &mut Participant, element: Node<'_, '_>) {
    let reference =
        || Some(text(element)).filter(|t| !t.is_empty()).or_else(|| attribute(element, &["stream_id", "id"]));
    match local_name(element).as_str() {
        "send" => push_new(&mut participant.sends, reference()),
        "recv" | "receive" => push_new(&mut participant.receives, reference()),
        "associate-time" | "start-time" => participant.associated = participant.associated.or(time(element)),
        // Left, when it says so; a time that is not credible still says that it left.
        "disassociate-time" | "stop-time" | "end-time" => {
            participant.disassociated =
                time(element).or(participant.disassociated).or(Some(Timestamp::UNIX_EPOCH));
        }
        "param" | "session" => {}
        _ => collect_extensions(element, &mut participant.extensions),
    }
}

fn push_new(ids: &mut Vec<String>, id: Option<String>) {
    if let Some(id) = id
        && ids.len() < MAX_ENTRIES
        && !ids.contains(&id)
    {
        ids.push(id);
    }
}

fn name_id(element: Node<'_, '_>) -> NameId {
    let mut name_id = NameId {
        aor: attribute(element, &["aor", "uri"]).unwrap_or_default().into(),
        name: attribute(element, &["name"]).map(|n| clean_name(&n)).unwrap_or_default().into(),
    };
    for child in element.children().filter(Node::is_element) {
        match local_name(child).as_str() {
            // Several names differ in xml:lang: the first one stays.
            "name" if name_id.name.is_empty() => name_id.name = clean_name(&text(child)).into(),
            "aor" if name_id.aor.is_empty() => name_id.aor = text(child).into(),
            _ => {}
        }
    }
    name_id
}

/// Every leaf with text below `element`, and `element` itself if it is one.
fn collect_extensions(element: Node<'_, '_>, into: &mut Vec<Extension>) {
    for node in element.descendants().filter(Node::is_element) {
        let value = text(node);
        let is_leaf = !node.children().any(|c| c.is_element());
        // Empty elements say something by being there, like BroadWorks' `<origination/>`.
        if into.len() < MAX_ENTRIES && (is_leaf || !value.is_empty() || node != element) {
            into.push(Extension { name: node.tag_name().name().to_owned(), value: value.into() });
        }
    }
}

fn local_name(element: Node<'_, '_>) -> String {
    element.tag_name().name().to_ascii_lowercase()
}

/// The element's own text, without that of its children, trimmed.
fn text(element: Node<'_, '_>) -> String {
    let own: String = element.children().filter(Node::is_text).filter_map(|n| n.text()).collect();
    own.trim().to_owned()
}

/// The first of the named attributes that is there and not empty; namespaces and case are ignored.
fn attribute(element: Node<'_, '_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| {
        element
            .attributes()
            .find(|a| a.name().eq_ignore_ascii_case(name))
            .map(|a| a.value().trim().to_owned())
            .filter(|v| !v.is_empty())
    })
}

fn id_of(element: Node<'_, '_>, name: &str) -> String {
    attribute(element, &[name, &name.replace('_', "-"), &name.replace('_', ""), "id"]).unwrap_or_default()
}

/// RFC 3339, or a local time without zone, which is taken as UTC. Times before 2000 come from
/// clients whose clock was never set and say nothing.
fn time(element: Node<'_, '_>) -> Option<Timestamp> {
    let text = text(element);
    let time = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp()))?;
    const YEAR_2000: i64 = 946_684_800;
    (time.as_second() >= YEAR_2000).then_some(time)
}
