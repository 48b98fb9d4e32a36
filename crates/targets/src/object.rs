//! Object storage: S3 and all that speak its protocol, Azure Blob, and Google Cloud Storage (F-72).
//!
//! There are no folders and no renames here: an object stands under its name once it is whole, and it is
//! asked for that nothing stood there before. Where the store can, it locks an object until its retention
//! ends; then nothing removes it, and what tries is told so.

mod fault;
mod kinds;
mod line;
mod session;
mod upload;

use std::{future::Future, io, sync::Arc};

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::resources::{AzureBlobTarget, GcsTarget, S3Lock, S3LockMode, S3Target};
use futures::TryStreamExt as _;
use jiff::{Timestamp, fmt::rfc2822, tz::TimeZone};
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, multipart::MultipartStore, path::Path,
};
use tokio_util::io::StreamReader;

use crate::{
    Content, Digest, ErrorKind, Listed, Method, Put, Reader, Target, TargetError, Verified, blocks::Blocks,
    content::measure, files::MOST_ASIDE, names,
};
use fault::{LOCKED, Refusal};
use line::{Answer, Ended, Extra};
use session::Sessions;
use upload::{PART, Uploaded};

/// The longest name of an object, bytes, on all stores.
const LONGEST_NAME: usize = 1024;

/// How often an upload begins anew whose beginning has vanished.
const ATTEMPTS: u32 = 3;

/// As many versions of one object are removed at once.
const MOST_VERSIONS: u32 = 1000;

const STORING: &str = "storing a file";
const READING: &str = "reading a file back";
const REMOVING: &str = "removing a file";
const LOOKING: &str = "looking for a file";

/// A bucket or container as a target.
pub struct ObjectStorage {
    /// A description that cannot be used is a fault of each use.
    bucket: Result<Bucket, (ErrorKind, String)>,
}

impl ObjectStorage {
    /// A bucket of S3; nothing is contacted yet.
    pub fn s3(target: &S3Target) -> Self {
        Self::new(kinds::s3(target))
    }

    /// A container of Azure Blob; nothing is contacted yet.
    pub fn azure_blob(target: &AzureBlobTarget) -> Self {
        Self::new(kinds::azure_blob(target))
    }

    /// A bucket of Google Cloud Storage; nothing is contacted yet.
    pub fn gcs(target: &GcsTarget) -> Self {
        Self::new(kinds::gcs(target))
    }

    fn new(bucket: Result<Bucket, TargetError>) -> Self {
        Self { bucket: bucket.map_err(|error| (error.kind(), error.to_string())) }
    }

    fn bucket(&self) -> Result<&Bucket, TargetError> {
        self.bucket.as_ref().map_err(|(kind, sentence)| TargetError::new(*kind, sentence))
    }
}

/// Both halves of what `object_store` offers.
trait Store: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Store for T {}

/// What differs between the kinds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    S3 { lock: Option<S3Lock> },
    AzureBlob { lock: bool },
    Gcs,
}

struct Bucket {
    store: Arc<dyn Store>,
    prefix: String,
    place: String,
    kind: Kind,
    /// The server may be one that does not heed `If-None-Match`: it is asked for a name before it is
    /// taken, so that one file after the other never takes its place.
    looks_first: bool,
    /// For a store whose uploads in parts know no conditions.
    sessions: Option<Sessions>,
}

/// What stands under a name, held against a content.
enum Found {
    Nothing,
    Different,
    Same(Method),
}

impl Bucket {
    /// Runs a request; its result and its last answer.
    async fn ask<T>(
        &self,
        extra: Extra,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<(T, Option<Answer>), Refusal> {
        match line::call(extra, work).await {
            (Ok(result), Ended::Answered(answer)) => Ok((result, Some(answer))),
            (Ok(result), _) => Ok((result, None)),
            (Err(error), ended) => Err(Refusal { ended, word: word(&error) }),
        }
    }

    fn fault(&self, doing: &str, refusal: &Refusal) -> TargetError {
        refusal.fault(doing, &self.place)
    }

    fn key(&self, folder: &str, name: &str) -> Result<Path, TargetError> {
        let key = names::join(&names::join(&self.prefix, folder), name);
        let too_long = key.len() > LONGEST_NAME;
        match Path::parse(key.trim_matches('/')) {
            Ok(key) if !too_long => Ok(key),
            _ => {
                let text = format!("{} does not take a name of this length or form", self.place);
                Err(TargetError::new(ErrorKind::Name, text))
            }
        }
    }

    /// What locks an object that is written now.
    fn locked_by(&self, content: &Content) -> Extra {
        // A recording that was long on its way may have nothing left to be kept for, and stores refuse a lock
        // that has ended.
        let Some(until) = content.kept_until().filter(|until| *until > Timestamp::now()) else {
            return Extra::default();
        };
        match self.kind {
            Kind::S3 { lock: Some(lock) } => {
                let mode = match lock.mode {
                    S3LockMode::Governance => "GOVERNANCE",
                    S3LockMode::Compliance => "COMPLIANCE",
                };
                Extra::header("x-amz-object-lock-mode", mode).and(
                    "x-amz-object-lock-retain-until-date",
                    until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                )
            }
            Kind::AzureBlob { lock: true } => {
                let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&until);
                let date = date.unwrap_or_else(|_| until.to_zoned(TimeZone::UTC).to_string());
                Extra::header("x-ms-immutability-policy-until-date", date)
                    .and("x-ms-immutability-policy-mode", "Locked")
            }
            _ => Extra::default(),
        }
    }

    /// The same for an upload in parts: S3 wants it when it begins, Azure when it is completed.
    fn locked_at_completion(&self, content: &Content) -> Extra {
        match self.kind {
            Kind::S3 { .. } | Kind::Gcs => Extra::default(),
            Kind::AzureBlob { .. } => self.locked_by(content),
        }
    }

    /// Looks at an object, with the checksum of it that the store keeps.
    async fn head(&self, key: &Path) -> Result<Option<(ObjectMeta, Option<Answer>)>, TargetError> {
        let extra = match self.kind {
            Kind::S3 { .. } => Extra::header("x-amz-checksum-mode", "ENABLED"),
            Kind::AzureBlob { .. } | Kind::Gcs => Extra::default(),
        };
        match self.ask(extra, self.store.head(key)).await {
            Ok(found) => Ok(Some(found)),
            Err(refusal) if refusal.is_missing() => Ok(None),
            Err(refusal) => Err(self.fault(LOOKING, &refusal)),
        }
    }

    async fn is_taken(&self, key: &Path) -> Result<bool, TargetError> {
        match self.head(key).await {
            // The answer to a HEAD does not say why; that to what is written now will.
            Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::LoginRefused) => Ok(false),
            found => Ok(found?.is_some()),
        }
    }

    async fn read(&self, key: &Path) -> Result<Option<Reader>, TargetError> {
        match self.ask(Extra::default(), self.store.get(key)).await {
            Ok((found, _)) => {
                // Its text would hold the name.
                let stream = found.into_stream().map_err(|_| io::Error::other("the connection broke"));
                Ok(Some(Box::pin(StreamReader::new(stream))))
            }
            Err(refusal) if refusal.is_missing() => Ok(None),
            Err(refusal) => Err(self.fault(READING, &refusal)),
        }
    }

    async fn find(&self, key: &Path, size: u64, sha256: &Digest) -> Result<Found, TargetError> {
        let Some((meta, answer)) = self.head(key).await? else { return Ok(Found::Nothing) };
        if meta.size != size {
            return Ok(Found::Different);
        }
        // That of an upload in parts is one of checksums, and says nothing here.
        let checksum = answer.as_ref().and_then(|answer| answer.header("x-amz-checksum-sha256"));
        if checksum.is_some_and(|checksum| checksum == BASE64_STANDARD.encode(sha256)) {
            return Ok(Found::Same(Method::ServerHash("sha256")));
        }
        let Some(reader) = self.read(key).await? else { return Ok(Found::Nothing) };
        let broken = |error: io::Error| {
            let text = format!("{READING} in {} failed: the connection broke", self.place);
            TargetError::new(ErrorKind::Unreachable, text).caused_by(error)
        };
        let same = measure(reader).await.map_err(broken)? == (size, *sha256);
        Ok(if same { Found::Same(Method::ReadBack) } else { Found::Different })
    }

    /// Writes an object; false if another has the name and `over` does not allow to take its place.
    async fn write(&self, key: &Path, content: &Content, over: bool) -> Result<bool, TargetError> {
        if content.size() <= PART {
            if self.looks_first && !over && self.is_taken(key).await? {
                return Ok(false);
            }
            return self.write_at_once(key, content, over).await;
        }
        for _ in 0..ATTEMPTS {
            // Before all of it is brought in vain.
            if !over && self.head(key).await?.is_some() {
                return Ok(false);
            }
            match upload::upload(self, key, content, over).await? {
                Uploaded::Done => return Ok(true),
                Uploaded::Taken => return Ok(false),
                Uploaded::Gone => {}
            }
        }
        let text = format!("{STORING} in {} failed: it forgets uploads before they are complete", self.place);
        Err(TargetError::new(ErrorKind::Io, text))
    }

    async fn write_at_once(&self, key: &Path, content: &Content, over: bool) -> Result<bool, TargetError> {
        let (mut blocks, mut payload) = (Blocks::open(content, 0).await?, Vec::new());
        while let Some(block) = blocks.next().await? {
            payload.push(block);
        }
        let mode = if over { PutMode::Overwrite } else { PutMode::Create };
        let put = self.store.put_opts(key, payload.into_iter().collect::<PutPayload>(), mode.into());
        let mut extra = self.locked_by(content);
        if let Kind::S3 { .. } = self.kind {
            // The checksum itself is there; some servers look for its name as Amazon's programs give it.
            extra = extra.and("x-amz-sdk-checksum-algorithm", "SHA256");
        }
        match self.ask(extra, put).await {
            Ok(_) => Ok(true),
            Err(refusal) if !over && refusal.is_taken() => Ok(false),
            Err(refusal) => Err(self.fault(STORING, &refusal)),
        }
    }

    /// Removes an object with all its versions: a plain deletion in a bucket that keeps versions would only
    /// hide it.
    async fn remove(&self, key: &Path) -> Result<(), TargetError> {
        for _ in 0..MOST_VERSIONS {
            let Some((meta, answer)) = self.head(key).await? else { return Ok(()) };
            let called = match self.kind {
                Kind::S3 { .. } => Some("versionId"),
                Kind::Gcs => Some("generation"),
                Kind::AzureBlob { .. } => None,
            };
            let version = called.and_then(|called| Some((called, meta.version?)));
            let versioned = version.is_some();
            let extra = version.map(|(called, version)| Extra::query(called, version)).unwrap_or_default();
            match self.ask(extra, self.store.delete(key)).await {
                Ok(_) if versioned => {}
                Ok(_) => return Ok(()),
                Err(refusal) if refusal.is_missing() => return Ok(()),
                // S3 says of a lock only that access is denied.
                Err(refusal) if refusal.is_refused() && answer.as_ref().is_some_and(is_locked) => {
                    let text = format!("{REMOVING} in {} failed: {LOCKED}", self.place);
                    return Err(TargetError::new(ErrorKind::Locked, text));
                }
                Err(refusal) => return Err(self.fault(REMOVING, &refusal)),
            }
        }
        let text = format!("{REMOVING} in {} failed: there are ever more versions of it", self.place);
        Err(TargetError::new(ErrorKind::Io, text))
    }
}

/// Whether the store keeps an object from being removed now.
fn is_locked(answer: &Answer) -> bool {
    let until =
        answer.header("x-amz-object-lock-retain-until-date").and_then(|text| text.parse::<Timestamp>().ok());
    until.is_some_and(|until| until > Timestamp::now())
        || answer.header("x-amz-object-lock-legal-hold") == Some("ON")
}

/// What `object_store` made of it, without what it says of names.
const fn word(error: &object_store::Error) -> &'static str {
    use object_store::Error;
    match error {
        Error::NotFound { .. } => "not found",
        Error::AlreadyExists { .. } => "already there",
        Error::PermissionDenied { .. } => "permission denied",
        Error::Unauthenticated { .. } => "not signed in",
        Error::NotSupported { .. } | Error::NotImplemented { .. } => "not supported",
        _ => "no usable answer",
    }
}

#[async_trait]
impl Target for ObjectStorage {
    async fn put(&self, folder: &str, name: &str, content: &Content) -> Result<Put, TargetError> {
        let bucket = self.bucket()?;
        for number in 1..=MOST_ASIDE {
            let name = if number == 1 { name.to_owned() } else { names::aside(name, number) };
            let key = bucket.key(folder, &name)?;
            if bucket.write(&key, content, false).await? {
                return Ok(Put::written(name, number > 1));
            }
            if let Found::Same(method) = bucket.find(&key, content.size(), content.sha256()).await? {
                upload::give_up(bucket, content).await;
                return Ok(Put::there_already(name, method));
            }
        }
        upload::give_up(bucket, content).await;
        Err(TargetError::no_name_left())
    }

    async fn verify(
        &self,
        folder: &str,
        name: &str,
        size: u64,
        sha256: &Digest,
    ) -> Result<Verified, TargetError> {
        let bucket = self.bucket()?;
        match bucket.find(&bucket.key(folder, name)?, size, sha256).await? {
            Found::Same(method) => Ok(Verified { method }),
            Found::Nothing => Err(TargetError::gone()),
            Found::Different => Err(TargetError::changed()),
        }
    }

    async fn replace(&self, folder: &str, name: &str, content: &Content) -> Result<(), TargetError> {
        let bucket = self.bucket()?;
        bucket.write(&bucket.key(folder, name)?, content, true).await.map(|_| ())
    }

    async fn list(&self, folder: &str) -> Result<Vec<Listed>, TargetError> {
        let bucket = self.bucket()?;
        let key = bucket.key(folder, "")?;
        let prefix = (!key.as_ref().is_empty()).then_some(&key);
        let listed = bucket.ask(Extra::default(), bucket.store.list_with_delimiter(prefix)).await;
        let (listed, _) = listed.map_err(|refusal| bucket.fault("listing files", &refusal))?;
        let name = |path: &Path| path.filename().map(str::to_owned);
        let folders = listed.common_prefixes.iter().filter_map(name);
        let folders = folders.map(|name| Listed { name, kind: crate::Kind::Folder });
        let files = listed.objects.iter().filter_map(|object| {
            // What some programs put in the place of an empty folder.
            let name = name(&object.location).filter(|_| object.location != key)?;
            let modified = Timestamp::from_second(object.last_modified.timestamp()).ok();
            Some(Listed { name, kind: crate::Kind::File { size: object.size, modified } })
        });
        Ok(folders.chain(files).collect())
    }

    async fn open(&self, folder: &str, name: &str) -> Result<Option<Reader>, TargetError> {
        let bucket = self.bucket()?;
        bucket.read(&bucket.key(folder, name)?).await
    }

    async fn remove(&self, folder: &str, name: &str) -> Result<(), TargetError> {
        let bucket = self.bucket()?;
        bucket.remove(&bucket.key(folder, name)?).await
    }

    /// A bucket that locks all that is brought there keeps the test file, too.
    async fn test(&self) -> Result<(), TargetError> {
        let content = Content::from_bytes(format!("Callseal test file {}\n", names::unique()).into_bytes());
        let name = format!("callseal-test-{}.txt", names::unique());
        let put = self.put("", &name, &content).await?;
        let verified = self.verify("", &put.name, content.size(), content.sha256()).await;
        let removed = self.remove("", &put.name).await;
        verified?;
        match removed {
            Err(error) if error.kind() == ErrorKind::Locked => Ok(()),
            removed => removed,
        }
    }
}
