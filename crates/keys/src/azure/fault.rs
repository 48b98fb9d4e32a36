//! What a vault's refusals mean.

use std::{error::Error as _, time::Duration};

use azure_core::{
    Error,
    error::{ErrorKind, ErrorResponse, InnerError},
    http::{
        RawResponse, StatusCode,
        headers::{HeaderName, Headers},
    },
};
use jiff::{Timestamp, fmt::rfc2822};

use crate::cloud::{CloudError, Fault, Source};

/// What was asked, of which key, and the right that it takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) place: &'a str,
    pub(super) key: &'a str,
    pub(super) doing: &'static str,
    pub(super) right: &'static str,
}

/// Judges an answer that was none.
pub(super) fn fault(error: Error, asked: Asked<'_>) -> Fault {
    match error.kind() {
        ErrorKind::Connection | ErrorKind::Io => Fault::Away(error.into()),
        ErrorKind::Credential => sign_in(error, asked),
        ErrorKind::HttpResponse { status, raw_response, .. } => {
            let (status, raw) = (*status, raw_response.clone());
            answered(status, raw.as_deref(), error, asked)
        }
        // A connection that breaks in the midst of an answer.
        _ => match cause(&error) {
            Some(ErrorKind::Connection | ErrorKind::Io) => Fault::Away(error.into()),
            Some(ErrorKind::Credential) => sign_in(error, asked),
            _ => refused(error, asked),
        },
    }
}

fn answered(status: StatusCode, raw: Option<&RawResponse>, error: Error, asked: Asked<'_>) -> Fault {
    let after = raw.and_then(|raw| retry_after(raw.headers()));
    let (place, key) = (asked.place.to_owned(), asked.key.to_owned());
    let codes = codes(raw);
    let says = |text: &str| codes.iter().any(|code| code == text);
    let source: Source = error.into();
    match status {
        StatusCode::TooManyRequests => Fault::Busy { after, source },
        StatusCode::ServiceUnavailable if after.is_some() => Fault::Busy { after, source },
        StatusCode::RequestTimeout => Fault::Away(source),
        status if u16::from(status) >= 500 => Fault::Away(source),
        StatusCode::Unauthorized => CloudError::SignIn { place, source }.into(),
        StatusCode::Forbidden if says("KeyDisabled") => not_usable(asked, "disabled"),
        StatusCode::Forbidden if says("KeyExpired") => not_usable(asked, "expired"),
        StatusCode::Forbidden if says("KeyNotYetValid") => not_usable(asked, "not yet valid"),
        StatusCode::Forbidden if says("ForbiddenByFirewall") || says("ForbiddenByConnection") => {
            CloudError::Firewall { place, source }.into()
        }
        StatusCode::Forbidden => {
            CloudError::NotAllowed { place, key, doing: asked.doing, right: asked.right, source }.into()
        }
        StatusCode::NotFound => CloudError::KeyMissing { place, key }.into(),
        StatusCode::Conflict => CloudError::KeyExists { place, key }.into(),
        _ => CloudError::Refused { place, key, doing: asked.doing, source }.into(),
    }
}

fn not_usable(asked: Asked<'_>, state: &str) -> Fault {
    let (place, key) = (asked.place.to_owned(), asked.key.to_owned());
    CloudError::KeyNotUsable { place, key, state: state.to_owned() }.into()
}

fn refused(error: Error, asked: Asked<'_>) -> Fault {
    let (place, key) = (asked.place.to_owned(), asked.key.to_owned());
    CloudError::Refused { place, key, doing: asked.doing, source: error.into() }.into()
}

/// Signing in is a request of its own, with the same troubles.
fn sign_in(error: Error, asked: Asked<'_>) -> Fault {
    let inner = http(&error).map(|(status, raw)| (status, raw.and_then(|raw| retry_after(raw.headers()))));
    let away = matches!(cause(&error), Some(ErrorKind::Connection | ErrorKind::Io));
    match inner {
        Some((StatusCode::TooManyRequests, after)) => Fault::Busy { after, source: error.into() },
        Some((status, _)) if u16::from(status) >= 500 => Fault::Away(error.into()),
        None if away => Fault::Away(error.into()),
        _ => CloudError::SignIn { place: asked.place.to_owned(), source: error.into() }.into(),
    }
}

/// The errors of the SDK below this one.
fn below(error: &Error) -> impl Iterator<Item = &Error> {
    std::iter::successors(error.source(), |&error| error.source()).filter_map(|error| error.downcast_ref())
}

/// What it came from: the innermost that says something.
fn cause(error: &Error) -> Option<&ErrorKind> {
    below(error).map(Error::kind).filter(|kind| !matches!(kind, ErrorKind::Other)).last()
}

fn http(error: &Error) -> Option<(StatusCode, Option<&RawResponse>)> {
    below(error).find_map(|error| match error.kind() {
        ErrorKind::HttpResponse { status, raw_response, .. } => Some((*status, raw_response.as_deref())),
        _ => None,
    })
}

/// The error code of an answer, and the more exact ones inside.
fn codes(raw: Option<&RawResponse>) -> Vec<String> {
    let detail =
        raw.and_then(|raw| serde_json::from_slice::<ErrorResponse>(raw.body()).ok()).and_then(|r| r.error);
    let Some(detail) = detail else { return Vec::new() };
    let mut codes: Vec<String> = detail.code.into_iter().collect();
    let mut inner: Option<InnerError> = detail.inner_error;
    while let Some(error) = inner {
        codes.extend(error.code);
        inner = error.inner_error.map(|boxed| *boxed);
    }
    codes
}

/// How long to wait: Azure's headers in milliseconds, or the one of RFC 9110 § 10.2.3 in seconds or as a
/// date.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let get = |name: &'static str| headers.get_optional_str(&HeaderName::from_static(name));
    let milliseconds = || {
        let text = get("retry-after-ms").or_else(|| get("x-ms-retry-after-ms"))?;
        text.trim().parse().ok().map(Duration::from_millis)
    };
    milliseconds().or_else(|| {
        let text = get("retry-after")?.trim();
        let until = |text| rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
        match text.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => {
                until(text).map(|at| at.duration_since(Timestamp::now()).try_into().unwrap_or_default())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_wait_is_read_in_each_of_its_forms() {
        for (name, value, expected) in [
            ("retry-after", "7", Some(7_000)),
            ("retry-after-ms", "250", Some(250)),
            ("x-ms-retry-after-ms", "90", Some(90)),
            ("retry-after", "Fri, 01 Jan 2021 00:00:00 GMT", Some(0)),
            ("retry-after", "soon", None),
        ] {
            let mut headers = Headers::new();
            headers.insert(name, value);
            assert_eq!(retry_after(&headers), expected.map(Duration::from_millis), "{name}: {value}");
        }
    }

    #[test]
    fn refusals_are_told_apart_in_words_that_say_what_to_do() {
        let asked =
            Asked { place: "the key vault v", key: "k", doing: "sign with", right: "keys/sign/action" };
        let body = |code: &str, inner: &str| {
            format!(r#"{{"error":{{"code":"{code}","message":"m","innererror":{{"code":"{inner}"}}}}}}"#)
        };
        let text = |status: StatusCode, body: &str| {
            let raw = RawResponse::from_bytes(status, Headers::new(), body.to_owned());
            let kind =
                ErrorKind::HttpResponse { status, error_code: None, raw_response: Some(Box::new(raw)) };
            match fault(Error::with_message(kind, "as the vault says"), asked) {
                Fault::Refused(error) => error.to_string(),
                Fault::Busy { .. } => "busy".to_owned(),
                Fault::Away(_) => "away".to_owned(),
            }
        };
        for (status, code, inner, expected) in [
            (StatusCode::Forbidden, "Forbidden", "KeyDisabled", "is disabled"),
            (StatusCode::Forbidden, "Forbidden", "ForbiddenByRbac", "give it the right keys/sign/action"),
            (StatusCode::Forbidden, "Forbidden", "ForbiddenByFirewall", "firewall"),
            (StatusCode::Unauthorized, "Unauthorized", "", "signing in to the key vault v failed"),
            (StatusCode::NotFound, "KeyNotFound", "", "holds no key 'k'"),
            (StatusCode::Conflict, "Conflict", "ObjectIsDeletedButRecoverable", "recoverable"),
            (StatusCode::BadRequest, "BadParameter", "", "refused to sign with 'k'"),
            (StatusCode::TooManyRequests, "Throttled", "", "busy"),
            (StatusCode::ServiceUnavailable, "", "", "away"),
            (StatusCode::InternalServerError, "", "", "away"),
        ] {
            let text = text(status, &body(code, inner));
            assert!(text.contains(expected), "{code}/{inner}: {text}");
        }
        assert!(text(StatusCode::BadGateway, "<html>").contains("away"));
    }
}
