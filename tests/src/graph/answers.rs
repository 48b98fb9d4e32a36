//! From a request to its answer.

use std::{future::pending, sync::Arc};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Response, header},
};
use futures::StreamExt as _;

use super::{
    Instead, Seen, World, entra, items,
    line::Cut,
    uploads,
    words::{Answer, decoded},
};

/// A request as the servers see it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) host: String,
    pub(super) method: String,
    /// The path's levels, decoded one by one.
    pub(super) path: Vec<String>,
    pub(super) query: String,
    pub(super) token: Option<String>,
    pub(super) range: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Asked {
    /// A value of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        super::words::field(&self.query, name)
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn text(&self) -> String {
        format!("{} /{}", self.method, self.path.join("/"))
    }
}

pub(super) async fn answer(
    State(world): State<Arc<World>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| text(&parts.headers, name);
    let path = parts.uri.path().trim_matches('/');
    let mut asked = Asked {
        host: header("host").unwrap_or_default(),
        method: parts.method.to_string(),
        path: path.split('/').map(|level| decoded(level, false)).collect(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        token: header("authorization").and_then(|value| Some(value.strip_prefix("Bearer ")?.to_owned())),
        range: header(header::CONTENT_RANGE.as_str()),
        body: Vec::new(),
    };
    let instead = world.lock().take_instead(&asked.text());
    let until = match instead {
        Some(Instead::HangUpAfter(bytes) | Instead::StandStillAfter(bytes)) => bytes,
        _ => usize::MAX,
    };
    let mut body = body.into_data_stream();
    while asked.body.len() < until {
        match body.next().await {
            None => break,
            Some(Ok(part)) => asked.body.extend_from_slice(&part),
            // The client has hung up.
            Some(Err(_)) => return Answer::nothing(400).into_response(),
        }
    }
    let mut seen = Seen {
        host: asked.host.clone(),
        request: asked.text(),
        status: 0,
        authorized: asked.token.is_some(),
        range: asked.range.clone(),
        too_early: false,
    };
    let answer = match instead {
        Some(Instead::HangUpAfter(_)) => {
            cut.now();
            Answer::nothing(500)
        }
        Some(Instead::StandStillAfter(_)) => {
            world.lock().note(seen, None);
            return pending().await;
        }
        Some(Instead::Refuse(status, code, wait)) => Answer { wait, ..Answer::refuse(status, code) },
        Some(Instead::Spoil) => {
            if let Some(byte) = asked.body.first_mut() {
                *byte ^= 1;
            }
            carry_out(&world, &asked)
        }
        Some(Instead::LoseAnswer) => {
            cut.now();
            carry_out(&world, &asked)
        }
        Some(Instead::TakeAndForget) => {
            Answer::json(202, serde_json::json!({ "nextExpectedRanges": ["0-"] }))
        }
        Some(Instead::Twice) => {
            let _not_heard = carry_out(&world, &asked);
            carry_out(&world, &asked)
        }
        Some(Instead::Nothing) | None => carry_out(&world, &asked),
    };
    let lost = matches!(instead, Some(Instead::LoseAnswer | Instead::HangUpAfter(_)));
    seen.status = if lost { 0 } else { answer.status };
    world.lock().note(seen, answer.wait);
    answer.into_response()
}

fn carry_out(world: &World, asked: &Asked) -> Answer {
    let mut state = world.lock();
    let host = asked.host.as_str();
    if host.starts_with("login.") {
        entra::answer(&mut state.entra, &world.dir, asked)
    } else if host.ends_with(".sharepoint.com") {
        uploads::answer(&mut state, asked)
    } else {
        items::answer(&mut state, asked)
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
