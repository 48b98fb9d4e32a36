//! The stream SEALED: signer's outbox publishes, shipper and journal each have a durable consumer.

use std::time::Duration;

use async_nats::jetstream::{
    self, AckKind,
    consumer::{PullConsumer, pull},
    message::PublishMessage,
    stream::LastRawMessageErrorKind,
};
use futures::{FutureExt, StreamExt};
use prost::Message;
use tracing::{debug, warn};
use wire::recording_v1::RecordingSealed;

use crate::{Bus, BusError, store::ACK_TIMEOUT, streams, subjects};

/// What a reader has at hand before it is asked for: announcements may be long.
const BATCH: usize = 32;
const EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_millis(250);

impl Bus {
    /// Announces a sealed recording and waits until it is durable. Repeating it is harmless: within
    /// two minutes NATS drops the double, later the consumers do (by recording id).
    ///
    /// Error: it is not certain to be stored; the outbox has to try again.
    pub async fn publish_sealed(&self, sealed: &RecordingSealed) -> Result<(), BusError> {
        let subject = subjects::sealed(sealed);
        let message =
            PublishMessage::build().message_id(&sealed.recording_id).payload(sealed.encode_to_vec().into());
        self.store(streams::SEALED, &subject, message, ACK_TIMEOUT).await.map(drop)
    }

    /// The durable consumer `consumer` ("shipper" or "journal") of SEALED. Made when it is missing.
    /// Does not need a connection yet.
    pub async fn sealed(&self, consumer: &str) -> Result<SealedConsumer, BusError> {
        Ok(SealedConsumer { bus: self.clone(), name: consumer.to_owned(), open: None })
    }
}

/// Delivers announcements at least once, in order of sealing, until each is acknowledged.
pub struct SealedConsumer {
    bus: Bus,
    name: String,
    open: Option<pull::Stream>,
}

impl SealedConsumer {
    /// The next announcement; waits for one, over any loss of the connection. A message that cannot
    /// be read goes to the stream DEAD and is not seen here. Can be cancelled at any time: what was
    /// not returned is delivered again.
    pub async fn next(&mut self) -> Result<Delivery, BusError> {
        loop {
            let Some(open) = &mut self.open else {
                match self.attach().await {
                    Ok(stream) => self.open = Some(stream),
                    Err(error) => {
                        debug!(consumer = self.name, %error, "cannot read SEALED yet");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                }
                continue;
            };
            match open.next().await {
                Some(Ok(message)) => {
                    if let Some(delivery) = self.decode(message).await {
                        return Ok(delivery);
                    }
                }
                // A missed heartbeat, a deleted consumer, a restarted server: pull anew.
                Some(Err(error)) => {
                    debug!(consumer = self.name, %error, "reading SEALED anew");
                    self.open = None;
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                None => self.open = None,
            }
        }
    }

    /// The next announcements, the oldest first: one at least, for which it waits as [`next`](Self::next) does,
    /// and those that are here already, up to `most`. Can be cancelled as well.
    ///
    /// # Errors
    /// As those of [`next`](Self::next).
    pub async fn next_some(&mut self, most: usize) -> Result<Vec<Delivery>, BusError> {
        let mut some = vec![self.next().await?];
        while some.len() < most
            && let Some(ready) = self.open.as_mut().and_then(|open| open.next().now_or_never())
        {
            let Some(Ok(message)) = ready else {
                debug!(consumer = self.name, error = ?ready, "reading SEALED anew");
                self.open = None;
                break;
            };
            some.extend(self.decode(message).await);
        }
        // One that comes again may come after a newer one.
        some.sort_by_key(|delivery| delivery.sequence);
        Ok(some)
    }

    /// Announcements that were handed out already and may not have been acknowledged, in order of sealing: a
    /// reader that was killed has left them, and the server hands them out again only when their time to be
    /// acknowledged has passed, after newer ones. Each still comes by [`next`](Self::next), to be answered.
    ///
    /// # Errors
    /// The bus is away.
    pub async fn handed_out(&self) -> Result<Vec<RecordingSealed>, BusError> {
        self.not_acknowledged(0, u64::MAX).await
    }

    /// Those among them with a sequence after `after` and before `before`: what other readers of the same
    /// name have at hand.
    ///
    /// # Errors
    /// The bus is away.
    pub async fn not_acknowledged(&self, after: u64, before: u64) -> Result<Vec<RecordingSealed>, BusError> {
        let (stream, consumer) = self.consumer().await?;
        let info = consumer.get_info().await;
        let info = info.map_err(|e| BusError::jetstream("read the stream SEALED", e))?;
        if info.num_ack_pending == 0 {
            return Ok(Vec::new());
        }
        let newest = info.delivered.stream_sequence.min(before.saturating_sub(1));
        // Readers have fewer at hand.
        let oldest = newest.saturating_sub(streams::MAX_ACK_PENDING);
        let oldest = oldest.max(info.ack_floor.stream_sequence).max(after) + 1;
        let mut found = Vec::new();
        for sequence in oldest..=newest {
            match stream.get_raw_message(sequence).await {
                // What cannot be read is dealt with where it can be answered.
                Ok(message) => found.extend(RecordingSealed::decode(message.payload)),
                Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => {}
                Err(error) => return Err(BusError::jetstream("read the stream SEALED", error)),
            }
        }
        Ok(found)
    }

    async fn attach(&self) -> Result<pull::Stream, BusError> {
        let (_, consumer) = self.consumer().await?;
        consumer
            .stream()
            .max_messages_per_batch(BATCH)
            .expires(EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|e| BusError::jetstream("read the stream SEALED", e))
    }

    /// The stream, and the consumer, made when it is missing.
    async fn consumer(&self) -> Result<(jetstream::stream::Stream<()>, PullConsumer), BusError> {
        let stream = self.bus.jetstream().get_stream_no_info(streams::SEALED).await;
        let stream = stream.map_err(|e| BusError::jetstream("read the stream SEALED", e))?;
        if let Ok(consumer) = stream.get_consumer(&self.name).await {
            return Ok((stream, consumer));
        }
        self.bus.ensure_sealed_consumer(&self.name).await?;
        let consumer = stream.get_consumer(&self.name).await;
        let consumer = consumer.map_err(|e| BusError::jetstream("read the stream SEALED", e))?;
        Ok((stream, consumer))
    }

    async fn decode(&self, message: jetstream::Message) -> Option<Delivery> {
        let (sequence, attempt) = match message.info() {
            Ok(info) => (info.stream_sequence, info.delivered.max(1) as u64),
            Err(_) => (0, 1),
        };
        match RecordingSealed::decode(message.payload.clone()) {
            Ok(sealed) => {
                Some(Delivery { message: sealed, attempt, sequence, bus: self.bus.clone(), raw: message })
            }
            Err(error) => {
                bury(&self.bus, &message, sequence, &error.to_string()).await;
                None
            }
        }
    }
}

/// Moves a message to DEAD; when that fails it comes again after a while.
async fn bury(bus: &Bus, message: &jetstream::Message, sequence: u64, reason: &str) {
    let kind = match bus.dead_letter(streams::SEALED, sequence, reason, &message.payload).await {
        Ok(()) => AckKind::Ack,
        Err(error) => {
            warn!(sequence, %error, "a message could not be moved to the stream DEAD; it comes again");
            AckKind::Nak(Some(Duration::from_secs(30)))
        }
    };
    if let Err(error) = message.double_ack_with(kind).await {
        debug!(sequence, %error, "the message comes again");
    }
}

/// One announcement, to be answered with `ack` or `dead_letter`. Dropped without an answer, or answered too
/// late, it comes again.
pub struct Delivery {
    /// The sealed recording.
    pub message: RecordingSealed,
    /// How often it was delivered, from 1.
    pub attempt: u64,
    /// Its sequence in SEALED.
    pub sequence: u64,
    bus: Bus,
    raw: jetstream::Message,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delivery({}, attempt {})", self.message.recording_id, self.attempt)
    }
}

impl Delivery {
    /// It is durable here: it shall not come again. Waits until the server has noted that.
    ///
    /// Error: the server did not confirm; it may come again.
    pub async fn ack(self) -> Result<(), BusError> {
        self.raw.double_ack().await.map_err(|e| BusError::jetstream("note an acknowledgement", e))
    }

    /// It can never be handled: keeps it in the stream DEAD with the reason, then acknowledges it.
    ///
    /// Error: DEAD did not take it; it comes again.
    pub async fn dead_letter(self, reason: &str) -> Result<(), BusError> {
        self.bus.dead_letter(streams::SEALED, self.sequence, reason, &self.raw.payload).await?;
        self.ack().await
    }
}
