//! Bringing a file into the drive.

mod flow;
mod session;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use reqwest::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use super::{
    OneDrive, fault,
    item::Item,
    quick_xor::{self, QuickXor},
};
use crate::{
    Content, Digest, ErrorKind, Method as VerifyMethod, Put, TargetError, content::BLOCK, files::MOST_ASIDE,
    names,
};

/// What is at most this long goes by one request.
const SMALL: u64 = 4 * 1024 * 1024;
/// A line that takes fewer bytes a second stands still.
const SLOWEST: u64 = 8 * 1024;
/// How many hashes are remembered: those of the recordings that are on their way.
const MOST_KNOWN: usize = 4_096;

/// What happens when a file of the name is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnConflict {
    Fail,
    Replace,
}

impl OnConflict {
    /// Graph's word.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Replace => "replace",
        }
    }
}

/// Something else has the name.
#[derive(Debug)]
pub(super) struct NameTaken;

/// What was sent by this process: hashes of the server by our own.
#[derive(Default)]
pub(super) struct Known(Mutex<(HashMap<Digest, Hash>, VecDeque<Digest>)>);

type Hash = [u8; quick_xor::LENGTH];

impl Known {
    fn lock(&self) -> MutexGuard<'_, (HashMap<Digest, Hash>, VecDeque<Digest>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, sha256: &Digest) -> Option<Hash> {
        self.lock().0.get(sha256).copied()
    }

    fn add(&self, sha256: &Digest, hash: Hash) {
        let mut known = self.lock();
        if known.0.insert(*sha256, hash).is_none() {
            known.1.push_back(*sha256);
        }
        if known.1.len() > MOST_KNOWN
            && let Some(oldest) = known.1.pop_front()
        {
            known.0.remove(&oldest);
        }
    }
}

/// What is known of a content before it is sent.
pub(super) struct Measured {
    hash: Hash,
    /// All of it, if it goes by one request.
    bytes: Option<Bytes>,
}

/// Reads the content once: it must be what was sealed, and its hash by the server's method.
pub(super) async fn measure(content: &Content) -> Result<Measured, TargetError> {
    let small = content.size() <= SMALL;
    // What is read for its hashes alone is no transfer, and no limit of bandwidth holds it.
    let opened = if small { content.open(0).await } else { content.look(0).await };
    let mut reader = opened.map_err(TargetError::source_unreadable)?;
    let (mut sha256, mut quick_xor, mut size) = (Sha256::new(), QuickXor::new(), 0);
    let (mut kept, mut block) = (Vec::new(), vec![0; BLOCK]);
    loop {
        let read = reader.read(&mut block).await.map_err(TargetError::source_unreadable)?;
        if read == 0 {
            break;
        }
        size += read as u64;
        if size > content.size() {
            return Err(TargetError::source_changed());
        }
        sha256.update(&block[..read]);
        quick_xor.update(&block[..read]);
        if small {
            kept.extend_from_slice(&block[..read]);
        }
    }
    let same = size == content.size() && <Digest>::from(sha256.finalize()) == *content.sha256();
    let measured = Measured { hash: quick_xor.finish(), bytes: small.then(|| kept.into()) };
    if same { Ok(measured) } else { Err(TargetError::source_changed()) }
}

impl OneDrive {
    /// See [`Target::put`](crate::Target::put).
    pub(super) async fn put_aside_of_others(
        &self,
        folder: &str,
        name: &str,
        content: &Content,
    ) -> Result<Put, TargetError> {
        let (_, drive) = self.drive().await?;
        let folder = drive.path(folder.trim_matches('/'));
        drive.check(&names::join(&folder, name))?;
        let measured = measure(content).await?;
        for number in 1..=MOST_ASIDE {
            let name = if number == 1 { name.to_owned() } else { names::aside(name, number) };
            let path = names::join(&folder, &name);
            drive.check(&path)?;
            // A large file is not sent to find out that its name is taken.
            let mut taken = content.size() > SMALL && self.item("looking for a file", &path).await?.is_some();
            if !taken {
                match self.store(&folder, &path, content, &measured, OnConflict::Fail).await? {
                    Ok(()) => {
                        return Ok(Put::written(name, number > 1));
                    }
                    Err(NameTaken) => taken = true,
                }
            }
            if taken && self.is_there_already(&path, content, &measured.hash).await? {
                self.known.add(content.sha256(), measured.hash);
                content.bookmark().keep(None).await;
                // Its hash is no cryptographic one: it was read back, too.
                return Ok(Put::there_already(name, VerifyMethod::ReadBack));
            }
        }
        Err(TargetError::no_name_left())
    }

    /// Whether what stands at `path` is this content. Size and the server's hash only tell what is
    /// certainly another: the rest is read back.
    async fn is_there_already(
        &self,
        path: &str,
        content: &Content,
        hash: &Hash,
    ) -> Result<bool, TargetError> {
        let Some(item) = self.item("looking for a file", path).await? else { return Ok(false) };
        let other = !item.is_file()
            || item.size != content.size()
            || item.quick_xor().is_some_and(|stored| stored != *hash);
        if other { Ok(false) } else { self.is(path, content.size(), content.sha256()).await }
    }

    /// Brings the content to `path` in `folder` (both in the drive), where it must be as measured.
    pub(super) async fn store(
        &self,
        folder: &str,
        path: &str,
        content: &Content,
        measured: &Measured,
        on_conflict: OnConflict,
    ) -> Result<Result<(), NameTaken>, TargetError> {
        self.make_folder(folder).await?;
        let item = match &measured.bytes {
            Some(bytes) => self.send_small(folder, path, bytes, on_conflict).await?,
            None => self.send_in_ranges(folder, path, content, on_conflict).await?,
        };
        let item = match item {
            Ok(item) => item,
            Err(taken) => return Ok(Err(taken)),
        };
        let differs =
            item.size != content.size() || item.quick_xor().is_some_and(|stored| stored != measured.hash);
        if differs {
            return Err(self.take_back(&item, on_conflict).await);
        }
        // An item whose hash the server has not yet computed is read back when it is verified.
        self.known.add(content.sha256(), measured.hash);
        Ok(Ok(()))
    }

    async fn send_small(
        &self,
        folder: &str,
        path: &str,
        bytes: &Bytes,
        on_conflict: OnConflict,
    ) -> Result<Result<Item, NameTaken>, TargetError> {
        let doing = "storing a file";
        let (graph, drive) = self.drive().await?;
        let mut url = drive.url(graph, path, Some("content"));
        // As Microsoft writes it, with nothing escaped: what is not understood would mean "replace".
        url.set_query(Some(&format!("@microsoft.graph.conflictBehavior={}", on_conflict.as_str())));
        // A line that is slow, but moves, is no stall.
        let limit = self.access.patience.stall + Duration::from_secs(bytes.len() as u64 / SLOWEST);
        let put = async || {
            graph
                .ask(doing, Method::PUT, &url, |request| {
                    let request = request.timeout(limit);
                    request
                        .header(reqwest::header::CONTENT_TYPE, "application/octet-stream")
                        .body(bytes.clone())
                })
                .await
        };
        let mut answer = put().await?;
        if answer.status == StatusCode::NOT_FOUND {
            // Somebody has removed a folder that was there.
            self.folders.forget();
            self.make_folder(folder).await?;
            answer = put().await?;
        }
        match answer.status {
            status if status.is_success() => answer.json(doing).map(Ok),
            StatusCode::CONFLICT => Ok(Err(NameTaken)),
            _ => Err(fault::refused(doing, &answer)),
        }
    }

    /// The server has stored something else than it was sent. What was just made is removed again, so
    /// that the next attempt finds the name free.
    async fn take_back(&self, item: &Item, on_conflict: OnConflict) -> TargetError {
        let text = "OneDrive says that it stored something else than it was sent";
        let error = TargetError::new(ErrorKind::Io, text);
        if on_conflict == OnConflict::Replace {
            return error;
        }
        let removed = async {
            let (graph, drive) = self.drive().await?;
            let url = drive.by_id(graph, &item.id);
            graph.ask("removing a damaged file", Method::DELETE, &url, |request| request).await
        };
        match removed.await {
            Ok(answer) if answer.status.is_success() => error,
            Ok(answer) => error.caused_by(answer.said()),
            Err(cause) => error.caused_by(cause),
        }
    }
}
