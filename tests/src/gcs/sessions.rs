//! Upload sessions (Cloud Storage, "Resumable uploads").

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use futures::StreamExt as _;

use super::{World, answers};

/// What is kept is a multiple of it.
const GRAIN: usize = 256 * 1024;

#[derive(Debug, Default)]
pub(super) struct Session {
    key: String,
    generation: Option<u64>,
    content: Vec<u8>,
    pub(super) complete: bool,
}

impl Session {
    pub(super) const fn length(&self) -> usize {
        self.content.len()
    }
}

/// Opens one.
pub(super) fn open(world: &World, host: &str, key: &str, generation: Option<u64>) -> Response {
    let mut state = world.lock();
    if !state.fits(key, generation) {
        return answers::refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
    }
    state.generations += 1;
    let id = format!("ADPycds{:08}", state.generations);
    let session = Session { key: key.to_owned(), generation, ..Session::default() };
    state.sessions.insert(id.clone(), session);
    let address = format!("http://{host}/{}/upload?upload_id={id}", super::BUCKET);
    (StatusCode::CREATED, [("location", address), ("x-guploader-uploadid", id)]).into_response()
}

/// Ends one.
pub(super) fn end(world: &World, id: &str) -> Response {
    match world.lock().sessions.remove(id) {
        // "Client Closed Request".
        Some(_) => StatusCode::from_u16(499).unwrap_or(StatusCode::NO_CONTENT).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Takes a block in, or tells how far a session has come.
pub(super) async fn put(world: &World, id: &str, headers: &HeaderMap, body: Body) -> Response {
    let range = headers.get("content-range").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((range, total)) = range.strip_prefix("bytes ").and_then(|range| range.split_once('/')) else {
        return answers::refusal(StatusCode::BAD_REQUEST, "InvalidArgument");
    };
    let total: Option<usize> = total.parse().ok();
    if let Some((first, _last)) = range.split_once('-') {
        let first: usize = first.parse().unwrap_or(usize::MAX);
        match world.lock().sessions.get(id) {
            None => return StatusCode::NOT_FOUND.into_response(),
            Some(session) if session.complete => {}
            // What is there already may come again; a hole may not.
            Some(session) if first > session.content.len() => {
                return answers::refusal(StatusCode::SERVICE_UNAVAILABLE, "InvalidRange");
            }
            Some(_) => {}
        }
        let (mut at, mut blocks) = (first, body.into_data_stream());
        while let Some(Ok(block)) = blocks.next().await {
            let mut state = world.lock();
            let Some(session) = state.sessions.get_mut(id) else { break };
            let known = session.content.len().saturating_sub(at).min(block.len());
            if !session.complete {
                session.content.extend_from_slice(&block[known..]);
            }
            at += block.len();
        }
    }
    let answer = standing(world, id, total);
    let silent = answer.status() == StatusCode::OK && world.lock().silent_when_complete;
    if silent {
        std::future::pending::<()>().await;
    }
    answer
}

/// Completes a session that has all its bytes, and says how far one has come.
fn standing(world: &World, id: &str, total: Option<usize>) -> Response {
    let mut state = world.lock();
    let Some(session) = state.sessions.get_mut(id) else { return StatusCode::NOT_FOUND.into_response() };
    if session.complete {
        return StatusCode::OK.into_response();
    }
    if total == Some(session.content.len()) {
        let (key, generation) = (session.key.clone(), session.generation);
        if !state.fits(&key, generation) {
            return answers::refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        let Some(session) = state.sessions.get_mut(id) else { return StatusCode::NOT_FOUND.into_response() };
        session.complete = true;
        let content = std::mem::take(&mut session.content);
        let generation = state.store(&key, content);
        return (StatusCode::OK, [("x-goog-generation", generation.to_string())]).into_response();
    }
    let kept = session.content.len() / GRAIN * GRAIN;
    session.content.truncate(kept);
    let incomplete = StatusCode::PERMANENT_REDIRECT;
    if kept == 0 {
        return incomplete.into_response();
    }
    (incomplete, [("range", format!("bytes=0-{}", kept - 1))]).into_response()
}
