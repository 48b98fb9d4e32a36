//! What the refusals of object stores mean.
//!
//! A refusal's text holds the object's name, and so does the error of `object_store`: only its code and its
//! status go on.

use std::time::Duration;

use object_store::client::HttpErrorKind;

use super::line::{Answer, Ended};
use crate::{ErrorKind, TargetError};

/// How long a store is left alone that asks for it without a time.
const WHILE: Duration = Duration::from_secs(5);

/// What went wrong with a call: how its last request ended.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) ended: Ended,
    /// What `object_store` made of it, where no request failed.
    pub(super) word: &'static str,
}

impl Refusal {
    /// The status and the code that the store gave.
    fn said(&self) -> Option<(u16, String)> {
        match &self.ended {
            Ended::Answered(answer) => Some((answer.status, code(answer))),
            _ => None,
        }
    }

    /// Another object has the name.
    pub(super) fn is_taken(&self) -> bool {
        match self.said() {
            Some((412 | 304, _)) => true,
            Some((409, code)) => code == "BlobAlreadyExists",
            _ => false,
        }
    }

    /// There is no such object.
    pub(super) fn is_missing(&self) -> bool {
        // A HEAD is answered without a code.
        self.said().is_some_and(|(status, code)| {
            status == 404 && matches!(&*code, "" | "NoSuchKey" | "NoSuchVersion" | "BlobNotFound")
        })
    }

    /// The unfinished upload that was to go on is not there any more.
    pub(super) fn is_upload_gone(&self) -> bool {
        self.said().is_some_and(|(_, code)| {
            matches!(
                &*code,
                "NoSuchUpload"
                    | "InvalidPart"
                    | "InvalidPartOrder"
                    | "InvalidBlockList"
                    | "InvalidBlobOrBlock"
            )
        })
    }

    /// It may be a lock that refuses.
    pub(super) fn is_refused(&self) -> bool {
        self.said().is_some_and(|(status, _)| matches!(status, 400 | 403 | 409))
    }

    /// The fault, in words about `place` ("the bucket x").
    pub(super) fn fault(&self, doing: &str, place: &str) -> TargetError {
        let (kind, advice) = self.meaning();
        let error = TargetError::new(kind, format!("{doing} in {place} failed: {advice}"));
        let error = match (kind, &self.ended) {
            (ErrorKind::Busy, Ended::Answered(answer)) => error.not_before(wait(answer)),
            (ErrorKind::Busy, _) => error.not_before(WHILE),
            _ => error,
        };
        match self.said() {
            Some((status, code)) => error.caused_by(format!("status {status} {code}").trim_end().to_owned()),
            None => error.caused_by(self.word),
        }
    }

    fn meaning(&self) -> (ErrorKind, String) {
        let (kind, advice) = match &self.ended {
            Ended::Answered(answer) => return meaning(answer),
            Ended::NoCredentials => (
                ErrorKind::LoginRefused,
                "nobody gives credentials: neither is a key set that counts, nor does the environment, the pod or the \
                 machine have a role",
            ),
            Ended::Broken { certificate: true, .. } => (
                ErrorKind::Unreachable,
                "its certificate is not one that this machine trusts; add its CA to the system's roots, or look \
                 who stands in between",
            ),
            Ended::Broken { kind: HttpErrorKind::Connect, .. } => (
                ErrorKind::Unreachable,
                "no connection; check the endpoint, the name server and the firewall",
            ),
            Ended::Broken { kind: HttpErrorKind::Timeout, .. } => {
                (ErrorKind::Unreachable, "no answer in time")
            }
            Ended::Broken { .. } => (ErrorKind::Unreachable, "the connection broke"),
            Ended::NotSent => (ErrorKind::Io, "the request could not be made; see the cause"),
        };
        (kind, advice.to_owned())
    }
}

fn meaning(answer: &Answer) -> (ErrorKind, String) {
    let code = code(answer);
    if let Some((kind, advice)) = by_code(&code) {
        return (kind, advice.to_owned());
    }
    // S3 has no code for it: "Bucket is missing Object Lock Configuration".
    if code == "InvalidRequest"
        && String::from_utf8_lossy(&answer.body).replace(' ', "").contains("ObjectLock")
    {
        return (ErrorKind::Incomplete, NO_LOCK.to_owned());
    }
    let region = answer.header("x-amz-bucket-region").filter(|region| is_word(region));
    let (kind, advice) = match (answer.status, region) {
        (301 | 307 | 400, Some(region)) => {
            return (
                ErrorKind::Incomplete,
                format!("the bucket lies in the region {region}; set region to it"),
            );
        }
        (301 | 307, None) => {
            (ErrorKind::Incomplete, "the bucket lies in another region or at another endpoint")
        }
        (401, _) => (ErrorKind::LoginRefused, "the login is not taken; check the key"),
        (403, _) => (
            ErrorKind::Denied,
            "access denied; check the key, and that its rights cover reading, writing, listing and deleting there",
        ),
        (404, _) => (ErrorKind::Incomplete, "it is not there; check the bucket's or container's name"),
        (408, _) => (ErrorKind::Unreachable, "the store waited in vain for the whole request"),
        (429 | 503, _) => (ErrorKind::Busy, "the store asks to be left alone for a while"),
        (507, _) => (ErrorKind::Full, "it is full or a quota is used up"),
        (500.., _) => (ErrorKind::Unreachable, "the store has a fault of its own"),
        _ => (ErrorKind::Io, "the store refuses; see the cause"),
    };
    (kind, advice.to_owned())
}

/// The words of S3 (API Reference, Error Responses), of those who speak its protocol, of Azure Blob (Blob
/// Storage error codes), and of Google (Cloud Storage, XML API, HTTP status and error codes).
fn by_code(code: &str) -> Option<(ErrorKind, &'static str)> {
    Some(match code {
        "NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted" => {
            (ErrorKind::Incomplete, "there is no such bucket or container; make it, or correct its name")
        }
        "InvalidBucketName" | "InvalidResourceName" => {
            (ErrorKind::Incomplete, "the store takes no bucket or container of this name")
        }
        "InvalidAccessKeyId" | "InvalidClientTokenId" => {
            (ErrorKind::LoginRefused, "the store does not know the access key; check accessKeyId")
        }
        "SignatureDoesNotMatch" | "AuthenticationFailed" => (
            ErrorKind::LoginRefused,
            "the signature does not match: the secret key is wrong, its time is over, or the clock of this machine \
             is",
        ),
        "RequestTimeTooSkewed" | "RequestExpired" => (
            ErrorKind::LoginRefused,
            "the clock of this machine differs from the store's by more than 15 minutes; set up NTP",
        ),
        "AuthenticationRequired"
        | "ExpiredToken"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "InvalidAuthenticationInfo" => {
            (ErrorKind::LoginRefused, "the login has run out or is not taken; make a new one")
        }
        "AccessDenied"
        | "AllAccessDisabled"
        | "AuthorizationFailure"
        | "AuthorizationPermissionMismatch"
        | "InsufficientAccountPermissions"
        | "AccountIsDisabled"
        | "AuthorizationSourceIPMismatch" => (
            ErrorKind::Denied,
            "access denied; check that the rights of the key or role cover reading, writing, listing and deleting \
             there",
        ),
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => (
            ErrorKind::Incomplete,
            "the bucket lies in another region or at another endpoint; set region and endpoint",
        ),
        "ObjectLockConfigurationNotFoundError" | "InvalidBucketState" => (ErrorKind::Incomplete, NO_LOCK),
        "SlowDown"
        | "ServiceUnavailable"
        | "ServerBusy"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "ConditionalRequestConflict"
        | "OperationAborted"
        | "Throttling"
        | "ThrottlingException" => (ErrorKind::Busy, "the store asks to be left alone for a while"),
        "QuotaExceeded"
        | "XMinioStorageFull"
        | "XMinioAdminBucketQuotaExceeded"
        | "InsufficientStorage"
        | "AccountLimitExceeded"
        | "InsufficientCapacity" => (ErrorKind::Full, "it is full or a quota is used up"),
        "BlobImmutableDueToPolicy"
        | "BlobImmutableDueToLegalHold"
        | "ObjectLocked"
        | "ObjectUnderActiveHold"
        | "RetentionPolicyNotMet"
        | "AccessDeniedByLock" => (ErrorKind::Locked, LOCKED),
        "KeyTooLongError" => (ErrorKind::Name, "the store takes no name of this length"),
        "BadDigest" | "XAmzContentSHA256Mismatch" | "InvalidDigest" | "Md5Mismatch" => {
            (ErrorKind::Io, "what arrived is not what was sent; it is sent again")
        }
        _ => return None,
    })
}

const NO_LOCK: &str = "the bucket has no Object Lock; switch it on there, or leave lock out here";

/// For a fault of kind [`ErrorKind::Locked`].
pub(super) const LOCKED: &str = "a lock of the storage keeps it until its retention ends";

/// The store's word for what went wrong; empty: none.
fn code(answer: &Answer) -> String {
    let body = String::from_utf8_lossy(&answer.body);
    let told =
        body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    let told =
        told.or_else(|| answer.header("x-ms-error-code")).or_else(|| answer.header("x-amz-error-code"));
    told.filter(|code| is_word(code)).unwrap_or_default().to_owned()
}

fn is_word(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

fn wait(answer: &Answer) -> Duration {
    let seconds = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
    seconds.map_or(WHILE, |seconds: u64| Duration::from_secs(seconds.min(24 * 3600)))
}

#[cfg(test)]
mod tests {
    use object_store::HeaderMap;

    use super::*;

    fn refusal(status: u16, body: &'static str, header: Option<(&'static str, &str)>) -> TargetError {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, value.parse().unwrap());
        }
        let ended = Ended::Answered(Answer { status, headers, body: body.into() });
        Refusal { ended, word: "" }.fault("writing", "the bucket b")
    }

    #[test]
    fn refusals_are_told_apart_by_their_code_and_else_by_their_status() {
        let cases = [
            (404, "<Error><Code>NoSuchBucket</Code></Error>", ErrorKind::Incomplete),
            (403, "<Error><Code>InvalidAccessKeyId</Code></Error>", ErrorKind::LoginRefused),
            (403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", ErrorKind::LoginRefused),
            (403, "<Error><Code>AccessDenied</Code></Error>", ErrorKind::Denied),
            (403, "", ErrorKind::Denied),
            (409, "<Error><Code>BlobImmutableDueToPolicy</Code></Error>", ErrorKind::Locked),
            (503, "<Error><Code>SlowDown</Code></Error>", ErrorKind::Busy),
            (507, "<Error><Code>XMinioStorageFull</Code></Error>", ErrorKind::Full),
            (500, "<Error><Code>InternalError</Code></Error>", ErrorKind::Unreachable),
            (400, "<Error><Code>KeyTooLongError</Code></Error>", ErrorKind::Name),
        ];
        for (status, body, kind) in cases {
            assert_eq!(refusal(status, body, None).kind(), kind, "{status} {body}");
        }
    }

    #[test]
    fn the_right_region_is_named_and_the_time_to_wait_is_the_stores() {
        let elsewhere = refusal(301, "", Some(("x-amz-bucket-region", "eu-west-1")));
        assert!(elsewhere.to_string().ends_with("the bucket lies in the region eu-west-1; set region to it"));
        assert_eq!(
            refusal(429, "", Some(("retry-after", "17"))).retry_after(),
            Some(Duration::from_secs(17))
        );
        assert_eq!(refusal(503, "", None).retry_after(), Some(WHILE));
    }

    #[test]
    fn what_a_store_says_about_a_name_is_not_repeated() {
        let body = "<Error><Code>Odd Code +49 30 1</Code><Key>+49301.wav</Key></Error>";
        let error = refusal(400, body, None);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(!error.to_string().contains("4930") && !source.contains("49"), "{error} {source}");
    }
}
