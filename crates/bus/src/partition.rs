//! Partitions of the stream CALLS. The signer that holds a partition's lease reads it in order from
//! its own stored mark; the server keeps no position for it.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::LastRawMessageErrorKind,
};
use bytes::Bytes;
use domain::TenantId;
use futures::StreamExt;
use prost::Message;
use tracing::debug;
use wire::call_v1::{CallMessage, call_message::Body};

use crate::{Bus, BusError, streams, subjects};

/// At most 64 KiB each: what a reader holds is bounded by 4 MiB.
const BATCH: usize = 64;
const EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(2);
/// The server forgets a reader that has not asked for this long.
const INACTIVE: Duration = Duration::from_secs(120);
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// One partition of CALLS: all messages of some calls, in order.
#[derive(Debug, Clone)]
pub struct Partition {
    bus: Bus,
    number: u16,
    subjects: String,
}

impl Bus {
    /// Partition `partition`, 0 to `domain::partition::PARTITIONS` − 1.
    pub fn partition(&self, partition: u16) -> Partition {
        Partition { bus: self.clone(), number: partition, subjects: subjects::partition(partition) }
    }
}

impl Partition {
    /// Reads all messages with a sequence of at least `first_sequence` (0 and 1: from the beginning)
    /// and goes on with new ones. Does not need a connection yet.
    pub async fn read_from(&self, first_sequence: u64) -> Result<PartitionReader, BusError> {
        Ok(PartitionReader { partition: self.clone(), last: first_sequence.max(1) - 1, open: None })
    }

    /// Deletes everything up to and including `last_sequence`, of this partition only. Can be
    /// repeated. Error: not certain to be deleted.
    pub async fn purge_to(&self, last_sequence: u64) -> Result<(), BusError> {
        self.purge(&self.subjects, last_sequence).await
    }

    /// The same for the messages of one tenant. Error: not certain to be deleted.
    pub async fn purge_tenant_to(&self, tenant: &TenantId, last_sequence: u64) -> Result<(), BusError> {
        self.purge(&subjects::partition_of_tenant(self.number, tenant), last_sequence).await
    }

    async fn purge(&self, subjects: &str, last_sequence: u64) -> Result<(), BusError> {
        let stream = self.stream().await?;
        // The server deletes what is below the sequence.
        stream
            .purge()
            .filter(subjects)
            .sequence(last_sequence.saturating_add(1))
            .await
            .map(drop)
            .map_err(|e| BusError::jetstream("purge a partition of CALLS", e))
    }

    /// Sequence of the newest message of the partition; 0 if it holds none.
    pub async fn last_sequence(&self) -> Result<u64, BusError> {
        let stream = self.stream().await?;
        match stream.get_last_raw_message_by_subject(&self.subjects).await {
            Ok(message) => Ok(message.sequence),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(0),
            Err(error) => Err(BusError::jetstream("look at a partition of CALLS", error)),
        }
    }

    async fn stream(&self) -> Result<jetstream::stream::Stream<()>, BusError> {
        let stream = self.bus.jetstream().get_stream_no_info(streams::CALLS).await;
        stream.map_err(|e| BusError::jetstream("look at the stream CALLS", e))
    }
}

/// Reads a partition in order, without a skip and without a repetition, over lost connections and
/// restarts of the server.
pub struct PartitionReader {
    partition: Partition,
    /// Sequence of the last entry that was returned, or the one before the first to be read.
    last: u64,
    open: Option<Reading>,
}

/// A consumer on the server, good for as long as its deliveries have no hole.
struct Reading {
    messages: pull::Stream,
    /// Deliveries of this consumer so far. The server numbers them: a hole means that some were
    /// lost with a connection, and the server will not send them again (there are no acks).
    delivered: u64,
    /// The connection it was made on. On a new one the last deliveries may be missing without a
    /// later one that would show it.
    generation: u64,
}

/// One message of a partition.
#[derive(Debug)]
pub struct Entry {
    /// Its sequence in CALLS: rises, with holes (other partitions).
    pub sequence: u64,
    /// When JetStream stored it. Unix time, microseconds.
    pub stored_unix_us: i64,
    /// The message, or what there is instead.
    pub content: Result<CallMessage, Poison>,
}

/// A message that cannot be used: to be handed to [`Bus::dead_letter`] before the mark passes it.
#[derive(Debug)]
pub struct Poison {
    /// Why not; without personal data.
    pub reason: String,
    /// The message as it was.
    pub payload: Bytes,
}

impl PartitionReader {
    /// The next message; waits for one, over any loss of the connection. Can be cancelled at any
    /// time without losing one.
    pub async fn next(&mut self) -> Result<Entry, BusError> {
        loop {
            let Some(reading) = &mut self.open else {
                match self.attach().await {
                    Ok(reading) => self.open = Some(reading),
                    Err(error) => {
                        debug!(subjects = self.partition.subjects, %error, "cannot read CALLS yet");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                }
                continue;
            };
            let mut link = self.partition.bus.link();
            let generation = reading.generation;
            let message = tokio::select! {
                biased;
                // Ends also when the bus is gone; the next attach then says so.
                _ = link.wait_for(|link| link.generation != generation) => None,
                message = reading.messages.next() => message,
            };
            match message {
                Some(Ok(message)) => match reading.place(&message, self.last) {
                    Place::Next(at) => {
                        self.last = at.sequence;
                        return Ok(at.entry(message));
                    }
                    Place::Known => {}
                    Place::BehindHole => {
                        debug!(subjects = self.partition.subjects, "deliveries were lost; reading anew");
                        self.open = None;
                    }
                },
                Some(Err(error)) => {
                    debug!(subjects = self.partition.subjects, %error, "reading CALLS anew");
                    self.open = None;
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                None => self.open = None,
            }
        }
    }

    async fn attach(&self) -> Result<Reading, BusError> {
        let bus = &self.partition.bus;
        let generation = bus.link().borrow().generation;
        if !bus.is_connected() {
            return Err(BusError::NotConnected);
        }
        let config = pull::Config {
            filter_subject: self.partition.subjects.clone(),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.last + 1 },
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE,
            // Nothing in it is worth keeping: it is made anew from `last`.
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let failed = |e: crate::BoxError| BusError::jetstream("read a partition of CALLS", e);
        let consumer = bus.jetstream().create_consumer_on_stream(config, streams::CALLS).await;
        let consumer = consumer.map_err(|e| failed(e.into()))?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(BATCH)
            .expires(EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|e| failed(e.into()))?;
        Ok(Reading { messages, delivered: 0, generation })
    }
}

/// Where a delivery stands.
enum Place {
    Next(At),
    /// It was returned before.
    Known,
    /// Some before it did not arrive.
    BehindHole,
}

struct At {
    sequence: u64,
    stored_unix_us: i64,
}

impl Reading {
    fn place(&mut self, message: &jetstream::Message, last: u64) -> Place {
        let Ok(info) = message.info() else { return Place::BehindHole };
        if info.consumer_sequence != self.delivered + 1 {
            return Place::BehindHole;
        }
        self.delivered = info.consumer_sequence;
        if info.stream_sequence <= last {
            return Place::Known;
        }
        let stored_unix_us = (info.published.unix_timestamp_nanos() / 1_000) as i64;
        Place::Next(At { sequence: info.stream_sequence, stored_unix_us })
    }
}

impl At {
    fn entry(self, message: jetstream::Message) -> Entry {
        let message = message.message;
        let content = read(&message.subject, message.payload);
        Entry { sequence: self.sequence, stored_unix_us: self.stored_unix_us, content }
    }
}

/// Decodes a message and checks that it says the same as its subject.
fn read(subject: &str, payload: Bytes) -> Result<CallMessage, Poison> {
    let poison = |reason: String| Poison { reason, payload: payload.clone() };
    let message = CallMessage::decode(payload.clone()).map_err(|e| poison(e.to_string()))?;
    let tokens: Vec<&str> = subject.split('.').collect();
    let fits = match (&message.body, tokens.as_slice()) {
        (None, _) => return Err(poison("it has no content that this release knows".to_owned())),
        (Some(Body::NodeStarted(_)), [_, _, "_node", node]) => message.node == *node,
        (Some(_), [_, _, tenant, id]) => message.tenant == *tenant && message.recording_id == *id,
        _ => false,
    };
    if fits { Ok(message) } else { Err(poison("its ids are not those of its subject".to_owned())) }
}

#[cfg(test)]
mod tests {
    use wire::call_v1::{AudioChunk, NodeStarted};

    use super::*;

    #[test]
    fn a_message_that_does_not_fit_its_subject_is_poison() {
        let id = "01949c3e-7a5b-7000-8000-000000000001";
        let body = Some(Body::Audio(AudioChunk::default()));
        let audio =
            CallMessage { tenant: "acme".into(), recording_id: id.into(), body, ..Default::default() };
        let payload = Bytes::from(audio.encode_to_vec());
        assert!(read(&format!("calls.01.acme.{id}"), payload.clone()).is_ok());
        assert!(read(&format!("calls.01.other.{id}"), payload).is_err());
        let body = Some(Body::NodeStarted(NodeStarted::default()));
        let node = CallMessage { node: "n1".into(), body, ..Default::default() };
        assert!(read("calls.01._node.n1", node.encode_to_vec().into()).is_ok());
        assert!(read("calls.01._node.n2", node.encode_to_vec().into()).is_err());
    }

    #[test]
    fn poison_keeps_its_bytes() {
        let poison = read("calls.01.acme.x", Bytes::from_static(b"\xff\xff\xff")).unwrap_err();
        assert_eq!(&poison.payload[..], b"\xff\xff\xff");
    }
}
