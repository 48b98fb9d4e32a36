//! The HTTP line to an object store.
//!
//! `object_store` speaks the protocols, signs, and hides what it has no words for: a lock's headers, the
//! version of an object that is to go, the checksum that the server keeps, the code of a refusal. So this
//! line stands between it and the network: it adds to a request what its caller asks for and signs it
//! anew, and it keeps what was answered.

use std::{
    future::Future,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{
    ClientOptions, HeaderMap, HeaderValue,
    aws::{AwsAuthorizer, AwsCredentialProvider},
    azure::{AzureAuthorizer, AzureCredential, AzureCredentialProvider},
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
        HttpService, ReqwestConnector,
    },
};
use reqwest::header::{AUTHORIZATION, HeaderName};

tokio::task_local! {
    /// What the call under way adds to its requests, and what it was answered.
    static CALL: Arc<Call>;
}

/// What goes along with a request to the store.
#[derive(Debug, Clone, Default)]
pub(super) struct Extra {
    /// Headers.
    pub(super) headers: Vec<(&'static str, String)>,
    /// A further pair of the query; the value is encoded here.
    pub(super) query: Option<(&'static str, String)>,
}

impl Extra {
    /// One header.
    pub(super) fn header(name: &'static str, value: impl Into<String>) -> Self {
        Self::default().and(name, value)
    }

    /// One pair of the query.
    pub(super) fn query(name: &'static str, value: impl Into<String>) -> Self {
        Self { query: Some((name, value.into())), ..Self::default() }
    }

    /// One header more.
    pub(super) fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.query.is_none()
    }
}

/// An answer of the store: the body only where it refuses.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// How the last request of a call ended.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    /// None was sent.
    NotSent,
    /// The store answered.
    Answered(Answer),
    /// There was no answer.
    Broken { kind: HttpErrorKind, certificate: bool },
    /// It was one to whoever gives the credentials, and it failed.
    NoCredentials,
}

#[derive(Debug)]
struct Call {
    extra: Extra,
    ended: Mutex<Ended>,
}

impl Call {
    fn note(&self, ended: Ended) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = ended;
    }
}

/// Runs `work` on a store whose line this is, with something added to its requests; what came of it, and
/// how its last request ended.
pub(super) async fn call<F: Future>(extra: Extra, work: F) -> (F::Output, Ended) {
    let call = Arc::new(Call { extra, ended: Mutex::new(Ended::NotSent) });
    let output = CALL.scope(Arc::clone(&call), work).await;
    let ended = call.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (output, ended)
}

/// Who signs requests again that something was added to.
#[derive(Debug)]
pub(super) enum Signer {
    Aws { credentials: AwsCredentialProvider, region: String },
    Azure { credentials: AzureCredentialProvider, account: String },
}

impl Signer {
    async fn sign(&self, request: &mut HttpRequest) -> object_store::Result<()> {
        match self {
            Self::Aws { credentials, region } => {
                let credential = credentials.get_credential().await?;
                let digest = request.headers().get("x-amz-content-sha256");
                let digest = digest.and_then(|text| hex::decode(text.as_bytes()).ok());
                request.headers_mut().remove(AUTHORIZATION);
                let authorizer = AwsAuthorizer::new(&credential, "s3", region);
                authorizer.with_sign_payload(digest.is_some()).try_authorize(request, digest.as_deref())
            }
            Self::Azure { credentials, account } => {
                let credential = credentials.get_credential().await?;
                // A token or a shared access signature stands for no header.
                if !matches!(*credential, AzureCredential::AccessKey(_)) {
                    return Ok(());
                }
                request.headers_mut().remove(AUTHORIZATION);
                AzureAuthorizer::new(&credential, account).try_authorize(request)
            }
        }
    }
}

/// Connects a store; its signer is told once the store is built.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    signer: Arc<OnceLock<Signer>>,
    /// Host and port of a store whose requests show by nothing else that they are for it.
    store: Option<String>,
}

impl Line {
    /// A line to the store at the address `endpoint`.
    pub(super) fn to(endpoint: &str) -> Self {
        let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
        let host = host.split('/').next().unwrap_or(host);
        Self { store: Some(host.to_owned()), ..Self::default() }
    }

    /// From now on additions are signed by `signer`.
    pub(super) fn signed_by(&self, signer: Signer) {
        // There is one store on a line.
        let _told_before = self.signer.set(signer);
    }
}

impl HttpConnector for Line {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        let (signer, store) = (Arc::clone(&self.signer), self.store.clone());
        Ok(HttpClient::new(Wire { client, signer, store }))
    }
}

#[derive(Debug)]
struct Wire {
    client: HttpClient,
    signer: Arc<OnceLock<Signer>>,
    store: Option<String>,
}

/// Marks a request that is for the store wherever it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForTheStore;

impl Wire {
    /// Requests for credentials go over a line of the same making, and must not see what is added.
    fn is_for_the_store(&self, request: &HttpRequest) -> bool {
        let host = request.uri().authority().map(|host| host.as_str());
        request.extensions().get::<ForTheStore>().is_some()
            || (self.store.is_some() && self.store.as_deref() == host)
            || ["x-amz-content-sha256", "x-ms-version"]
                .iter()
                .any(|name| request.headers().contains_key(*name))
    }

    async fn add(&self, request: &mut HttpRequest, extra: &Extra) -> Result<(), HttpError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            HttpError::new_boxed(HttpErrorKind::Unknown, error)
        };
        for (name, value) in &extra.headers {
            let value = HeaderValue::from_str(value).map_err(|error| failed(error.into()))?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        if let Some((name, value)) = &extra.query {
            let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            let mark = if request.uri().query().is_some() { '&' } else { '?' };
            let uri = format!("{}{mark}{name}={value}", request.uri());
            *request.uri_mut() = uri.parse().map_err(|_| failed("an address cannot be made".into()))?;
        }
        match self.signer.get() {
            Some(signer) => signer.sign(request).await.map_err(|error| failed(error.into())),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl HttpService for Wire {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let Ok(call) = CALL.try_with(Arc::clone) else { return self.client.execute(request).await };
        if !self.is_for_the_store(&request) {
            let answered = self.client.execute(request).await;
            if !answered.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                call.note(Ended::NoCredentials);
            }
            return answered;
        }
        if !call.extra.is_empty() {
            self.add(&mut request, &call.extra).await?;
        }
        let is_batch = request.uri().query().is_some_and(|query| query.contains("comp=batch"));
        let answered = self.client.execute(request).await.inspect_err(|error| {
            call.note(Ended::Broken { kind: error.kind(), certificate: speaks_of_a_certificate(error) });
        })?;
        let (head, body) = answered.into_parts();
        let mut answer =
            Answer { status: head.status.as_u16(), headers: head.headers.clone(), body: Bytes::new() };
        if head.status.is_success() && is_batch {
            let body = body.bytes().await?;
            call.note(Ended::Answered(inside(answer, &body)));
            return Ok(HttpResponse::from_parts(head, HttpResponseBody::from(body)));
        }
        if head.status.is_success() {
            call.note(Ended::Answered(answer));
            return Ok(HttpResponse::from_parts(head, body));
        }
        answer.body = body.bytes().await?;
        call.note(Ended::Answered(answer.clone()));
        Ok(HttpResponse::from_parts(head, HttpResponseBody::from(answer.body)))
    }
}

/// Azure removes a blob by a batch of one: what became of it stands in the body ("Blob Batch"), not in the
/// status of the whole.
fn inside(whole: Answer, body: &Bytes) -> Answer {
    let text = String::from_utf8_lossy(body);
    let mut lines = text.lines().skip_while(|line| !line.starts_with("HTTP/1.1 "));
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let Some(status) = status else { return whole };
    let code = lines.take_while(|line| !line.trim().is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-ms-error-code").then(|| HeaderValue::from_str(value.trim()).ok())?
    });
    let mut answer = Answer { status, ..whole };
    if let Some(code) = code {
        answer.headers.insert("x-ms-error-code", code);
    }
    answer
}

fn speaks_of_a_certificate(error: &HttpError) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error.to_string().contains("certificate") {
            return true;
        }
        source = error.source();
    }
    false
}

/// Times that a line is given.
pub(super) fn options(plain: bool) -> ClientOptions {
    // Whoever comes first installs it; it is the same one everywhere.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    ClientOptions::new()
        .with_allow_http(plain)
        .with_connect_timeout(Duration::from_secs(15))
        // Until the answer begins it counts from the beginning of the request: two parts of 8 MiB at once have
        // to be through by then, also on a line of 256 kbit/s.
        .with_read_timeout(Duration::from_secs(600))
        // A large answer may take longer, as long as something comes.
        .with_timeout_disabled()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_the_one_blob_of_a_batch_is_what_counts() {
        let whole = Answer { status: 202, headers: HeaderMap::new(), body: Bytes::new() };
        let body = "--b\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\nHTTP/1.1 409 This blob is immutable.\r\n\
                    x-ms-error-code: BlobImmutableDueToPolicy\r\nContent-Length: 0\r\n\r\n--b--\r\n";
        let answer = inside(whole.clone(), &Bytes::from(body));
        assert_eq!(
            (answer.status, answer.header("x-ms-error-code")),
            (409, Some("BlobImmutableDueToPolicy"))
        );
        assert_eq!(inside(whole, &Bytes::from("nothing of the kind")).status, 202);
    }
}
