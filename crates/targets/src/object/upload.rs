//! A large object is uploaded in parts, and gone on with after a restart.
//!
//! Order, and what a crash leaves behind:
//! 1. the upload is opened and its id bookmarked. Crash before that: an upload without parts, which nobody
//!    knows of; the bucket's rule for unfinished uploads removes it;
//! 2. part after part is brought and bookmarked. Crash: the next attempt brings those that are not;
//! 3. the upload is completed, never over another object. Crash: the next attempt finds the object, and the
//!    bookmark is forgotten.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream::FuturesOrdered};
use object_store::{PutPayload, multipart::PartId, path::Path};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use super::{Bucket, STORING, fault::Refusal, line::Extra, session};
use crate::{Content, ErrorKind, Reader, TargetError, content::BLOCK};

/// Bytes of a part, and of the largest object that travels in one request. S3 takes 10,000 parts: 80 GiB.
pub(super) const PART: u64 = 8 * 1024 * 1024;

/// Parts under way at once.
const AHEAD: usize = 2;

/// What is bookmarked.
#[derive(Debug, Serialize, Deserialize)]
struct LeftOff {
    key: String,
    sha256: String,
    part: u64,
    id: String,
    parts: Vec<String>,
}

/// How an upload ended.
pub(super) enum Uploaded {
    /// The object stands there.
    Done,
    /// Another has the name.
    Taken,
    /// What was left of an earlier attempt is gone: it must begin anew.
    Gone,
}

/// Uploads `content`; over another object only if `over` says so.
pub(super) async fn upload(
    bucket: &Bucket,
    key: &Path,
    content: &Content,
    over: bool,
) -> Result<Uploaded, TargetError> {
    if let Some(sessions) = &bucket.sessions {
        return session::upload(bucket, sessions, key, content, over).await;
    }
    let mut left = match left_off(bucket, key, content).await {
        Some(left) => left,
        None => {
            let opened = bucket.ask(bucket.locked_by(content), bucket.store.create_multipart(key)).await;
            let id = opened.map_err(|refusal| bucket.fault(STORING, &refusal))?.0;
            let sha256 = hex::encode(content.sha256());
            let left = LeftOff { key: key.to_string(), sha256, part: PART, id, parts: Vec::new() };
            keep(content, &left).await;
            left
        }
    };
    let brought = match bring(bucket, key, content, &mut left).await {
        Ok(brought) => brought,
        Err(error) => {
            // What is wrong must not be gone on with.
            if error.kind() == ErrorKind::Source {
                give_up(bucket, content).await;
            }
            return Err(error);
        }
    };
    if let Brought::Refused(refusal) = brought {
        return ended(bucket, content, refusal).await;
    }
    let parts = left.parts.iter().map(|id| PartId { content_id: id.clone() }).collect();
    let mut extra = bucket.locked_at_completion(content);
    if !over {
        // RFC 9110, 13.1.2: nothing may stand there.
        extra = extra.and("if-none-match", "*");
    }
    match bucket.ask(extra, bucket.store.complete_multipart(key, &left.id, parts)).await {
        Ok(_) => {
            content.bookmark().keep(None).await;
            Ok(Uploaded::Done)
        }
        Err(refusal) => ended(bucket, content, refusal).await,
    }
}

async fn ended(bucket: &Bucket, content: &Content, refusal: Refusal) -> Result<Uploaded, TargetError> {
    if refusal.is_upload_gone() {
        content.bookmark().keep(None).await;
        return Ok(Uploaded::Gone);
    }
    if refusal.is_taken() {
        give_up(bucket, content).await;
        return Ok(Uploaded::Taken);
    }
    Err(bucket.fault(STORING, &refusal))
}

/// Gives up what an earlier attempt left, so that nobody pays for it.
pub(super) async fn give_up(bucket: &Bucket, content: &Content) {
    if let Some(sessions) = &bucket.sessions {
        return session::give_up(bucket, sessions, content).await;
    }
    let Some(left) = load(content).await else { return };
    if let Ok(key) = Path::parse(&left.key) {
        let aborted = bucket.ask(Extra::default(), bucket.store.abort_multipart(&key, &left.id)).await;
        if let Err(refusal) = aborted
            && !refusal.is_upload_gone()
        {
            let error = bucket.fault("giving up an upload", &refusal);
            tracing::debug!(%error, "an unfinished upload stays; the rule of the bucket has to remove it");
        }
    }
    content.bookmark().keep(None).await;
}

async fn left_off(bucket: &Bucket, key: &Path, content: &Content) -> Option<LeftOff> {
    let left = load(content).await?;
    let count = content.size().div_ceil(PART);
    let same = left.key == key.as_ref()
        && left.sha256 == hex::encode(content.sha256())
        && left.part == PART
        && left.parts.len() as u64 <= count;
    if !same {
        give_up(bucket, content).await;
    }
    same.then_some(left)
}

async fn load(content: &Content) -> Option<LeftOff> {
    serde_json::from_str(&content.bookmark().load().await?).ok()
}

async fn keep(content: &Content, left: &LeftOff) {
    let text = serde_json::to_string(left).expect("texts and numbers are always JSON");
    content.bookmark().keep(Some(&text)).await;
}

enum Brought {
    All,
    Refused(Refusal),
}

/// Brings the parts that are missing, a few at once; each is bookmarked once all before it are there.
async fn bring(
    bucket: &Bucket,
    key: &Path,
    content: &Content,
    left: &mut LeftOff,
) -> Result<Brought, TargetError> {
    let (first, count) = (left.parts.len() as u64, content.size().div_ceil(PART));
    let id = left.id.clone();
    let mut source = Source::open(content, (first * PART).min(content.size())).await?;
    let mut under_way = FuturesOrdered::new();
    let mut next = first;
    loop {
        while next < count && under_way.len() < AHEAD {
            let payload = PutPayload::from(source.next(next + 1 == count).await?);
            let (id, number) = (&id, usize::try_from(next).unwrap_or(usize::MAX));
            under_way.push_back(async move {
                let put = bucket.store.put_part(key, id, number, payload);
                bucket.ask(Extra::default(), put).await
            });
            next += 1;
        }
        match under_way.next().await {
            None => return Ok(Brought::All),
            Some(Ok((part, _))) => {
                left.parts.push(part.content_id);
                keep(content, left).await;
            }
            Some(Err(refusal)) => return Ok(Brought::Refused(refusal)),
        }
    }
}

/// Content part by part, held against its size and, all of it, against its hash.
pub(super) struct Source<'a> {
    content: &'a Content,
    from: Reader,
    hash: Sha256,
    position: u64,
}

impl<'a> Source<'a> {
    /// From `offset` (bytes) on; what lies before it is only looked at, for the hash.
    pub(super) async fn open(content: &'a Content, offset: u64) -> Result<Self, TargetError> {
        let mut hash = Sha256::new();
        if offset > 0 {
            let mut before = content.look(0).await.map_err(TargetError::source_unreadable)?.take(offset);
            let mut block = vec![0; BLOCK];
            loop {
                let read = before.read(&mut block).await.map_err(TargetError::source_unreadable)?;
                if read == 0 {
                    break;
                }
                hash.update(&block[..read]);
            }
        }
        let from = content.open(offset).await.map_err(TargetError::source_unreadable)?;
        Ok(Self { content, from, hash, position: offset })
    }

    /// The next part; the `last` only if all of the content was as it should be.
    pub(super) async fn next(&mut self, last: bool) -> Result<Bytes, TargetError> {
        let length = PART.min(self.content.size() - self.position);
        let part = exactly(&mut self.from, length).await?;
        self.hash.update(&part);
        self.position += length;
        if last {
            let mut more = [0];
            let read = self.from.read(&mut more).await.map_err(TargetError::source_unreadable)?;
            let hash = <[u8; 32]>::from(std::mem::take(&mut self.hash).finalize());
            if read > 0 || hash != *self.content.sha256() {
                return Err(TargetError::source_changed());
            }
        }
        Ok(part)
    }
}

/// So many bytes; fewer are a fault of the source.
async fn exactly(from: &mut Reader, length: u64) -> Result<Bytes, TargetError> {
    let room = usize::try_from(length).map_err(|_| TargetError::source_changed())?;
    let mut part = BytesMut::with_capacity(room);
    let mut limited = from.take(length);
    while part.len() < room {
        if limited.read_buf(&mut part).await.map_err(TargetError::source_unreadable)? == 0 {
            return Err(TargetError::source_changed());
        }
    }
    Ok(part.freeze())
}
