//! A large object goes to Google in an upload session, and on after a restart.
//!
//! Google's uploads in parts know no conditions: completed, they take the place of whatever stands there.
//! Its sessions do (Cloud Storage, "Resumable uploads", by the XML API), so these are used.
//!
//! Order, and what a crash leaves behind:
//! 1. the session is opened under the condition that nothing has the name, and its address bookmarked. Crash
//!    before that: a session that nobody knows of; it ends by itself after a week;
//! 2. block after block is brought. Crash: the next attempt asks the session how far it has come;
//! 3. with the last block the object stands there, unless another has got the name meanwhile. Crash: the
//!    session says that it is complete.

use bytes::Bytes;
use object_store::{
    HeaderValue,
    client::{HttpClient, HttpRequest, HttpRequestBody},
    gcp::GcpCredentialProvider,
    path::Path,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName},
};
use serde::{Deserialize, Serialize};

use super::{
    Bucket, STORING,
    fault::Refusal,
    line::{self, Answer, Ended, Extra, ForTheStore},
    upload::{PART, Source, Uploaded},
};
use crate::{Content, ErrorKind, TargetError};

/// How often a session that broke is asked how far it has come, in one attempt.
const TRIES: u32 = 3;

/// Opens upload sessions and brings blocks.
#[derive(Debug)]
pub(super) struct Sessions {
    /// The line to the store.
    pub(super) client: HttpClient,
    /// Who says what lets us in.
    pub(super) credentials: GcpCredentialProvider,
    /// Address of the bucket, without `/` at its end.
    pub(super) bucket: String,
}

/// What is bookmarked. The session's address lets everybody write, as a password would.
#[derive(Debug, Serialize, Deserialize)]
struct LeftOff {
    key: String,
    sha256: String,
    session: String,
}

/// How far a session has come.
enum Reached {
    /// So many bytes are there.
    At(u64),
    /// The object stands there.
    All,
}

impl Sessions {
    /// The address of a new session.
    async fn start(&self, key: &Path, over: bool) -> Result<String, Refusal> {
        let token = line::call(Extra::default(), self.credentials.get_credential()).await;
        let token = match token {
            (Ok(token), _) => token,
            (Err(error), ended) => return Err(Refusal { ended, word: super::word(&error) }),
        };
        let name = utf8_percent_encode(key.as_ref(), NON_ALPHANUMERIC);
        let mut request = request(Method::POST, &format!("{}/{name}", self.bucket), Bytes::new())?;
        let header = request.headers_mut();
        header.insert(AUTHORIZATION, value(&format!("Bearer {}", token.bearer))?);
        header.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        header.insert(HeaderName::from_static("x-goog-resumable"), HeaderValue::from_static("start"));
        if !over {
            let nothing = HeaderValue::from_static("0");
            header.insert(HeaderName::from_static("x-goog-if-generation-match"), nothing);
        }
        let answer = self.send(request).await?;
        let address = answer.header("location").map(str::to_owned);
        match address.filter(|_| (200..300).contains(&answer.status)) {
            Some(address) => Ok(address),
            None => Err(refused(answer)),
        }
    }

    /// Brings a block, which begins at `offset` of `size` bytes.
    async fn bring(&self, session: &str, offset: u64, block: Bytes, size: u64) -> Result<Reached, Refusal> {
        let range = format!("bytes {offset}-{}/{size}", offset + block.len() as u64 - 1);
        self.put(session, &range, block, size).await
    }

    /// Asks how far a session has come.
    async fn ask(&self, session: &str, size: u64) -> Result<Reached, Refusal> {
        self.put(session, &format!("bytes */{size}"), Bytes::new(), size).await
    }

    async fn put(&self, session: &str, range: &str, block: Bytes, size: u64) -> Result<Reached, Refusal> {
        let mut request = request(Method::PUT, session, block)?;
        request.headers_mut().insert(CONTENT_RANGE, value(range)?);
        let answer = self.send(request).await?;
        match answer.status {
            200..300 => Ok(Reached::All),
            // Of a session that has nothing yet there is no range.
            308 => match answer.header("range") {
                None => Ok(Reached::At(0)),
                Some(range) => match range.rsplit('-').next().and_then(|last| last.parse::<u64>().ok()) {
                    Some(last) if last < size => Ok(Reached::At(last + 1)),
                    _ => Err(refused(answer)),
                },
            },
            _ => Err(refused(answer)),
        }
    }

    async fn end(&self, session: &str) -> Result<(), Refusal> {
        let answer = self.send(request(Method::DELETE, session, Bytes::new())?).await?;
        // 499 is Google's word for a session that its client has ended.
        if matches!(answer.status, 200..300 | 404 | 410 | 499) { Ok(()) } else { Err(refused(answer)) }
    }

    async fn send(&self, request: HttpRequest) -> Result<Answer, Refusal> {
        let (sent, ended) = line::call(Extra::default(), self.client.execute(request)).await;
        match (sent, ended) {
            (Ok(_), Ended::Answered(answer)) => Ok(answer),
            (_, ended) => Err(Refusal { ended, word: "no usable answer" }),
        }
    }
}

fn request(method: Method, address: &str, body: Bytes) -> Result<HttpRequest, Unusable> {
    let length = HeaderValue::from(body.len());
    let mut request = HttpRequest::new(HttpRequestBody::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = address.parse().map_err(|_| Unusable)?;
    request.headers_mut().insert(CONTENT_LENGTH, length);
    request.extensions_mut().insert(ForTheStore);
    Ok(request)
}

fn value(text: &str) -> Result<HeaderValue, Unusable> {
    HeaderValue::from_str(text).map_err(|_| Unusable)
}

/// An address or a header that HTTP does not know.
struct Unusable;

impl From<Unusable> for Refusal {
    fn from(Unusable: Unusable) -> Self {
        Self { ended: Ended::NotSent, word: "an address or a header cannot be made" }
    }
}

const fn refused(answer: Answer) -> Refusal {
    Refusal { ended: Ended::Answered(answer), word: "no usable answer" }
}

/// The session is not there any more.
fn is_gone(refusal: &Refusal) -> bool {
    matches!(&refusal.ended, Ended::Answered(answer) if matches!(answer.status, 404 | 410))
}

/// Uploads `content`; over another object only if `over` says so.
pub(super) async fn upload(
    bucket: &Bucket,
    sessions: &Sessions,
    key: &Path,
    content: &Content,
    over: bool,
) -> Result<Uploaded, TargetError> {
    let size = content.size();
    let (session, mut reached) = match left_off(bucket, sessions, key, content).await {
        Some(session) => {
            let reached = sessions.ask(&session, size).await;
            (session, reached)
        }
        None => match sessions.start(key, over).await {
            Ok(session) => {
                keep(key, content, &session).await;
                (session, Ok(Reached::At(0)))
            }
            Err(refusal) if !over && refusal.is_taken() => return Ok(Uploaded::Taken),
            Err(refusal) => return Err(bucket.fault(STORING, &refusal)),
        },
    };
    for attempt in 0.. {
        match reached {
            Ok(Reached::At(from)) if attempt < TRIES => {
                reached = match rest(sessions, &session, content, from).await {
                    Ok(reached) => reached,
                    Err(error) => {
                        // What is wrong must not be gone on with.
                        if error.kind() == ErrorKind::Source {
                            give_up(bucket, sessions, content).await;
                        }
                        return Err(error);
                    }
                };
                // It may have taken in more than it could still say.
                if matches!(&reached, Err(Refusal { ended: Ended::Broken { .. }, .. })) {
                    reached = sessions.ask(&session, size).await;
                }
            }
            Ok(Reached::At(_)) => {
                let text =
                    format!("{STORING} in {} failed: it does not take in what is brought", bucket.place);
                return Err(TargetError::new(ErrorKind::Io, text));
            }
            Ok(Reached::All) => {
                content.bookmark().keep(None).await;
                return Ok(Uploaded::Done);
            }
            Err(refusal) if is_gone(&refusal) => {
                content.bookmark().keep(None).await;
                return Ok(Uploaded::Gone);
            }
            Err(refusal) if !over && refusal.is_taken() => {
                give_up(bucket, sessions, content).await;
                return Ok(Uploaded::Taken);
            }
            Err(refusal) => return Err(bucket.fault(STORING, &refusal)),
        }
    }
    unreachable!("the attempts are counted")
}

/// Brings what lies behind `from`, block by block, until the session says something else than that it
/// has all of it.
async fn rest(
    sessions: &Sessions,
    session: &str,
    content: &Content,
    from: u64,
) -> Result<Result<Reached, Refusal>, TargetError> {
    let (mut at, size) = (from, content.size());
    let mut source = Source::open(content, from).await?;
    while at < size {
        let end = (at + PART).min(size);
        let block = source.next(end == size).await?;
        match sessions.bring(session, at, block, size).await {
            Ok(Reached::At(reached)) if reached == end => at = end,
            other => return Ok(other),
        }
    }
    Ok(Ok(Reached::At(at)))
}

/// Ends the session that an earlier attempt left.
pub(super) async fn give_up(bucket: &Bucket, sessions: &Sessions, content: &Content) {
    let Some(left) = load(content).await else { return };
    if let Err(refusal) = sessions.end(&left.session).await {
        let error = bucket.fault("giving up an upload", &refusal);
        tracing::debug!(%error, "an upload session stays; it ends by itself after a week");
    }
    content.bookmark().keep(None).await;
}

async fn left_off(bucket: &Bucket, sessions: &Sessions, key: &Path, content: &Content) -> Option<String> {
    let left = load(content).await?;
    let same = left.key == key.as_ref() && left.sha256 == hex::encode(content.sha256());
    if !same {
        give_up(bucket, sessions, content).await;
    }
    same.then_some(left.session)
}

async fn load(content: &Content) -> Option<LeftOff> {
    serde_json::from_str(&content.bookmark().load().await?).ok()
}

async fn keep(key: &Path, content: &Content, session: &str) {
    let sha256 = hex::encode(content.sha256());
    let left = LeftOff { key: key.to_string(), sha256, session: session.to_owned() };
    let text = serde_json::to_string(&left).expect("texts are always JSON");
    content.bookmark().keep(Some(&text)).await;
}
