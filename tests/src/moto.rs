//! AWS that is not AWS': moto's server. KMS stands behind a turnstile that can turn requests away; S3 is
//! reached directly.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{ports, process::Process, programs, wait};

/// A KMS on loopback; it knows every identity and keeps its keys in memory.
#[derive(Debug)]
pub struct Moto {
    url: String,
    credentials: PathBuf,
    turnstile: Arc<Turnstile>,
    _process: Process,
    serving: JoinHandle<()>,
}

/// What stands before moto.
#[derive(Debug)]
struct Turnstile {
    moto: u16,
    state: Mutex<Passed>,
}

#[derive(Debug, Default)]
struct Passed {
    refusals: VecDeque<(u16, String)>,
    operations: Vec<(String, u16)>,
}

impl Moto {
    /// Starts the server on a free port.
    ///
    /// # Errors
    /// moto is missing or does not come up.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        let modules = programs::workspace().join(".tools/moto");
        ensure!(modules.join("moto").is_dir(), "moto is missing: scripts/install-tools.sh test installs it");
        let moto = ports::claim()?;
        let mut command = Command::new("python3");
        // What it loads of the sources leaves nothing beside them.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("PYTHONPATH", modules).arg(programs::workspace().join("tests/moto/kms.py"));
        command.args(["-H", "127.0.0.1", "-p", &moto.to_string()]);
        let process = Process::start("moto", dir, &mut command)?;
        let connected = wait::until("moto's server", Duration::from_secs(60), async || {
            TcpStream::connect(("127.0.0.1", moto)).await.ok()
        });
        connected.await.with_context(|| process.output())?;
        let credentials = dir.join("credentials");
        fs::write(&credentials, "[default]\naws_access_key_id = test\naws_secret_access_key = test\n")?;
        let turnstile = Arc::new(Turnstile { moto, state: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(pass).with_state(turnstile.clone());
        let serving = tokio::spawn(async move {
            // Ends with the runtime of the test.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { url, credentials, turnstile, _process: process, serving })
    }

    /// What `--aws-endpoint` takes.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where S3 listens on 127.0.0.1, buckets being the first level of the path. Any key is taken.
    pub fn s3_port(&self) -> u16 {
        self.turnstile.moto
    }

    /// Makes a bucket in `us-east-1`; one with `locks` has Object Lock and keeps versions.
    ///
    /// # Errors
    /// moto refuses.
    pub async fn make_bucket(&self, name: &str, locks: bool) -> anyhow::Result<()> {
        let locks = if locks { "true" } else { "false" };
        let headers = [("x-amz-bucket-object-lock-enabled", locks)];
        self.s3("PUT", &format!("/{name}"), &headers, b"").await.map(|_| ())
    }

    /// Asks S3 as somebody else would: method, path with its query, headers, body; the answer's body.
    ///
    /// # Errors
    /// moto refuses.
    pub async fn s3(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> anyhow::Result<Vec<u8>> {
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            sent.insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        let identity = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x";
        sent.insert("authorization", HeaderValue::from_static(identity));
        let method = Method::from_bytes(method.as_bytes())?;
        let (status, _, answered) = self.turnstile.forward(&method, path, &sent, body).await?;
        ensure!((200..300).contains(&status), "{method}: {status} {}", String::from_utf8_lossy(&answered));
        Ok(answered)
    }

    /// A header that S3 answers with when it is asked about an object, as somebody else would: its path from
    /// the bucket on, and the header's name.
    ///
    /// # Errors
    /// There is no such object.
    pub async fn s3_header(&self, path: &str, name: &str) -> anyhow::Result<Option<String>> {
        let mut sent = HeaderMap::new();
        let identity = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x";
        sent.insert("authorization", HeaderValue::from_static(identity));
        let (status, headers, _) = self.turnstile.forward(&Method::HEAD, path, &sent, b"").await?;
        ensure!((200..300).contains(&status), "HEAD: {status}");
        Ok(headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned))
    }

    /// A file with credentials, for `--aws-credentials-file`.
    pub fn credentials(&self) -> &Path {
        &self.credentials
    }

    /// Turns the next request away with that status and error code; further calls, further requests.
    pub fn turn_away(&self, status: u16, code: &str) {
        self.turnstile.lock().refusals.push_back((status, code.to_owned()));
    }

    /// The operations that were asked for since the last call, each with the status it got.
    pub fn operations(&self) -> Vec<(String, u16)> {
        std::mem::take(&mut self.turnstile.lock().operations)
    }

    /// Carries an operation out as somebody else would: `DisableKey`.
    ///
    /// # Errors
    /// moto refuses.
    pub async fn administer(&self, operation: &str, request: &str) -> anyhow::Result<String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", HeaderValue::from_str(&format!("TrentService.{operation}"))?);
        headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.1"));
        let identity = "AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/kms/aws4_request, SignedHeaders=host, Signature=x";
        headers.insert("authorization", HeaderValue::from_static(identity));
        let (status, _, body) =
            self.turnstile.forward(&Method::POST, "/", &headers, request.as_bytes()).await?;
        let body = String::from_utf8(body)?;
        ensure!(status == 200, "{operation}: {status} {body}");
        Ok(body)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(
    State(turnstile): State<Arc<Turnstile>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.trim_start_matches("TrentService.").to_owned();
    let refusal = turnstile.lock().refusals.pop_front();
    let (status, answered, body) = match refusal {
        Some((status, code)) => {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static("application/x-amz-json-1.1"));
            (status, headers, format!(r#"{{"__type":"{code}","message":"turned away"}}"#).into_bytes())
        }
        None => turnstile
            .forward(&method, uri.path(), &headers, &body)
            .await
            .unwrap_or_else(|error| (502, HeaderMap::new(), format!("{error:#}").into_bytes())),
    };
    turnstile.lock().operations.push((operation, status));
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = answered;
    response
}

impl Turnstile {
    fn lock(&self) -> std::sync::MutexGuard<'_, Passed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request on a connection of its own, so that the answer ends where the connection does.
    async fn forward(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> anyhow::Result<(u16, HeaderMap, Vec<u8>)> {
        let mut moto = TcpStream::connect(("127.0.0.1", self.moto)).await?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        for (name, value) in
            headers.iter().filter(|(name, _)| !matches!(name.as_str(), "connection" | "content-length"))
        {
            head += &format!("{name}: {}\r\n", value.to_str()?);
        }
        if !headers.contains_key("host") {
            head += "host: 127.0.0.1\r\n";
        }
        head += &format!("content-length: {}\r\n\r\n", body.len());
        moto.write_all(head.as_bytes()).await?;
        moto.write_all(body).await?;
        let mut answer = Vec::new();
        moto.read_to_end(&mut answer).await?;
        let end =
            answer.windows(4).position(|four| four == b"\r\n\r\n").context("moto's answer is cut short")?;
        let head = std::str::from_utf8(&answer[..end])?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?.parse()?;
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let name = name.to_ascii_lowercase();
            if name.starts_with("x-amz") || name == "content-type" {
                headers.insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
            }
        }
        Ok((status, headers, answer[end + 4..].to_vec()))
    }
}
