//! SharePoint's own addresses: upload sessions, and downloads. Neither wants a token.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    State,
    answers::Asked,
    items::{self, Place},
    words::Answer,
};

/// What all ranges but the last are a multiple of.
const UNIT: u64 = 320 * 1024;
/// No range is longer.
const LONGEST: u64 = 60 * 1024 * 1024;

/// Sessions that have not ended.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    sessions: BTreeMap<String, Begun>,
    count: u64,
}

/// A file of which a part is there.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) place: Place,
    pub(super) replace: bool,
    pub(super) total: Option<u64>,
    pub(super) content: Vec<u8>,
}

impl Uploads {
    pub(super) fn count(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn forget(&mut self) {
        self.sessions.clear();
    }
}

pub(super) fn begin(state: &mut State, begun: Begun) -> Answer {
    state.uploads.count += 1;
    let id = format!("{:08x}-0000-4000-8000-000000000000", state.uploads.count);
    let url = format!("https://contoso-my.sharepoint.com/uploads/{id}?tempauth=v1.secret");
    state.uploads.sessions.insert(id, begun);
    let ends = "2099-01-01T00:00:00Z";
    Answer::json(200, json!({ "uploadUrl": url, "expirationDateTime": ends, "nextExpectedRanges": ["0-"] }))
}

pub(super) fn answer(state: &mut State, asked: &Asked) -> Answer {
    if asked.token.is_some() && !state.lenient {
        return Answer::refuse(401, "unauthenticated");
    }
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    match (asked.method.as_str(), &path[..]) {
        ("GET", ["download", drive, id]) => {
            let file = state.drives.get(drive).and_then(|drive| drive.file(id.parse().ok()?));
            file.map_or_else(|| Answer::nothing(404), |file| Answer::bytes(file.content.clone()))
        }
        (method, ["uploads", id]) if asked.parameter("tempauth").as_deref() == Some("v1.secret") => {
            let Some(begun) = state.uploads.sessions.get(*id) else {
                return Answer::refuse(404, "itemNotFound");
            };
            match method {
                "GET" => Answer::json(200, expected(begun)),
                "DELETE" => {
                    state.uploads.sessions.remove(*id);
                    Answer::nothing(204)
                }
                "PUT" => range(state, id, asked),
                _ => Answer::nothing(405),
            }
        }
        _ => Answer::nothing(404),
    }
}

fn expected(begun: &Begun) -> serde_json::Value {
    let next = format!("{}-", begun.content.len());
    json!({ "expirationDateTime": "2099-01-01T00:00:00Z", "nextExpectedRanges": [next] })
}

fn range(state: &mut State, id: &str, asked: &Asked) -> Answer {
    let there = state.uploads.sessions.get(id).map_or(0, |begun| begun.content.len());
    let room = state.drives.have_room_for((there + asked.body.len()) as u64);
    let Some(begun) = state.uploads.sessions.get_mut(id) else { return Answer::refuse(404, "itemNotFound") };
    let Some((from, to, total)) = asked.range.as_deref().and_then(parse) else {
        return Answer::refuse(400, "invalidRequest");
    };
    let length = asked.body.len() as u64;
    let whole = length == to + 1 - from && to < total && begun.total.is_none_or(|known| known == total);
    let last = to + 1 == total;
    if !whole || length >= LONGEST || (!last && !length.is_multiple_of(UNIT)) {
        return Answer::refuse(400, "invalidRequest");
    }
    if from != begun.content.len() as u64 {
        return Answer::refuse_because(416, "invalidRange", "fragmentOverlap");
    }
    if !room {
        return Answer::refuse(507, "insufficientStorage");
    }
    begun.total = Some(total);
    begun.content.extend_from_slice(&asked.body);
    if !last {
        return Answer::json(202, expected(begun));
    }
    let (place, replace) = (begun.place.clone(), begun.replace);
    match items::may_write(state, &place, replace, 0) {
        Err(refusal) => refusal,
        Ok(()) => {
            let content = state.uploads.sessions.remove(id).map(|begun| begun.content).unwrap_or_default();
            items::store(state, &place, content)
        }
    }
}

/// `bytes 0-25/128`.
fn parse(range: &str) -> Option<(u64, u64, u64)> {
    let (range, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = range.split_once('-')?;
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (from <= to).then_some((from, to, total.parse().ok()?))
}
