//! What the vault answers.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, StatusCode, Uri},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    CLIENT, FEDERATED, Instead, SECRET, TENANT, Vault,
    keys::{Kind, Protection},
};

/// The token that a sign-in gives.
const TOKEN: &str = "Bearer a-token-for-the-vault";
/// What tokens are for.
const RESOURCE: &str = "https://vault.azure.net";

type Answer = Result<Value, (u16, &'static str)>;

pub(super) async fn answer(
    State(vault): State<Arc<Vault>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if uri.path().ends_with("/oauth2/v2.0/token") {
        return sign_in(&vault, &method, uri.path(), &body);
    }
    let challenge = format!("Bearer authorization=\"{}/{TENANT}\", resource=\"{RESOURCE}\"", vault.url);
    match headers.get("authorization").and_then(|value| value.to_str().ok()) {
        Some(TOKEN) => {}
        other => {
            let code = if other.is_none() { "Unauthorized" } else { "InvalidToken" };
            let mut response = json_response(401, &error("Unauthorized", code));
            response.headers_mut().extend([(axum::http::header::WWW_AUTHENTICATE, header(&challenge))]);
            return response;
        }
    }
    let request = format!("{method} {}", uri.path());
    let instead = vault.lock().instead.pop_front();
    match &instead {
        Some(Instead::Refuse { status, code, retry_after }) => {
            vault.note(request, *status, *retry_after);
            let mut response = json_response(*status, &error("Refused", code));
            if let Some(seconds) = retry_after {
                let value = header(&seconds.to_string());
                response.headers_mut().extend([(axum::http::header::RETRY_AFTER, value)]);
            }
            return response;
        }
        Some(Instead::HangUp) => {
            vault.note(request, 0, None);
            let broken = futures_stream_error();
            return Response::new(Body::from_stream(broken));
        }
        Some(Instead::WrongSignature) | None => {}
    }
    // OpenSSL takes its time.
    let (asked, at) = (vault.clone(), uri.clone());
    let work = tokio::task::spawn_blocking(move || carry_out(&asked, &method, &at, &body));
    let mut done = work.await.unwrap_or(Err((500, "InternalError")));
    if let (Some(Instead::WrongSignature), Ok(answer)) = (&instead, &mut done) {
        spoil(answer);
    }
    let (status, body) = match done {
        Ok(body) => (200, body),
        Err((status, code)) => (status, error(reason(status), code)),
    };
    vault.note(request, status, None);
    json_response(status, &body)
}

fn sign_in(vault: &Vault, method: &Method, path: &str, body: &[u8]) -> Response<Body> {
    let form: Vec<(String, String)> = String::from_utf8_lossy(body)
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), percent_decoded(value)))
        .collect();
    let field = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let how = match (field("client_secret"), field("client_assertion")) {
        (Some(SECRET), None) => Some("secret"),
        (None, Some(FEDERATED)) => Some("federated token"),
        _ => None,
    };
    let right = *method == Method::POST
        && path == format!("/{TENANT}/oauth2/v2.0/token")
        && field("client_id") == Some(CLIENT)
        && field("grant_type") == Some("client_credentials")
        && field("scope") == Some(&format!("{RESOURCE}/.default"));
    let mut state = vault.lock();
    match how.filter(|_| right && !state.sign_in_refused) {
        Some(how) => {
            state.signed_in.push(how.to_owned());
            let token = TOKEN.trim_start_matches("Bearer ");
            json_response(200, &json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": token }))
        }
        None => {
            let body = json!({
                "error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.",
                "error_codes": [7000215], "timestamp": "2026-11-22 09:15:30Z", "trace_id": "", "correlation_id": "",
            });
            json_response(401, &body)
        }
    }
}

fn carry_out(vault: &Vault, method: &Method, uri: &Uri, body: &[u8]) -> Answer {
    let versions = ["2025-07-01", "7.6", "7.5", "7.4"];
    let asked = uri.query().into_iter().flat_map(|query| query.split('&'));
    let version = asked.filter_map(|pair| pair.strip_prefix("api-version=")).next();
    if !version.is_some_and(|version| versions.contains(&version)) {
        return Err((400, "BadParameter"));
    }
    let segments: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    let json = || serde_json::from_slice::<Value>(body).map_err(|_| (400, "BadParameter"));
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["keys", name, "versions"]) => {
            let state = vault.lock();
            let versions = state.keys.get(*name).ok_or((404, "KeyNotFound"))?;
            let items: Vec<_> = versions.iter().map(|version| version.to_item(&vault.url, name)).collect();
            Ok(json!({ "value": items, "nextLink": null }))
        }
        ("GET", ["keys", name]) => get(vault, name, None),
        ("GET", ["keys", name, version]) => get(vault, name, Some(version)),
        ("POST", ["keys", name, "create"]) => create(vault, name, &json()?),
        ("POST", ["keys", name, version, "sign"]) => sign(vault, name, version, &json()?),
        _ => Err((405, "MethodNotAllowed")),
    }
}

fn get(vault: &Vault, name: &str, id: Option<&str>) -> Answer {
    let state = vault.lock();
    let versions = state.keys.get(name).ok_or((404, "KeyNotFound"))?;
    let version = match id {
        None => versions.last(),
        Some(id) => versions.iter().find(|version| version.id == id),
    };
    Ok(version.ok_or((404, "KeyNotFound"))?.to_json(&vault.url, name))
}

fn create(vault: &Vault, name: &str, asked: &Value) -> Answer {
    let (kind, protection) = match asked["kty"].as_str() {
        Some("RSA-HSM") => (Kind::Rsa(asked["key_size"].as_u64().unwrap_or(2048)), Protection::Hsm),
        Some("RSA") => (Kind::Rsa(asked["key_size"].as_u64().unwrap_or(2048)), Protection::Software),
        Some("EC-HSM") => (Kind::P256, Protection::Hsm),
        Some("EC") => (Kind::P256, Protection::Software),
        _ => return Err((400, "BadParameter")),
    };
    if kind == Kind::P256 && asked["crv"] != "P-256" {
        return Err((400, "BadParameter"));
    }
    let made = vault.add_version(name, kind, protection).map_err(|_| (500, "InternalError"))?;
    Ok(made.to_json(&vault.url, name))
}

fn sign(vault: &Vault, name: &str, id: &str, asked: &Value) -> Answer {
    let version = {
        let state = vault.lock();
        let versions = state.keys.get(name).ok_or((404, "KeyNotFound"))?;
        versions.iter().find(|version| version.id == id).ok_or((404, "KeyNotFound"))?.clone()
    };
    if !version.enabled {
        return Err((403, "KeyDisabled"));
    }
    let algorithm = asked["alg"].as_str().ok_or((400, "BadParameter"))?;
    let digest = asked["value"]
        .as_str()
        .and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok());
    let signature =
        version.sign(algorithm, &digest.ok_or((400, "BadParameter"))?).map_err(|_| (400, "BadParameter"))?;
    let kid = format!("{}/keys/{name}/{id}", vault.url);
    Ok(json!({ "kid": kid, "value": BASE64_URL_SAFE_NO_PAD.encode(signature) }))
}

/// One bit of the signature.
fn spoil(answer: &mut Value) {
    let Some(value) = answer["value"].as_str() else { return };
    let mut signature = BASE64_URL_SAFE_NO_PAD.decode(value).unwrap_or_default();
    if let Some(byte) = signature.last_mut() {
        *byte ^= 1;
    }
    answer["value"] = json!(BASE64_URL_SAFE_NO_PAD.encode(signature));
}

fn error(code: &str, inner: &str) -> Value {
    json!({ "error": { "code": code, "message": "as the vault puts it", "innererror": { "code": inner } } })
}

const fn reason(status: u16) -> &'static str {
    match status {
        403 => "Forbidden",
        404 => "KeyNotFound",
        _ => "BadParameter",
    }
}

fn json_response(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .extend([(axum::http::header::CONTENT_TYPE, header("application/json; charset=utf-8"))]);
    response
}

fn header(text: &str) -> axum::http::HeaderValue {
    axum::http::HeaderValue::from_str(text).unwrap_or(axum::http::HeaderValue::from_static("?"))
}

/// A body that breaks off.
fn futures_stream_error() -> impl futures::Stream<Item = std::io::Result<Bytes>> + Send {
    futures::stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::ErrorKind::ConnectionReset.into())])
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 2;
            }
            None => out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] }),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
