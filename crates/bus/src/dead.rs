//! Dead letters: a message that nobody can read is kept with the reason, never thrown away.

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use tracing::error;

use crate::{Bus, BusError, store::ACK_TIMEOUT, streams, subjects};

/// Header of a dead letter: the stream it stood in.
pub const HEADER_STREAM: &str = "Callseal-Stream";
/// Header of a dead letter: its sequence there.
pub const HEADER_SEQUENCE: &str = "Callseal-Sequence";
/// Header of a dead letter: why it cannot be used.
pub const HEADER_REASON: &str = "Callseal-Reason";

const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];

impl Bus {
    /// Keeps a message that cannot be used in the stream DEAD, byte for byte, with where it stood
    /// and why. Returns when it is durable: only then may the original be acknowledged or purged.
    /// `reason` must hold no number or name of a person.
    ///
    /// Error: NATS did not take it after several tries.
    pub async fn dead_letter(
        &self,
        stream: &str,
        sequence: u64,
        reason: &str,
        payload: &[u8],
    ) -> Result<(), BusError> {
        // A header ends at the end of the line.
        let reason = reason.replace(['\r', '\n'], " ");
        error!(stream, sequence, reason, "a message cannot be used and goes to the stream DEAD");
        let subject = subjects::dead(stream);
        let mut pauses = PAUSES.iter();
        loop {
            let message = PublishMessage::build()
                .message_id(format!("{stream}/{sequence}"))
                .header(HEADER_STREAM, stream)
                .header(HEADER_SEQUENCE, sequence.to_string())
                .header(HEADER_REASON, reason.as_str())
                .payload(bytes::Bytes::copy_from_slice(payload));
            let stored = self.store(streams::DEAD, &subject, message, ACK_TIMEOUT).await;
            match (stored, pauses.next()) {
                (Ok(ack), _) => {
                    if !ack.duplicate {
                        self.metrics().dead_letters.with_label_values(&[stream]).inc();
                    }
                    return Ok(());
                }
                (Err(_), Some(pause)) => tokio::time::sleep(*pause).await,
                (Err(error), None) => return Err(error),
            }
        }
    }
}
