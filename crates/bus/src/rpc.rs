//! Request and reply over core NATS, protobuf both ways.

use std::{future::Future, sync::Arc, time::Duration};

use async_nats::{Request, client::RequestErrorKind};
use futures::StreamExt;
use prost::Message;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{Bus, BusError};

/// Requests of one `serve` that are worked on at a time; more wait in NATS' client.
const CONCURRENT_REQUESTS: usize = 256;
/// How long a service that stops looks for requests that NATS had handed over before it heard of that.
const HANDED_OVER: Duration = Duration::from_secs(1);
/// While nobody listens (a service restarts) the request is made again after this long.
const NO_RESPONDER_PAUSE: Duration = Duration::from_millis(50);

impl Bus {
    /// Asks `subject` and waits for the answer, at most `timeout` in total. When nobody listens yet
    /// the request is repeated within that time, so the restart of a service is not noticed.
    ///
    /// Errors: nobody listens, no answer in time, an answer that cannot be read.
    pub async fn request<Q, A>(&self, subject: &str, request: &Q, timeout: Duration) -> Result<A, BusError>
    where
        Q: Message,
        A: Message + Default,
    {
        let deadline = Instant::now() + timeout;
        let payload = bytes::Bytes::from(request.encode_to_vec());
        // What NATS said last: when the time runs out, that is why there is no answer.
        let mut nobody_listens = false;
        let late = |nobody_listens: bool| {
            let (whom, after) = (subject.to_owned(), timeout);
            if nobody_listens {
                BusError::NoResponder { subject: whom }
            } else {
                BusError::Timeout { whom, after }
            }
        };
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let ask = Request::new().payload(payload.clone()).timeout(Some(left));
            // Without a connection the client's queue may be full, and sending into it has no timeout.
            let sent = self.client().send_request(subject.to_owned(), ask);
            let answered = tokio::time::timeout_at(deadline, sent).await.map_err(|_| late(nobody_listens))?;
            match answered {
                Ok(answer) => {
                    return A::decode(answer.payload)
                        .map_err(|source| BusError::Undecodable { subject: subject.to_owned(), source });
                }
                Err(error) => match error.kind() {
                    RequestErrorKind::NoResponders if Instant::now() + NO_RESPONDER_PAUSE < deadline => {
                        nobody_listens = true;
                        tokio::time::sleep(NO_RESPONDER_PAUSE).await;
                    }
                    RequestErrorKind::NoResponders => {
                        return Err(BusError::NoResponder { subject: subject.to_owned() });
                    }
                    RequestErrorKind::TimedOut => return Err(late(nobody_listens)),
                    _ => return Err(BusError::jetstream("pass a request on", error)),
                },
            }
        }
    }

    /// Answers requests on `subject` until `shutdown`, then those that NATS has handed over already: no
    /// other replica hears of them, and whoever asked would wait for nothing. Services with the same
    /// `queue` share the requests. A request that cannot be read is counted, logged
    /// and gets no answer.
    ///
    /// Error: the subscription could not be made.
    pub async fn serve<Q, A, F, Fut>(
        &self,
        subject: &str,
        queue: &str,
        shutdown: CancellationToken,
        handler: F,
    ) -> Result<(), BusError>
    where
        Q: Message + Default + Send + 'static,
        A: Message + Send + 'static,
        F: Fn(Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = A> + Send + 'static,
    {
        let subscribing = self.client().queue_subscribe(subject.to_owned(), queue.to_owned());
        let mut requests = tokio::select! {
            subscribed = subscribing => subscribed.map_err(|e| BusError::jetstream("listen for requests", e))?,
            () = shutdown.cancelled() => return Ok(()),
        };
        let (handler, permits) = (Arc::new(handler), Arc::new(Semaphore::new(CONCURRENT_REQUESTS)));
        let mut working = JoinSet::new();
        let mut last_look = None;
        loop {
            let message = tokio::select! {
                () = shutdown.cancelled(), if last_look.is_none() => {
                    let until = Instant::now() + HANDED_OVER;
                    // The requests end behind those that are on their way; without a connection, never.
                    let _ = tokio::time::timeout_at(until, requests.drain()).await;
                    last_look = Some(until);
                    continue;
                }
                () = over(last_look) => break,
                Some(done) = working.join_next() => {
                    if done.is_err_and(|error| error.is_panic()) {
                        error!(subject, "the handler of a request panicked; its asker gets no answer");
                    }
                    continue;
                }
                message = requests.next() => message,
            };
            let Some(message) = message else { break };
            let Some(reply) = message.reply else { continue };
            let request = match Q::decode(message.payload) {
                Ok(request) => request,
                Err(error) => {
                    self.metrics().requests_undecodable.inc();
                    warn!(subject, %error, "a request cannot be read and gets no answer");
                    continue;
                }
            };
            let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
            let (handler, client) = (handler.clone(), self.client().clone());
            working.spawn(async move {
                let answer = handler(request).await;
                // A lost answer is the asker's timeout; there is nobody else to tell.
                if client.publish(reply, answer.encode_to_vec().into()).await.is_err() {
                    warn!("an answer could not be sent");
                }
                drop(permit);
            });
        }
        let _ = requests.unsubscribe().await;
        while working.join_next().await.is_some() {}
        let _ = tokio::time::timeout(Duration::from_secs(1), self.client().flush()).await;
        Ok(())
    }
}

/// Waits until this moment, or for ever if there is none.
async fn over(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
