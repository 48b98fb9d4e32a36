//! What Graph's refusals mean.

use std::{error::Error, fmt, time::Duration};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;

use crate::{ErrorKind, TargetError};

/// A whole answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The answer's JSON.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, doing: &str) -> Result<T, TargetError> {
        serde_json::from_slice(&self.body).map_err(|_| {
            TargetError::new(
                ErrorKind::Unreachable,
                format!(
                    "{doing}: OneDrive gave an answer that cannot be read; does a proxy stand in between?"
                ),
            )
        })
    }

    /// Graph's word for what went wrong.
    pub(super) fn code(&self) -> String {
        let error = serde_json::from_slice::<ErrorBody>(&self.body).map(|body| body.error);
        error.map(|error| error.code).unwrap_or_default()
    }

    /// The words below that one, which say it more exactly.
    fn inner_codes(&self) -> Vec<String> {
        let error = serde_json::from_slice::<ErrorBody>(&self.body).map(|body| body.error);
        let mut inner = error.ok().and_then(|error| error.inner_error);
        let mut codes = Vec::new();
        while let Some(error) = inner.filter(|_| codes.len() < 8) {
            codes.extend(error.code);
            inner = error.inner_error.map(|boxed| *boxed);
        }
        codes
    }

    /// Whether Graph says this word anywhere.
    pub(super) fn says(&self, word: &str) -> bool {
        self.code() == word || self.inner_codes().iter().any(|code| code == word)
    }

    /// What the server said, for the cause of a fault: never its message, which may hold a file name.
    pub(super) fn said(&self) -> Said {
        let header = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        let request = header("request-id").or_else(|| header("sprequestguid")).map(str::to_owned);
        let mut codes: Vec<String> = [self.code()].into_iter().chain(self.inner_codes()).collect();
        codes.retain(|code| is_word(code));
        Said { status: self.status.as_u16(), codes, request: request.filter(|id| is_word(id)) }
    }
}

/// Only words are passed on.
fn is_word(text: &str) -> bool {
    (1..80).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize)]
struct ErrorDetail {
    #[serde(default)]
    code: String,
    #[serde(rename = "innerError", alias = "innererror")]
    inner_error: Option<InnerError>,
}

#[derive(Deserialize)]
struct InnerError {
    code: Option<String>,
    #[serde(rename = "innerError", alias = "innererror")]
    inner_error: Option<Box<InnerError>>,
}

/// Status and codes of an answer, and the id by which Microsoft's support finds the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    status: u16,
    codes: Vec<String>,
    request: Option<String>,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Microsoft answered {}", self.status)?;
        if !self.codes.is_empty() {
            write!(f, " {}", self.codes.join(", "))?;
        }
        if let Some(request) = &self.request {
            write!(f, " to the request {request}")?;
        }
        Ok(())
    }
}

impl Error for Said {}

/// Judges an answer of Graph that is no success. `doing`: "storing a file".
pub(super) fn refused(doing: &str, answer: &Answer) -> TargetError {
    let status = answer.status.as_u16();
    let wait = retry_after(&answer.headers);
    let busy = matches!(status, 429 | 509) || (status == 503 && wait.is_some());
    let (kind, advice) = match status {
        _ if busy => (ErrorKind::Busy, "asks to be left alone for a while"),
        507 => (ErrorKind::Full, "has no space left; make space or raise the quota"),
        _ if answer.says("quotaLimitReached") || answer.says("insufficientStorage") => {
            (ErrorKind::Full, "has no space left; make space or raise the quota")
        }
        401 => (ErrorKind::LoginRefused, "does not take the login, not even with a new token"),
        403 => (
            ErrorKind::Denied,
            "does not let the login do that; give the app Sites.Selected with the role write on the site, or \
             Files.ReadWrite.All, and an administrator's consent",
        ),
        423 => (ErrorKind::Locked, "keeps the file locked"),
        400 | 414 if names_fault(answer) => {
            (ErrorKind::Name, "does not take a name or path of this form or length")
        }
        404 => {
            (ErrorKind::Incomplete, "does not find the drive or the folder any more; check drive and path")
        }
        408 | 500.. => (ErrorKind::Unreachable, "is in trouble itself; that passes"),
        _ => (ErrorKind::Io, "refuses; see the cause"),
    };
    let error = TargetError::new(kind, format!("{doing}: OneDrive {advice}")).caused_by(answer.said());
    match wait.or(busy.then_some(UNSAID_WAIT)) {
        Some(wait) => error.not_before(wait),
        None => error,
    }
}

/// For a server that throttles without saying for how long.
const UNSAID_WAIT: Duration = Duration::from_secs(60);

/// A proxy that stands in between may say anything; so does a clock that is wrong.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

fn names_fault(answer: &Answer) -> bool {
    ["pathIsTooLong", "nameTooLong", "invalidPath", "invalidFileName", "invalidResourceId", "invalidName"]
        .iter()
        .any(|word| answer.says(word))
}

/// No answer came at all.
pub(super) fn unreachable(doing: &str, error: reqwest::Error) -> TargetError {
    let what = if error.is_connect() {
        "Microsoft cannot be reached; check the network, the firewall and HTTPS_PROXY"
    } else {
        "the connection to Microsoft broke"
    };
    // The URL holds file names.
    TargetError::new(ErrorKind::Unreachable, format!("{doing}: {what}")).caused_by(error.without_url())
}

/// How long to wait: seconds or a date (RFC 9110 § 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let asked = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            at.duration_since(Timestamp::now()).try_into().unwrap_or_default()
        }
    };
    Some(asked.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str, inner: &str, wait: Option<&str>) -> Answer {
        let body = format!(
            r#"{{"error":{{"code":"{code}","message":"+4930123.wav","innerError":{{"code":"{inner}"}}}}}}"#
        );
        let mut headers = HeaderMap::new();
        headers.insert("request-id", "4f1f".parse().unwrap());
        if let Some(wait) = wait {
            headers.insert("retry-after", wait.parse().unwrap());
        }
        Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into_bytes() }
    }

    #[test]
    fn each_status_has_its_kind_and_no_message_gets_into_a_text() {
        for (status, code, inner, wait, kind, seconds) in [
            (429, "activityLimitReached", "throttledRequest", Some("430"), ErrorKind::Busy, Some(430)),
            (429, "activityLimitReached", "", None, ErrorKind::Busy, Some(60)),
            (503, "serviceNotAvailable", "", Some("7"), ErrorKind::Busy, Some(7)),
            (503, "serviceNotAvailable", "", None, ErrorKind::Unreachable, None),
            (509, "", "", None, ErrorKind::Busy, Some(60)),
            (500, "generalException", "", None, ErrorKind::Unreachable, None),
            (504, "", "", None, ErrorKind::Unreachable, None),
            (507, "insufficientStorage", "", None, ErrorKind::Full, None),
            (403, "quotaLimitReached", "", None, ErrorKind::Full, None),
            (403, "accessDenied", "", None, ErrorKind::Denied, None),
            (404, "itemNotFound", "", None, ErrorKind::Incomplete, None),
            (401, "InvalidAuthenticationToken", "", None, ErrorKind::LoginRefused, None),
            (423, "resourceLocked", "", None, ErrorKind::Locked, None),
            (400, "invalidRequest", "pathIsTooLong", None, ErrorKind::Name, None),
            (400, "invalidRequest", "", None, ErrorKind::Io, None),
        ] {
            let error = refused("storing a file", &answer(status, code, inner, wait));
            assert_eq!(error.kind(), kind, "{status} {code}");
            assert_eq!(error.retry_after().map(|wait| wait.as_secs()), seconds, "{status} {code}");
            let text = format!("{error} {}", error.source().unwrap());
            assert!(!text.contains("4930123") && text.contains("4f1f"), "{text}");
        }
    }

    #[test]
    fn a_date_to_wait_for_is_understood() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "Fri, 01 Jan 2021 00:00:00 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::ZERO));
        headers.insert("retry-after", u64::MAX.to_string().parse().unwrap());
        assert_eq!(retry_after(&headers), Some(LONGEST_WAIT));
        headers.insert("retry-after", "Fri, 01 Jan 9999 00:00:00 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(LONGEST_WAIT));
        headers.insert("retry-after", "soon".parse().unwrap());
        assert_eq!(retry_after(&headers), None);
    }
}
