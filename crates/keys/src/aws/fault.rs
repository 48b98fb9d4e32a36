//! What the refusals of KMS mean.

use std::{error::Error, time::Duration};

use aws_sdk_kms::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

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
pub(super) fn fault<E>(error: SdkError<E, HttpResponse>, asked: Asked<'_>) -> Fault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let answered = error.raw_response().map(|raw| (raw.status().as_u16(), retry_after(raw)));
    let code = error.as_service_error().and_then(|error| error.code()).map(str::to_owned);
    let no_identity = has_credentials_error(&error);
    let (place, key) = (asked.place.to_owned(), asked.key.to_owned());
    let source: Source = error.into();
    let Some((status, after)) = answered else {
        return match no_identity {
            true => CloudError::SignIn { place, source }.into(),
            false => Fault::Away(source),
        };
    };
    let not_usable = |state: &str| CloudError::KeyNotUsable {
        place: place.clone(),
        key: key.clone(),
        state: state.to_owned(),
    };
    match code.as_deref().unwrap_or_default() {
        "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown" => Fault::Busy { after, source },
        _ if status == 429 => Fault::Busy { after, source },
        "DependencyTimeoutException" | "KMSInternalException" | "KeyUnavailableException" => {
            Fault::Away(source)
        }
        _ if status >= 500 => Fault::Away(source),
        "DisabledException" => not_usable("disabled").into(),
        "KMSInvalidStateException" => {
            not_usable("in a state that does not sign (disabled, or to be deleted)").into()
        }
        "NotFoundException" => CloudError::KeyMissing { place, key }.into(),
        "AlreadyExistsException" => CloudError::KeyExists { place, key }.into(),
        "AccessDeniedException" => {
            CloudError::NotAllowed { place, key, doing: asked.doing, right: asked.right, source }.into()
        }
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "SignatureDoesNotMatch"
        | "ExpiredTokenException" => CloudError::SignIn { place, source }.into(),
        "InvalidKeyUsageException" => {
            let why = "it is not one for signing with SHA-256 (key usage, key spec)".to_owned();
            CloudError::KeyUnfit { place, key, why }.into()
        }
        _ => CloudError::Refused { place, key, doing: asked.doing, source }.into(),
    }
}

/// Whether no identity was found, as against one that KMS does not know.
fn has_credentials_error(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .any(|error| error.is::<aws_credential_types::provider::error::CredentialsError>())
}

/// KMS seldom says how long to wait.
fn retry_after(raw: &HttpResponse) -> Option<Duration> {
    let milliseconds = raw.headers().get("x-amz-retry-after").and_then(|text| text.parse().ok());
    let seconds = raw.headers().get("retry-after").and_then(|text| text.parse().ok());
    milliseconds.map(Duration::from_millis).or(seconds.map(Duration::from_secs))
}
