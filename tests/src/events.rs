//! What services tell on the bus, heard from the moment that a test begins to listen.

use std::{fmt, pin::Pin, time::Duration};

use anyhow::{Context, bail};
use bus::Bus;
use futures::{Stream, StreamExt as _};
use wire::event_v1::{Event, event::What};

/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The events of all tenants.
pub struct Events {
    coming: Pin<Box<dyn Stream<Item = Event> + Send>>,
    passed_over: Vec<What>,
}

impl Events {
    /// Those that come from now on.
    ///
    /// # Errors
    /// NATS does not take the subscription.
    pub async fn from_now(bus: &Bus) -> anyhow::Result<Self> {
        Ok(Self { coming: bus.events_from_now(None).await?, passed_over: Vec::new() })
    }

    /// The next event for which `choose` has an answer. Those that it passes over come again: events are
    /// sent side by side, and of two that follow from one thing either may come first.
    ///
    /// # Errors
    /// None comes within a minute.
    pub async fn next<T>(&mut self, mut choose: impl FnMut(What) -> Option<T>) -> anyhow::Result<T> {
        let found = async {
            let mut looked_at = 0;
            loop {
                while let Some(what) = self.passed_over.get(looked_at) {
                    if let Some(answer) = choose(what.clone()) {
                        self.passed_over.remove(looked_at);
                        return Ok(answer);
                    }
                    looked_at += 1;
                }
                let Some(event) = self.coming.next().await else { bail!("the events ended") };
                self.passed_over.extend(event.what);
            }
        };
        tokio::time::timeout(PATIENCE, found).await.context("no such event came")?
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("passed_over", &self.passed_over.len()).finish_non_exhaustive()
    }
}
