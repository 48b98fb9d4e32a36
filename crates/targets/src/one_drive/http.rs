//! The HTTP client, and requests to Graph with their token.

use std::{sync::Arc, time::Duration};

use domain::resources::Cloud;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};

use super::{
    fault::{self, Answer},
    sign_in::Tokens,
};
use crate::{ErrorKind, TargetError};

/// A connection that is not there after this long is not coming.
const CONNECT: Duration = Duration::from_secs(15);
/// For a request with a small body and a small answer.
const WHOLE: Duration = Duration::from_secs(60);
/// No answer but a file's content is longer.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// A client over TLS by ring that trusts the machine's root certificates and goes through
/// `HTTPS_PROXY` where it is set. Redirects are not followed: a token is not for whoever they lead to.
///
/// # Errors
/// The machine has no root certificates.
pub fn client() -> Result<Client, TargetError> {
    builder().build().map_err(unusable)
}

/// The same, not yet built.
pub fn builder() -> reqwest::ClientBuilder {
    // Whoever comes first installs it; it is the same one everywhere.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(CONNECT)
        .redirect(redirect::Policy::none())
        // The form that Microsoft asks for: it throttles undecorated traffic first.
        .user_agent(concat!("NONISV|Callseal|Callseal/", env!("CARGO_PKG_VERSION")))
}

pub(super) fn unusable(error: reqwest::Error) -> TargetError {
    TargetError::new(
        ErrorKind::Incomplete,
        "TLS cannot be set up; are the root certificates of the system installed (ca-certificates)?",
    )
    .caused_by(error)
}

/// Sends a request and reads the whole answer.
pub(super) async fn whole(doing: &str, request: RequestBuilder) -> Result<Answer, TargetError> {
    read(doing, request.timeout(WHOLE).send().await.map_err(|error| fault::unreachable(doing, error))?).await
}

/// Reads a whole answer.
pub(super) async fn read(doing: &str, mut response: Response) -> Result<Answer, TargetError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| fault::unreachable(doing, error))? {
        if body.len() + part.len() > LONGEST_ANSWER {
            let text = format!("{doing}: OneDrive gives an answer that is longer than it can be");
            return Err(TargetError::new(ErrorKind::Io, text));
        }
        body.extend_from_slice(&part);
    }
    Ok(Answer { status, headers, body })
}

/// Microsoft Graph of one cloud, asked with the tokens of one login.
pub(super) struct Graph {
    pub(super) http: Client,
    pub(super) cloud: Cloud,
    pub(super) tokens: Arc<Tokens>,
}

impl Graph {
    /// The URL of a path below `v1.0`, its levels given one by one and as they are.
    pub(super) fn url<'a>(&self, levels: impl IntoIterator<Item = &'a str>) -> Url {
        let host = self.cloud.graph_host();
        let mut url: Url = format!("https://{host}/v1.0").parse().expect("the hosts of clouds are hosts");
        url.path_segments_mut().expect("https has a path").extend(levels);
        url
    }

    /// Sends a request with a token; the whole answer, whatever it is. A token that is not taken is
    /// renewed once. `with` adds body and headers, and is asked again for a second attempt.
    pub(super) async fn ask(
        &self,
        doing: &str,
        method: Method,
        url: &Url,
        with: impl Fn(RequestBuilder) -> RequestBuilder + Send + Sync,
    ) -> Result<Answer, TargetError> {
        let mut token = self.tokens.get().await?;
        let mut renewed = false;
        loop {
            let request = self.http.request(method.clone(), url.clone());
            let request = with(request.bearer_auth(token.text.expose()).timeout(WHOLE));
            let sent = request.send().await.map_err(|error| fault::unreachable(doing, error))?;
            if sent.status() != StatusCode::UNAUTHORIZED || renewed {
                return read(doing, sent).await;
            }
            token = self.tokens.renew(&token).await?;
            renewed = true;
        }
    }

    /// Begins to read a content: Graph sends on to an address that needs no token, and must not see
    /// one. `None`: there is none.
    pub(super) async fn get_location(&self, doing: &str, url: &Url) -> Result<Option<Response>, TargetError> {
        let answer = self.get(doing, url).await?;
        let location = answer.headers.get(reqwest::header::LOCATION).and_then(|value| value.to_str().ok());
        let location = location.and_then(|text| url.join(text).ok()).filter(|url| url.scheme() == "https");
        let location = match (answer.status, location) {
            (StatusCode::NOT_FOUND, _) => return Ok(None),
            (status, Some(location)) if status.is_redirection() => location,
            _ => return Err(fault::refused(doing, &answer)),
        };
        let sent = tokio::time::timeout(WHOLE, self.http.get(location).send()).await;
        let silent =
            |_| TargetError::new(ErrorKind::Unreachable, format!("{doing}: OneDrive does not answer"));
        let sent = sent.map_err(silent)?.map_err(|error| fault::unreachable(doing, error))?;
        match sent.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(sent)),
            _ => Err(fault::refused(doing, &read(doing, sent).await?)),
        }
    }

    /// A request without a body.
    pub(super) async fn get(&self, doing: &str, url: &Url) -> Result<Answer, TargetError> {
        self.ask(doing, Method::GET, url, |request| request).await
    }

    /// A request with JSON.
    pub(super) async fn send(
        &self,
        doing: &str,
        method: Method,
        url: &Url,
        json: &serde_json::Value,
    ) -> Result<Answer, TargetError> {
        let body = json.to_string();
        self.ask(doing, method, url, |request| {
            request.header(reqwest::header::CONTENT_TYPE, "application/json").body(body.clone())
        })
        .await
    }

    /// The next page of a list, if it is Graph's: a token goes nowhere else.
    pub(super) fn next_page(&self, link: &str) -> Option<Url> {
        let url: Url = link.parse().ok()?;
        (url.scheme() == "https" && url.host_str() == Some(self.cloud.graph_host())).then_some(url)
    }
}
