//! The outer form of requests and answers.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde_json::{Value, json};

/// What is answered: a status and JSON, and where to go or how long to wait.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) json: Value,
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) location: Option<String>,
    pub(super) wait: Option<u64>,
}

impl Answer {
    pub(super) const fn json(status: u16, json: Value) -> Self {
        Self { status, json, bytes: None, location: None, wait: None }
    }

    pub(super) const fn nothing(status: u16) -> Self {
        Self::json(status, Value::Null)
    }

    /// A refusal of Graph.
    pub(super) fn refuse(status: u16, code: &str) -> Self {
        Self::refuse_because(status, code, code)
    }

    /// A refusal that says more exactly why.
    pub(super) fn refuse_because(status: u16, code: &str, inner: &str) -> Self {
        let message = "a message that may hold the name +493012345678.wav";
        let inner = json!({ "code": inner, "date": "2026-11-22T19:00:00", "request-id": "r" });
        Self::json(status, json!({ "error": { "code": code, "message": message, "innerError": inner } }))
    }

    pub(super) fn redirect(location: String) -> Self {
        Self { location: Some(location), ..Self::nothing(302) }
    }

    pub(super) fn bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: Some(bytes), ..Self::nothing(200) }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let body = match (self.bytes, &self.json) {
            (Some(bytes), _) => Body::from(bytes),
            (None, Value::Null) => Body::empty(),
            (None, json) => Body::from(json.to_string()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::IM_A_TEAPOT);
        let headers = response.headers_mut();
        headers.insert("request-id", HeaderValue::from_static("4c1f0d5e-0000-4000-8000-000000000000"));
        if !self.json.is_null() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(location) = self.location.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(header::LOCATION, location);
        }
        if let Some(wait) = self.wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}

/// A value of a query or of a form.
pub(super) fn field(form: &str, name: &str) -> Option<String> {
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(n, _)| decoded(n, true) == name).map(|(_, value)| decoded(value, true))
}

/// Takes `%xx` and, in forms, `+` back.
pub(super) fn decoded(text: &str, form: bool) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
                continue;
            }
            None => out.push(if form && bytes[at] == b'+' { b' ' } else { bytes[at] }),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
