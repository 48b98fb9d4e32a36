//! Run-time state in NATS KV: typed buckets that survive restarts of NATS and of services.
//!
//! A bucket is the stream `KV_<bucket>` as every NATS client lays it out (`nats kv get` reads it),
//! on disk, with one value a key. One setting differs from what clients make by themselves: direct
//! reads are off. They may be answered by a replica that is behind, and whoever was told *stored*
//! must find it stored at the very next look.

mod follow;

use std::{future::Future, marker::PhantomData, time::Duration};

use async_nats::jetstream::{
    ErrorCode,
    context::GetStreamErrorKind,
    message::PublishMessage,
    stream::{Config, DiscardPolicy, LastRawMessageErrorKind, StorageType},
};
use prost::Message;
use tracing::info;

pub use follow::{Followed, Follower};

use crate::{Bus, BusError};

/// How a bucket is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// Its name: letters, digits, `-` and `_`.
    pub name: &'static str,
    /// How long a value is kept after it was stored; `None`: for ever.
    pub keep: Option<Duration>,
    /// Size of the bucket, bytes. When it is full new values are refused.
    pub max_bytes: i64,
}

/// A bucket whose values are messages `V`. Cheap to clone.
pub struct Kv<V> {
    bus: Bus,
    bucket: Bucket,
    values: PhantomData<fn() -> V>,
}

impl<V> Clone for Kv<V> {
    fn clone(&self) -> Self {
        Self { bus: self.bus.clone(), bucket: self.bucket, values: PhantomData }
    }
}

impl Bus {
    /// The bucket `bucket`. It is made on the server when it is first needed.
    pub fn kv<V: Message + Default>(&self, bucket: Bucket) -> Kv<V> {
        Kv { bus: self.clone(), bucket, values: PhantomData }
    }
}

impl<V: Message + Default> Kv<V> {
    /// Stores `value` under `key` (tokens with dots between them) and returns its revision, which
    /// rises with each value of the bucket. When this returns it is on disk.
    ///
    /// Errors: it is not certain to be stored: NATS is away, the bucket is full, no answer in time.
    pub async fn put(&self, key: &str, value: &V, timeout: Duration) -> Result<u64, BusError> {
        let payload = bytes::Bytes::from(value.encode_to_vec());
        let (stream, subject) = (self.stream(), self.subject(key));
        let message = || PublishMessage::build().payload(payload.clone());
        match self.bus.store(&stream, &subject, message(), timeout).await {
            Err(BusError::NoStream { .. }) => {
                self.ensure(timeout).await?;
                Ok(self.bus.store(&stream, &subject, message(), timeout).await?.sequence)
            }
            stored => Ok(stored?.sequence),
        }
    }

    /// The value under `key`, as it was stored last by anybody; `None` if there is none, or none
    /// any more.
    ///
    /// Errors: NATS is away, no answer in time, a value that cannot be read.
    pub async fn get(&self, key: &str, timeout: Duration) -> Result<Option<V>, BusError> {
        let subject = self.subject(key);
        let looking = async {
            let stream = self.bus.jetstream().get_stream_no_info(self.stream()).await;
            let stream = stream.map_err(|e| self.failed("look at", e))?;
            let message = match stream.get_last_raw_message_by_subject(&subject).await {
                Ok(message) => message,
                Err(error) => match error.kind() {
                    LastRawMessageErrorKind::NoMessageFound => return Ok(None),
                    LastRawMessageErrorKind::JetStream(e)
                        if e.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                    {
                        return Ok(None);
                    }
                    _ => return Err(self.failed("read", error)),
                },
            };
            decode(&subject, message.headers.is_empty(), &message.payload)
        };
        self.within(timeout, looking).await
    }

    /// Makes the bucket, or checks the one that exists. Can be repeated at any time.
    ///
    /// Errors: NATS is away, no answer in time, a bucket of that name that would forget.
    pub async fn ensure(&self, timeout: Duration) -> Result<(), BusError> {
        self.within(timeout, self.make()).await
    }

    /// The number of the connection that there is now; `None`: NATS is away. What was told by an earlier
    /// one may be outdated.
    pub fn connection(&self) -> Option<u64> {
        let link = *self.bus.link().borrow();
        link.connected.then_some(link.generation)
    }

    /// All values and every change of them, from now on, without an end.
    pub fn follow(&self) -> Follower<V> {
        Follower::new(self.clone())
    }

    async fn make(&self) -> Result<(), BusError> {
        let wanted = self.config();
        let existing = match self.bus.jetstream().get_stream(&wanted.name).await {
            Ok(stream) => stream.cached_info().config.clone(),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    // Two services may both come here: creating the same again is no error.
                    let created = self.bus.jetstream().create_stream(wanted).await;
                    created.map_err(|e| self.failed("create", e))?;
                    info!(bucket = self.bucket.name, "bucket created");
                    return Ok(());
                }
                _ => return Err(self.failed("look at", error)),
            },
        };
        if existing.storage != StorageType::File {
            let problems = vec!["storage is memory, it has to be file".to_owned()];
            return Err(BusError::UnsafeStream { stream: wanted.name, problems });
        }
        if let Some(corrected) = corrected(existing, &wanted) {
            let updated = self.bus.jetstream().update_stream(corrected).await;
            updated.map_err(|e| self.failed("change", e))?;
            info!(bucket = self.bucket.name, "settings of the bucket corrected");
        }
        Ok(())
    }

    fn config(&self) -> Config {
        Config {
            name: self.stream(),
            subjects: vec![self.subject(">")],
            storage: StorageType::File,
            max_messages_per_subject: 1,
            max_age: self.bucket.keep.unwrap_or_default(),
            max_bytes: self.bucket.max_bytes,
            discard: DiscardPolicy::New,
            num_replicas: self.bus.options().replicas.max(1),
            allow_direct: false,
            allow_rollup: true,
            deny_delete: true,
            ..Config::default()
        }
    }

    fn stream(&self) -> String {
        format!("KV_{}", self.bucket.name)
    }

    fn subject(&self, key: &str) -> String {
        format!("$KV.{}.{key}", self.bucket.name)
    }

    fn failed(&self, action: &str, error: impl Into<crate::BoxError>) -> BusError {
        BusError::jetstream(format!("{action} the bucket {}", self.bucket.name), error)
    }

    /// `work`, at most for `timeout` and not longer than the connection lasts.
    async fn within<T>(
        &self,
        timeout: Duration,
        work: impl Future<Output = Result<T, BusError>>,
    ) -> Result<T, BusError> {
        let mut link = self.bus.link();
        let generation = {
            let link = link.borrow();
            if !link.connected {
                return Err(BusError::NotConnected);
            }
            link.generation
        };
        tokio::select! {
            done = tokio::time::timeout(timeout, work) => done.unwrap_or_else(|_| {
                Err(BusError::Timeout { whom: "NATS JetStream".to_owned(), after: timeout })
            }),
            _ = link.wait_for(|link| !link.connected || link.generation != generation) => {
                Err(BusError::NotConnected)
            }
        }
    }
}

/// The value of a message; `None` if the key was deleted, which its headers say.
fn decode<V: Message + Default>(
    subject: &str,
    is_value: bool,
    payload: &[u8],
) -> Result<Option<V>, BusError> {
    if !is_value {
        return Ok(None);
    }
    let undecodable = |source| BusError::Undecodable { subject: subject.to_owned(), source };
    V::decode(payload).map(Some).map_err(undecodable)
}

/// `existing` as it has to be; none: it is.
fn corrected(existing: Config, wanted: &Config) -> Option<Config> {
    let replicas = existing.num_replicas.max(wanted.num_replicas);
    let good = existing.max_age == wanted.max_age
        && existing.max_messages_per_subject == wanted.max_messages_per_subject
        && !existing.allow_direct
        && existing.num_replicas == replicas;
    (!good).then_some(Config {
        max_age: wanted.max_age,
        max_messages_per_subject: wanted.max_messages_per_subject,
        allow_direct: false,
        num_replicas: replicas,
        ..existing
    })
}
