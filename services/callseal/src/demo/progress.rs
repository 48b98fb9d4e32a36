//! One line a stage, as the services say it on the bus.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bus::Bus;
use futures::{Stream, StreamExt};
use wire::event_v1::{Event, event::What};

/// How long the whole way may take.
const PATIENCE: Duration = Duration::from_secs(50);

/// Follows one call by its events.
pub struct Progress {
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
    begun: Instant,
}

impl Progress {
    /// Watches what happens from now on.
    pub async fn watch(bus: &Bus, begun: Instant) -> anyhow::Result<Self> {
        let events = bus.events_from_now(None).await.context("the bus does not tell what happens")?;
        Ok(Self { events: Box::pin(events), begun })
    }

    /// Prints each stage; returns the recording's id when it is sealed, shipped and journalled.
    pub async fn follow_to_the_end(&mut self) -> anyhow::Result<String> {
        let (mut shipped, mut journalled) = (false, false);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let next = tokio::time::timeout_at(deadline, self.events.next()).await;
            let Ok(event) = next else {
                bail!(
                    "after {PATIENCE:?} the recording was not {}",
                    if shipped { "journalled" } else { "shipped" }
                );
            };
            let event = event.context("the bus is gone")?;
            if let Some(what) = &event.what {
                self.print(what)?;
                shipped |= matches!(what, What::Shipped(_));
                journalled |= matches!(what, What::Journalled(_));
            }
            if shipped && journalled {
                return Ok(event.recording_id);
            }
        }
    }

    fn print(&self, what: &What) -> anyhow::Result<()> {
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let line = match what {
            What::Ringing(ringing) => format!("ringing: a SIPREC call with {} streams", ringing.streams),
            What::Decided(decided) if decided.recorded => format!("recording: rule {}", decided.rule),
            What::Decided(decided) => bail!("the call was not recorded: {}", decided.reason),
            What::Ended(ended) => format!("hung up: {} packets received", ended.packets_received),
            What::Assembled(a) => {
                format!("assembled: {:.2} s, {} packets lost", seconds(a.duration_ms), a.packets_lost)
            }
            What::Sealed(sealed) => {
                let position = sealed.chain_position;
                format!(
                    "sealed: {:.2} s, signed, number {position} in its chain",
                    seconds(sealed.duration_ms)
                )
            }
            What::Shipped(shipped) => {
                format!("shipped: to {}, verified by {}", shipped.target, shipped.verified_by)
            }
            What::Journalled(journalled) => format!("journalled: in {}", journalled.journal),
            What::ConsentAnswered(answer) => format!("consent: {}", answer.outcome),
            What::Stopped(stopped) => format!("stopped: {}", stopped.way),
            What::Deleted(deleted) => format!("deleted: by {}", deleted.by),
            What::Accessed(accessed) => format!("{}: by {}", accessed.how, accessed.by),
            What::HoldChanged(hold) => format!("legal hold {}: by {}", hold.hold, hold.by),
            What::Removed(removed) => format!("removed: by {}", removed.by),
            What::Started(started) => format!("started: by hand, rule {}", started.rule),
            What::Fault(fault) => format!("fault: {}: {}", fault.r#where, fault.problem),
        };
        println!("{:>6.1} s  {line}", self.begun.elapsed().as_secs_f32());
        Ok(())
    }
}
