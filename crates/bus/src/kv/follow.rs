//! Following a bucket: all its values first, then every change, over lost connections and restarts
//! of the server.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, DeliverPolicy, pull},
};
use futures::StreamExt;
use prost::Message;
use tracing::{debug, warn};

use super::{Kv, decode};
use crate::BusError;

const EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(2);
/// The server forgets a follower that has not asked for this long.
const INACTIVE: Duration = Duration::from_secs(120);
const RETRY_PAUSE: Duration = Duration::from_millis(250);
const ENSURE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a follower is told.
#[derive(Debug)]
pub enum Followed<V> {
    /// Everything that the bucket holds: replaces all that was told before.
    All {
        /// By key.
        entries: Vec<(String, V)>,
        /// Every value up to this revision is in it.
        revision: u64,
        /// The connection by which it came, as [`Kv::connection`] names it.
        connection: u64,
    },
    /// One value changed.
    One {
        /// Its key.
        key: String,
        /// The new value; `None`: it was deleted.
        value: Option<V>,
        /// Every value up to this revision was told.
        revision: u64,
    },
    /// NATS is away: what was told may be outdated. [`Followed::All`] comes next.
    Lost,
}

/// Follows one bucket.
pub struct Follower<V> {
    kv: Kv<V>,
    open: Option<Following<V>>,
    /// Something was told since the last [`Followed::Lost`].
    told: bool,
}

/// A consumer on the server, good for as long as its deliveries have no hole.
struct Following<V> {
    messages: pull::Stream,
    /// Deliveries so far; the server numbers them, and a hole means that some were lost.
    delivered: u64,
    /// The connection it was made on.
    generation: u64,
    /// What the bucket holds, until that is complete.
    all: Option<Gathering<V>>,
}

struct Gathering<V> {
    entries: Vec<(String, V)>,
    revision: u64,
    complete: bool,
}

/// What one delivery says.
struct Delivered<V> {
    key: String,
    value: Option<V>,
    revision: u64,
    /// Values that were stored and not delivered yet.
    pending: u64,
}

impl<V: Message + Default> Follower<V> {
    pub(super) fn new(kv: Kv<V>) -> Self {
        Self { kv, open: None, told: false }
    }

    /// The next news; waits for some, over any loss of the connection. Can be cancelled at any time
    /// without losing any. Error: a bucket of that name that would forget; no waiting cures that.
    pub async fn next(&mut self) -> Result<Followed<V>, BusError> {
        loop {
            let Some(following) = &mut self.open else {
                if self.told {
                    self.told = false;
                    return Ok(Followed::Lost);
                }
                match Box::pin(attach(&self.kv)).await {
                    Ok(following) => self.open = Some(following),
                    Err(error @ BusError::UnsafeStream { .. }) => return Err(error),
                    Err(error) => {
                        debug!(bucket = self.kv.bucket.name, %error, "cannot follow the bucket yet");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                }
                continue;
            };
            if following.all.as_ref().is_some_and(|all| all.complete)
                && let Some(Gathering { entries, revision, .. }) = following.all.take()
            {
                self.told = true;
                let connection = following.generation;
                return Ok(Followed::All { entries, revision, connection });
            }
            let mut link = self.kv.bus.link();
            let generation = following.generation;
            let message = tokio::select! {
                biased;
                _ = link.wait_for(|link| !link.connected || link.generation != generation) => None,
                message = following.messages.next() => message,
            };
            let delivered = match message {
                Some(Ok(message)) => following.place(&self.kv, &message),
                Some(Err(error)) => {
                    debug!(bucket = self.kv.bucket.name, %error, "following the bucket anew");
                    None
                }
                None => None,
            };
            match (delivered, &mut following.all) {
                (None, _) => self.open = None,
                (Some(one), Some(all)) => {
                    all.entries.extend(one.value.map(|value| (one.key, value)));
                    all.revision = one.revision;
                    all.complete = one.pending == 0;
                }
                (Some(Delivered { key, value, revision, .. }), None) => {
                    return Ok(Followed::One { key, value, revision });
                }
            }
        }
    }
}

impl<V: Message + Default> Following<V> {
    /// What `message` says; `None` if deliveries before it were lost.
    fn place(&mut self, kv: &Kv<V>, message: &jetstream::Message) -> Option<Delivered<V>> {
        let info = message.info().ok()?;
        if info.consumer_sequence != self.delivered + 1 {
            return None;
        }
        self.delivered = info.consumer_sequence;
        let key = message.subject.strip_prefix(&kv.subject("")).unwrap_or_default().to_owned();
        let is_value = message.headers.as_ref().is_none_or(|headers| headers.is_empty());
        let value = decode(&message.subject, is_value, &message.payload).unwrap_or_else(|error| {
            warn!(bucket = kv.bucket.name, %error, "a value is passed over");
            None
        });
        Some(Delivered { key, value, revision: info.stream_sequence, pending: info.pending })
    }
}

async fn attach<V: Message + Default>(kv: &Kv<V>) -> Result<Following<V>, BusError> {
    kv.bus.link().wait_for(|link| link.connected).await.map_err(|_| BusError::NotConnected)?;
    let generation = kv.bus.link().borrow().generation;
    kv.ensure(ENSURE_TIMEOUT).await?;
    let config = pull::Config {
        filter_subject: kv.subject(">"),
        deliver_policy: DeliverPolicy::LastPerSubject,
        ack_policy: AckPolicy::None,
        inactive_threshold: INACTIVE,
        // Nothing in it is worth keeping: it is made anew from the values.
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = kv.bus.jetstream().create_consumer_on_stream(config, kv.stream()).await;
    let consumer = consumer.map_err(|e| kv.failed("follow", e))?;
    let complete = consumer.cached_info().num_pending == 0;
    let messages = consumer.stream().expires(EXPIRES).heartbeat(HEARTBEAT).messages().await;
    let messages = messages.map_err(|e| kv.failed("follow", e))?;
    let all = Some(Gathering { entries: Vec::new(), revision: 0, complete });
    Ok(Following { messages, delivered: 0, generation, all })
}
