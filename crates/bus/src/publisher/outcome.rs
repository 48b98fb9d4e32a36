//! What became of a publish.

use std::time::Duration;

use async_nats::jetstream::{
    self, ErrorCode,
    context::{PublishError, PublishErrorKind},
    message::PublishMessage,
};

use crate::{Bus, BusError, spool::Record};

/// Of one try to store a record in JetStream.
pub(super) enum Outcome {
    Acknowledged,
    /// This very message will never be taken; the reason.
    Refused(BusError),
    /// Not now.
    Failed(BusError),
}

/// Tries to store `record`, at most for `timeout`.
pub(super) async fn publish(bus: &Bus, record: &Record, timeout: Duration) -> Outcome {
    let message = PublishMessage::build().message_id(&record.id).payload(record.payload.clone());
    bus.metrics().published.inc();
    let sent = async { bus.jetstream().send_publish(record.subject.clone(), message).await?.await };
    let stream = crate::streams::CALLS;
    match tokio::time::timeout(timeout, sent).await {
        Ok(Ok(_)) => {
            bus.metrics().acked.inc();
            Outcome::Acknowledged
        }
        Ok(Err(error)) if is_final(&error) => Outcome::Refused(publish_error(error, stream, &record.subject)),
        Ok(Err(error)) => Outcome::Failed(publish_error(error, stream, &record.subject)),
        Err(_) => Outcome::Failed(BusError::Timeout { whom: "NATS JetStream".to_owned(), after: timeout }),
    }
}

fn code(error: &PublishError) -> Option<ErrorCode> {
    let source = std::error::Error::source(error)?;
    Some(source.downcast_ref::<jetstream::Error>()?.error_code())
}

/// The size of a message does not change by waiting.
fn is_final(error: &PublishError) -> bool {
    error.kind() == PublishErrorKind::MaxPayloadExceeded
        || code(error) == Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)
}

/// What a failed publish to `stream` means.
pub(crate) fn publish_error(error: PublishError, stream: &str, subject: &str) -> BusError {
    match (error.kind(), code(&error)) {
        (PublishErrorKind::StreamNotFound, _) => BusError::NoStream { subject: subject.to_owned() },
        (PublishErrorKind::TimedOut, _) => {
            BusError::Timeout { whom: "NATS JetStream".to_owned(), after: Duration::from_secs(5) }
        }
        (PublishErrorKind::MaxPayloadExceeded, _) | (_, Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)) => {
            BusError::TooLarge { subject: subject.to_owned() }
        }
        // "maximum bytes exceeded" or "maximum messages exceeded" under `discard: new`; also a disk
        // that fails. To the publisher both are the same: later.
        (_, Some(ErrorCode::STREAM_STORE_FAILED)) => BusError::StreamFull { stream: stream.to_owned() },
        _ => BusError::jetstream(format!("store a message in {stream}"), error),
    }
}
