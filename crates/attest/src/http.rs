//! The HTTP client: small answers, short patience, no redirects.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, redirect};

use crate::AttestError;

/// A connection that is not there after this long is not coming.
const CONNECT: Duration = Duration::from_secs(5);

/// A stamp or a cosignature takes milliseconds; one that takes longer than this is asked for again later.
const WHOLE: Duration = Duration::from_secs(20);

/// A client over TLS by ring; the machine's own root certificates count.
pub(crate) fn client() -> Result<Client, AttestError> {
    // Whoever comes first installs it; it is the same one everywhere.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        // A redirected POST becomes a GET, and where it leads nobody has configured.
        .redirect(redirect::Policy::none())
        .user_agent(concat!("callseal/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(AttestError::Client)
}

/// Sends it.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response, AttestError> {
    request.send().await.map_err(unreachable)
}

/// The whole answer, if it is not longer than `longest` bytes.
pub(crate) async fn body(mut response: Response, longest: usize) -> Result<Vec<u8>, AttestError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > longest {
            return Err(AttestError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The URL stands in the configuration, not in every line of the log.
fn unreachable(error: reqwest::Error) -> AttestError {
    AttestError::Unreachable(error.without_url())
}
