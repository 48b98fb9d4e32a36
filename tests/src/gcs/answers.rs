//! Requests to the bucket and to its objects (Cloud Storage, XML API).

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    extract::{Query, Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse as _, Response},
};

use super::{BUCKET, Object, World, sessions};

/// What is asked for in the query.
type Asked = BTreeMap<String, String>;

/// Nobody looks at the time.
const MODIFIED: &str = "Sun, 22 Nov 2026 12:00:00 GMT";

pub(super) async fn answer(State(world): State<Arc<World>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(Query(asked)) = Query::<Asked>::try_from_uri(&head.uri) else {
        return refusal(StatusCode::BAD_REQUEST, "InvalidArgument");
    };
    let path = decoded(head.uri.path());
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_matches('/'), ""));
    let range = text(&head.headers, "content-range").unwrap_or_default();
    world.lock().seen.push(format!("{} {key} {range}", head.method).trim_end().to_owned());
    // A session's address is all that it takes.
    if let Some(id) = asked.get("upload_id") {
        return match head.method {
            Method::PUT => sessions::put(&world, id, &head.headers, body).await,
            Method::DELETE => sessions::end(&world, id),
            _ => refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        };
    }
    if !world.tokens.let_in(&head.headers) {
        return refusal(StatusCode::UNAUTHORIZED, "AuthenticationRequired");
    }
    if bucket != BUCKET {
        return refusal(StatusCode::NOT_FOUND, "NoSuchBucket");
    }
    let condition = text(&head.headers, "x-goog-if-generation-match").and_then(|text| text.parse().ok());
    match head.method {
        Method::GET if key.is_empty() => list(&world, &asked),
        Method::GET => get(&world, key, true),
        Method::HEAD => get(&world, key, false),
        Method::POST if text(&head.headers, "x-goog-resumable").as_deref() == Some("start") => {
            // It goes on through whatever stands in between.
            let host = text(&head.headers, "host").unwrap_or_default();
            sessions::open(&world, &host, key, condition)
        }
        Method::PUT => put(&world, key, condition, body).await,
        Method::DELETE => delete(&world, key, asked.get("generation")),
        _ => refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// A refusal as the XML API says it.
pub(super) fn refusal(status: StatusCode, code: &str) -> Response {
    let body = format!("<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>");
    (status, [("content-type", "application/xml")], body).into_response()
}

fn told(object: &Object) -> [(&'static str, String); 4] {
    [
        ("etag", format!("\"{:x}\"", object.generation)),
        ("last-modified", MODIFIED.to_owned()),
        ("x-goog-generation", object.generation.to_string()),
        ("content-type", "application/octet-stream".to_owned()),
    ]
}

fn get(world: &World, key: &str, with_content: bool) -> Response {
    let state = world.lock();
    match state.objects.get(key) {
        Some(object) if with_content => (told(object), object.content.clone()).into_response(),
        Some(object) => {
            let length = [("content-length", object.content.len().to_string())];
            (told(object), length, Body::empty()).into_response()
        }
        None if with_content => refusal(StatusCode::NOT_FOUND, "NoSuchKey"),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn put(world: &World, key: &str, condition: Option<u64>, body: Body) -> Response {
    // What did not come whole is not stored.
    let Ok(content) = to_bytes(body, usize::MAX).await else {
        return refusal(StatusCode::BAD_REQUEST, "IncompleteBody");
    };
    let mut state = world.lock();
    if !state.fits(key, condition) {
        return refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
    }
    if state.objects.get(key).is_some_and(|object| object.held) {
        return refusal(StatusCode::FORBIDDEN, "ObjectUnderActiveHold");
    }
    state.store(key, content.to_vec());
    match state.objects.get(key) {
        Some(object) => told(object).into_response(),
        None => StatusCode::OK.into_response(),
    }
}

fn delete(world: &World, key: &str, generation: Option<&String>) -> Response {
    let mut state = world.lock();
    match state.objects.get(key) {
        Some(object) if object.held => refusal(StatusCode::FORBIDDEN, "ObjectUnderActiveHold"),
        Some(object) if generation.is_none_or(|asked| *asked == object.generation.to_string()) => {
            state.objects.remove(key);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => refusal(StatusCode::NOT_FOUND, "NoSuchKey"),
    }
}

/// The second form of listing (`list-type=2`), and the first for clients that ask without it.
fn list(world: &World, asked: &Asked) -> Response {
    let of = |name: &str| asked.get(name).map_or("", String::as_str);
    let (prefix, delimiter) = (of("prefix"), of("delimiter"));
    let (mut contents, mut prefixes) = (String::new(), Vec::new());
    for (key, object) in world.lock().objects.range(prefix.to_owned()..) {
        let Some(rest) = key.strip_prefix(prefix) else { break };
        match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
            Some(end) => prefixes.push(format!("{prefix}{}", &rest[..end + delimiter.len()])),
            None => {
                let (key, size, tag) = (escaped(key), object.content.len(), object.generation);
                let _never_fails = write!(
                    contents,
                    "<Contents><Key>{key}</Key><Generation>{tag}</Generation><LastModified>2026-11-22T12:00:00.000Z\
                     </LastModified><ETag>\"{tag:x}\"</ETag><Size>{size}</Size></Contents>"
                );
            }
        }
    }
    prefixes.dedup();
    for prefix in prefixes {
        let prefix = escaped(&prefix);
        let _never_fails = write!(contents, "<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>");
    }
    let body = format!(
        "<?xml version='1.0' encoding='UTF-8'?><ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>\
         <Name>{BUCKET}</Name><Prefix>{}</Prefix><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>",
        escaped(prefix)
    );
    ([("content-type", "application/xml")], body).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A path without its percent signs.
fn decoded(path: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), path.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        let code = (*first == b'%').then(|| behind.get(..2)).flatten();
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
