//! OneDrive and SharePoint over Microsoft Graph (F-76).
//!
//! A file appears under its name in one step, when its last byte is there: by one request up to 4 MiB,
//! else by an upload session whose URL is the bookmark. The server tells the QuickXorHash of what it
//! stored, and it is compared with that of what was sent. That hash is a checksum which anybody can
//! forge, so a file that stands there already is read back before it counts as the same.
//!
//! Order, and what a crash leaves behind:
//! 1. the content is read once and its hashes are taken: nothing;
//! 2. folders are made level by level: empty folders;
//! 3. the session is made and its URL kept: a session that ends by itself after some days, or is gone
//!    on with;
//! 4. the ranges are sent; with the last one the file is there: the next attempt finds it, reads it
//!    back, and is done.

mod drive;
mod fault;
mod folders;
mod http;
mod item;
mod label;
mod quick_xor;
mod secrets;
pub mod sign_in;
mod upload;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{ResourceName, resources::OneDriveTarget};
use futures::TryStreamExt as _;
use reqwest::{Client, Method, StatusCode};
use tokio::sync::OnceCell;
use tokio_util::io::StreamReader;

pub use http::{builder as http_builder, client as http_client};

use crate::{
    Content, Digest, ErrorKind, Expiry, Listed, Method as VerifyMethod, Put, Reader, Target, TargetError,
    Verified, content::measure, names,
};
use drive::Found;
use folders::Folders;
use http::Graph;
use item::{FIELDS, Item, Page};
use sign_in::{LoginStore, Tokens};
use upload::{Known, NameTaken};

/// What the target uses to get there.
#[derive(Clone)]
pub struct Access {
    /// The client; `None`: the usual one is made at the first use.
    pub http: Option<Client>,
    /// Where logins of users are kept.
    pub logins: Arc<dyn LoginStore>,
    /// How long it waits for what.
    pub patience: Patience,
}

/// How long is waited, and how often tried, within one put.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A connection on which nothing moves for so long is given up.
    pub stall: Duration,
    /// Pause before a range of an upload is tried again; twice as long each further time.
    pub pause: Duration,
    /// How often a range is tried before the put fails; the next put goes on with it.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stall: Duration::from_secs(120), pause: Duration::from_secs(1), tries: 4 }
    }
}

/// A folder in a drive of Microsoft 365 as a target.
pub struct OneDrive {
    name: ResourceName,
    target: OneDriveTarget,
    access: Access,
    graph: OnceCell<Graph>,
    drive: OnceCell<Found>,
    folders: Folders,
    known: Known,
}

impl OneDrive {
    /// The target called `name`; Microsoft is contacted at the first use.
    pub fn new(name: ResourceName, target: OneDriveTarget, access: Access) -> Self {
        Self {
            name,
            target,
            access,
            graph: OnceCell::new(),
            drive: OnceCell::new(),
            folders: Folders::default(),
            known: Known::default(),
        }
    }

    async fn graph(&self) -> Result<&Graph, TargetError> {
        let make = || async {
            let http = match &self.access.http {
                Some(http) => http.clone(),
                None => http::client()?,
            };
            let (login, cloud) = (&self.target.login, self.target.cloud);
            let tokens = Tokens::new(login, cloud, &self.name, &http, &self.access.logins)?;
            Ok(Graph { http, cloud, tokens: Arc::new(tokens) })
        };
        self.graph.get_or_try_init(make).await
    }

    async fn drive(&self) -> Result<(&Graph, &Found), TargetError> {
        let graph = self.graph().await?;
        let find = || Found::find(graph, &self.target.drive, &self.target.path);
        Ok((graph, self.drive.get_or_try_init(find).await?))
    }

    /// The item at `path` (in the drive), if there is one.
    async fn item(&self, doing: &str, path: &str) -> Result<Option<Item>, TargetError> {
        let (graph, drive) = self.drive().await?;
        let mut url = drive.url(graph, path, None);
        url.set_query(Some(&format!("$select={FIELDS}")));
        let answer = graph.get(doing, &url).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => answer.json(doing).map(Some),
            _ => Err(fault::refused(doing, &answer)),
        }
    }

    /// Opens the content of the file at `path` (in the drive).
    async fn read(&self, doing: &'static str, path: &str) -> Result<Option<Reader>, TargetError> {
        let (graph, drive) = self.drive().await?;
        let answer = graph.get_location(doing, &drive.url(graph, path, Some("content"))).await?;
        let Some(response) = answer else { return Ok(None) };
        let stall = self.access.patience.stall;
        let parts = futures::stream::try_unfold(response, move |mut response| async move {
            let silent = || std::io::Error::from(std::io::ErrorKind::TimedOut);
            let part = tokio::time::timeout(stall, response.chunk()).await.map_err(|_| silent())?;
            let part = part.map_err(|error| std::io::Error::other(error.without_url()))?;
            Ok::<_, std::io::Error>(part.map(|part| (part, response)))
        });
        Ok(Some(Box::pin(StreamReader::new(Box::pin(parts.into_stream())))))
    }

    /// Whether the file at `path` is this content, by all of its bytes.
    async fn is(&self, path: &str, size: u64, sha256: &Digest) -> Result<bool, TargetError> {
        let doing = "reading a file back";
        let Some(reader) = self.read(doing, path).await? else { return Ok(false) };
        let found = measure(reader).await.map_err(|error| {
            TargetError::new(ErrorKind::Unreachable, format!("{doing}: the connection to Microsoft broke"))
                .caused_by(error)
        })?;
        Ok(found == (size, *sha256))
    }
}

#[async_trait]
impl Target for OneDrive {
    async fn put(&self, folder: &str, name: &str, content: &Content) -> Result<Put, TargetError> {
        self.put_aside_of_others(folder, name, content).await
    }

    async fn verify(
        &self,
        folder: &str,
        name: &str,
        size: u64,
        sha256: &Digest,
    ) -> Result<Verified, TargetError> {
        let (_, drive) = self.drive().await?;
        let path = drive.path(&names::join(folder, name));
        let Some(item) = self.item("verifying a file", &path).await? else {
            return Err(TargetError::gone());
        };
        let same = match (self.known.get(sha256), item.quick_xor()) {
            _ if item.size != size => None,
            (Some(sent), Some(stored)) => {
                (sent == stored).then_some(VerifyMethod::ServerHash("quickXorHash"))
            }
            // Nobody has told the hash: it was put by a process that has ended since.
            _ => self.is(&path, size, sha256).await?.then_some(VerifyMethod::ReadBack),
        };
        same.map(|method| Verified { method }).ok_or_else(TargetError::changed)
    }

    async fn replace(&self, folder: &str, name: &str, content: &Content) -> Result<(), TargetError> {
        let (_, drive) = self.drive().await?;
        let folder = drive.path(folder.trim_matches('/'));
        let path = names::join(&folder, name);
        drive.check(&path)?;
        let measured = upload::measure(content).await?;
        match self.store(&folder, &path, content, &measured, upload::OnConflict::Replace).await? {
            Ok(()) => Ok(()),
            Err(NameTaken) => Err(TargetError::new(
                ErrorKind::Conflict,
                "a folder has the name that a file of the archive should have; look why, and move it away",
            )),
        }
    }

    async fn list(&self, folder: &str) -> Result<Vec<Listed>, TargetError> {
        let doing = "listing a folder";
        let (graph, drive) = self.drive().await?;
        let mut url = drive.url(graph, &drive.path(folder.trim_matches('/')), Some("children"));
        url.set_query(Some(&format!("$select={FIELDS}&$top=1000")));
        let (mut listed, mut next) = (Vec::new(), Some(url));
        while let Some(url) = next {
            let answer = graph.get(doing, &url).await?;
            match answer.status {
                StatusCode::NOT_FOUND => return Ok(Vec::new()),
                status if status.is_success() => {}
                _ => return Err(fault::refused(doing, &answer)),
            }
            let page: Page<Item> = answer.json(doing)?;
            listed.extend(page.value.into_iter().filter_map(Item::listed));
            next = match page.next {
                None => None,
                Some(link) => Some(graph.next_page(&link).ok_or_else(|| {
                    TargetError::new(ErrorKind::Io, format!("{doing}: OneDrive leads to another server"))
                })?),
            };
        }
        Ok(listed)
    }

    async fn open(&self, folder: &str, name: &str) -> Result<Option<Reader>, TargetError> {
        let (_, drive) = self.drive().await?;
        self.read("opening a file", &drive.path(&names::join(folder, name))).await
    }

    async fn remove(&self, folder: &str, name: &str) -> Result<(), TargetError> {
        let doing = "removing a file";
        let (graph, drive) = self.drive().await?;
        let path = drive.path(&names::join(folder, name));
        let url = drive.url(graph, &path, None);
        let answer = graph.ask(doing, Method::DELETE, &url, |request| request).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            StatusCode::FORBIDDEN if label::keeps(graph, drive, &path).await => {
                let text = format!("{doing}: its retention label keeps it");
                Err(TargetError::new(ErrorKind::Locked, text).caused_by(answer.said()))
            }
            _ => Err(fault::refused(doing, &answer)),
        }
    }

    async fn complete(&self, folder: &str, names: &[String]) -> Result<(), TargetError> {
        let Some(label) = &self.target.retention_label else { return Ok(()) };
        let (graph, drive) = self.drive().await?;
        for name in names {
            label::set(graph, drive, &drive.path(&names::join(folder, name)), label).await?;
        }
        Ok(())
    }

    async fn web_link(&self, folder: &str) -> Result<Option<String>, TargetError> {
        let (_, drive) = self.drive().await?;
        let item = self.item("looking for a folder", &drive.path(folder.trim_matches('/'))).await?;
        Ok(item.and_then(|item| item.web_url))
    }

    async fn expiries(&self) -> Result<Vec<Expiry>, TargetError> {
        let graph = self.graph().await?;
        let mut expiries = graph.tokens.expiries().await?;
        expiries.extend(secrets::expiry(graph).await);
        Ok(expiries)
    }
}

impl fmt::Debug for OneDrive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneDrive").field("name", &self.name).finish_non_exhaustive()
    }
}
