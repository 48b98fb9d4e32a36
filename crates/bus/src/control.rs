//! One asks, many answer: core NATS without a queue group. A call may live in several ingest nodes,
//! or in several legs of one, and each of them hears what concerns it.

use std::{future::Future, marker::PhantomData, pin::Pin, time::Duration};

use async_nats::{StatusCode, SubscribeError, Subscriber};
use futures::StreamExt;
use prost::Message;
use tokio::time::Instant;
use tracing::warn;

use crate::{Bus, BusError};

/// A subscription that failed is tried again after this long.
const PAUSE: Duration = Duration::from_secs(1);

type Subscribing = Pin<Box<dyn Future<Output = Result<Subscriber, SubscribeError>> + Send>>;

/// Hears every request on one subject, beside all others who listen there. Dropped, it unsubscribes.
pub struct Listener<Q> {
    bus: Bus,
    subject: String,
    state: State,
    requests: PhantomData<fn() -> Q>,
}

enum State {
    Subscribing(Subscribing),
    Listening(Subscriber),
}

/// A request and the way back to who asks.
pub struct Asked<Q> {
    bus: Bus,
    reply: async_nats::Subject,
    /// What is asked.
    pub request: Q,
}

impl<Q: Message + Default> Listener<Q> {
    /// Returns when the wish to listen is on its way to NATS: what is published on this connection
    /// afterwards is answered by people whose requests are heard here. Nothing is lost when the future
    /// is dropped.
    pub async fn ready(&mut self) {
        while let State::Subscribing(subscribing) = &mut self.state {
            self.state = match subscribing.await {
                Ok(subscriber) => State::Listening(subscriber),
                Err(error) => {
                    warn!(%error, "cannot listen for requests; trying again");
                    State::Subscribing(subscribe(&self.bus, &self.subject, PAUSE))
                }
            };
        }
    }

    /// The next request. Waits for ever when none comes: without a connection, it is made anew by
    /// itself. A request that cannot be read is counted, logged and gets no answer. Nothing is lost
    /// when the future is dropped.
    pub async fn next(&mut self) -> Asked<Q> {
        loop {
            match &mut self.state {
                State::Subscribing(_) => self.ready().await,
                State::Listening(subscriber) => {
                    let Some(message) = subscriber.next().await else {
                        self.state = State::Subscribing(subscribe(&self.bus, &self.subject, PAUSE));
                        continue;
                    };
                    let Some(reply) = message.reply else { continue };
                    match Q::decode(message.payload) {
                        Ok(request) => return Asked { bus: self.bus.clone(), reply, request },
                        Err(error) => {
                            self.bus.metrics().requests_undecodable.inc();
                            warn!(%error, "a request cannot be read and gets no answer");
                        }
                    }
                }
            }
        }
    }
}

fn subscribe(bus: &Bus, subject: &str, after: Duration) -> Subscribing {
    let (client, subject) = (bus.client().clone(), subject.to_owned());
    Box::pin(async move {
        tokio::time::sleep(after).await;
        client.subscribe(subject).await
    })
}

impl<Q> Asked<Q> {
    /// Answers. A lost answer is the asker's timeout.
    pub async fn answer(&self, answer: &impl Message) {
        if self.bus.client().publish(self.reply.clone(), answer.encode_to_vec().into()).await.is_err() {
            warn!("an answer could not be sent");
        }
    }
}

impl Bus {
    /// Listens on `subject` beside everybody else who does: each of them hears each request. Nothing
    /// happens before the first [`Listener::next`].
    pub fn listen<Q: Message + Default>(&self, subject: String) -> Listener<Q> {
        let state = State::Subscribing(subscribe(self, &subject, Duration::ZERO));
        Listener { bus: self.clone(), subject, state, requests: PhantomData }
    }

    /// Asks everybody who listens on `subject`, and gathers their answers: waits up to `first` for the
    /// first one, and for further ones up to `more` after it. Answers that cannot be read are left out.
    ///
    /// Errors: nobody listens ([`BusError::NoResponder`]), no answer in time, no connection.
    pub async fn ask_all<Q, A>(
        &self,
        subject: &str,
        request: &Q,
        first: Duration,
        more: Duration,
    ) -> Result<Vec<A>, BusError>
    where
        Q: Message,
        A: Message + Default,
    {
        let late = || BusError::Timeout { whom: subject.to_owned(), after: first };
        let mut deadline = Instant::now() + first;
        let asking = async {
            let inbox = self.client().new_inbox();
            let answers = self.client().subscribe(inbox.clone()).await;
            let answers = answers.map_err(|e| BusError::jetstream("wait for answers", e))?;
            let payload = request.encode_to_vec().into();
            let sent = self.client().publish_with_reply(subject.to_owned(), inbox, payload).await;
            sent.map_err(|e| BusError::jetstream("pass a request on", e))?;
            Ok::<_, BusError>(answers)
        };
        let mut answers = tokio::time::timeout_at(deadline, asking).await.map_err(|_| late())??;
        let mut gathered = Vec::new();
        while let Ok(Some(message)) = tokio::time::timeout_at(deadline, answers.next()).await {
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(BusError::NoResponder { subject: subject.to_owned() });
            }
            match A::decode(message.payload) {
                Ok(answer) => {
                    if gathered.is_empty() {
                        deadline = Instant::now() + more;
                    }
                    gathered.push(answer);
                }
                Err(error) => warn!(%error, "an answer cannot be read"),
            }
        }
        if gathered.is_empty() { Err(late()) } else { Ok(gathered) }
    }
}
