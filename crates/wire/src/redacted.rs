//! `Debug` of the messages that hold personal data: sizes and ids only.

use std::fmt;

use crate::{archive_v1, call_v1, event_v1, recording_v1, rules_v1};

macro_rules! redacted {
    ($($type:ty => |$value:ident, $f:ident| $body:expr;)+) => {
        $(impl fmt::Debug for $type {
            fn fmt(&self, $f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let $value = self;
                $body
            }
        })+
    };
}

redacted! {
    // A PBX's call id may lead to a person.
    archive_v1::PlaceHold => |hold, f| write!(f, "PlaceHold(tenant {})", hold.tenant);
    call_v1::Party => |_party, f| f.write_str("Party(‹sensitive›)");
    call_v1::Packet => |p, f| write!(f, "Packet(stream {}, {} bytes{})", p.stream, p.data.len(), if p.rtcp { ", RTCP" } else { "" });
    call_v1::Stream => |s, f| write!(f, "Stream({}, side {})", s.index, s.side);
    call_v1::StartedBy => |by, f| write!(f, "StartedBy({})", by.way);
    call_v1::StoppedBy => |by, f| write!(f, "StoppedBy({})", by.way);
    // A key may be part of a secret; whoever prints this wants the outcome.
    call_v1::Consent => |c, f| write!(f, "Consent({}, {}, by {})", c.mode, c.outcome, c.source);
    event_v1::ConsentAnswered => |c, f| write!(f, "ConsentAnswered({}, {}, by {})", c.mode, c.outcome, c.source);
    rules_v1::Start => |_start, f| f.write_str("Start(‹sensitive›)");
    recording_v1::JournalRow => |_row, f| f.write_str("JournalRow(‹sensitive›)");
    recording_v1::SealedFile => |file, f| write!(f, "SealedFile({} bytes)", file.size);
    recording_v1::RecordingSealed => |r, f| write!(f, "RecordingSealed({}, position {})", r.recording_id, r.chain_position);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_party_shows_no_number() {
        let party = call_v1::Party { number: "+4970311234".into(), name: "Erika".into(), identities: vec![] };
        let shown = format!("{:?}", call_v1::CallFacts { caller: Some(party), ..Default::default() });
        assert!(!shown.contains("1234") && !shown.contains("Erika"), "{shown}");
    }
}
