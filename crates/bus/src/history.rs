//! What happened earlier: the events that the stream EVENTS still holds.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use domain::RecordingId;
use futures::StreamExt;
use prost::Message;
use wire::event_v1::Event;

use crate::{Bus, BusError, streams, subjects};

const BATCH: usize = 512;
/// The server forgets the consumer by itself when the reading was broken off.
const INACTIVE: Duration = Duration::from_secs(30);

/// Which events are read.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// All of them: the stream is read through.
    All,
    /// Those of these recordings, of whatever tenant; the server finds them by their subjects.
    Of(&'a [RecordingId]),
}

/// How far back EVENTS reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// When the oldest event that is kept was stored: what happened before is forgotten. Unix time,
    /// microseconds; `None`: no event is kept at all.
    pub oldest_unix_us: Option<i64>,
}

impl Bus {
    /// Hands each kept event to `take`, in the order in which they were stored, up to the one that
    /// was the last at the time of this call. What cannot be read is passed over.
    ///
    /// Errors: NATS is away, was lost on the way, or has no stream EVENTS.
    pub async fn kept_events(&self, told: Told<'_>, mut take: impl FnMut(Event)) -> Result<Reach, BusError> {
        if !self.is_connected() {
            return Err(BusError::NotConnected);
        }
        let failed = |e: crate::BoxError| BusError::jetstream("read the stream EVENTS", e);
        let stream = self.jetstream().get_stream(streams::EVENTS).await.map_err(|e| failed(e.into()))?;
        let state = &stream.cached_info().state;
        let oldest = state.first_timestamp.unix_timestamp_nanos() / 1_000;
        // What fits neither is no time of an event.
        let reach = Reach { oldest_unix_us: i64::try_from(oldest).ok().filter(|_| state.messages > 0) };
        let filter_subjects: Vec<String> = match told {
            Told::All => Vec::new(),
            Told::Of([]) => return Ok(reach),
            Told::Of(recordings) => recordings.iter().map(subjects::events_of_recording).collect(),
        };
        let config = pull::Config {
            filter_subjects,
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(|e| failed(e.into()))?;
        let mut left = consumer.cached_info().num_pending;
        let mut delivered = 0;
        while left > 0 {
            let batch = consumer.fetch().max_messages(BATCH).messages().await;
            let mut batch = batch.map_err(|e| failed(e.into()))?;
            let before = delivered;
            while let Some(message) = batch.next().await {
                let message = message.map_err(failed)?;
                let at = message.info().map_err(failed)?;
                delivered += 1;
                // Nothing is sent twice here: a hole is one for good.
                if at.consumer_sequence != delivered {
                    return Err(BusError::NotConnected);
                }
                left = left.saturating_sub(1).min(at.pending);
                if let Ok(event) = Event::decode(message.message.payload) {
                    take(event);
                }
            }
            // Nothing came although something is there: the oldest were thrown away meanwhile.
            if delivered == before {
                break;
            }
        }
        Ok(reach)
    }
}
