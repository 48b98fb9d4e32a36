//! Storing one message in JetStream, and what it means when that does not work.

use std::time::Duration;

use async_nats::jetstream::{
    self, ErrorCode,
    context::{PublishError, PublishErrorKind},
    message::PublishMessage,
    publish::PublishAck,
};
use tokio::sync::watch;

use crate::{Bus, BusError, link::Link};

/// For whoever has nothing better to do than to wait.
pub(crate) const ACK_TIMEOUT: Duration = Duration::from_secs(5);

impl Bus {
    /// Stores `message` under `subject` in `stream`; see [`store`].
    pub(crate) async fn store(
        &self,
        stream: &str,
        subject: &str,
        message: PublishMessage,
        timeout: Duration,
    ) -> Result<PublishAck, BusError> {
        store(&self.inner.jetstream, self.link(), stream, subject, message, timeout).await
    }
}

/// Stores `message` and waits for the acknowledgement, at most for `timeout`, and not longer than
/// the connection lasts: an acknowledgement does not come over another one.
///
/// Errors: it is not certain to be stored. [`BusError::TooLarge`] means that it never will be.
pub(crate) async fn store(
    context: &jetstream::Context,
    mut link: watch::Receiver<Link>,
    stream: &str,
    subject: &str,
    message: PublishMessage,
    timeout: Duration,
) -> Result<PublishAck, BusError> {
    let Link { connected, generation } = *link.borrow();
    if !connected {
        return Err(BusError::NotConnected);
    }
    let sent = async { context.send_publish(subject.to_owned(), message).await?.await };
    tokio::select! {
        sent = tokio::time::timeout(timeout, sent) => match sent {
            Ok(Ok(ack)) => Ok(ack),
            Ok(Err(error)) => Err(refused(error, stream, subject, timeout)),
            Err(_) => Err(late(timeout)),
        },
        _ = link.wait_for(|link| !link.connected || link.generation != generation) => {
            Err(BusError::NotConnected)
        }
    }
}

fn late(after: Duration) -> BusError {
    BusError::Timeout { whom: "NATS JetStream".to_owned(), after }
}

fn refused(error: PublishError, stream: &str, subject: &str, timeout: Duration) -> BusError {
    let code = std::error::Error::source(&error)
        .and_then(|source| source.downcast_ref::<jetstream::Error>())
        .map(jetstream::Error::error_code);
    match (error.kind(), code) {
        (PublishErrorKind::StreamNotFound, _) => BusError::NoStream { subject: subject.to_owned() },
        (PublishErrorKind::TimedOut, _) => late(timeout),
        // The size of a message does not change by waiting.
        (PublishErrorKind::MaxPayloadExceeded, _) | (_, Some(ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM)) => {
            BusError::TooLarge { subject: subject.to_owned() }
        }
        // "maximum bytes exceeded" or "maximum messages exceeded" under `discard: new`; also a disk
        // that fails. To a publisher both are the same: later.
        (_, Some(ErrorCode::STREAM_STORE_FAILED)) => BusError::StreamFull { stream: stream.to_owned() },
        _ => BusError::jetstream(format!("store a message in {stream}"), error),
    }
}
