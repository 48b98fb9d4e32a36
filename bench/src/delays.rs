//! Seconds from hang-up to sealed, shipped and journalled, from what the services say on the bus.

use std::collections::BTreeMap;

use wire::event_v1::{Event, event::What};

/// Microseconds of Unix time at which each stage of one call was reached.
#[derive(Debug, Clone, Default)]
struct Stages {
    ended: Option<i64>,
    sealed: Option<i64>,
    shipped: Option<i64>,
    journalled: Option<i64>,
}

/// What has been seen of all calls.
#[derive(Debug, Default)]
pub struct Delays {
    calls: BTreeMap<String, Stages>,
    /// Packets that ingest took from the network.
    pub packets_received: u64,
    /// Packets that are missing on the timelines.
    pub packets_lost: u64,
    /// Packets on the timelines.
    pub packets_recorded: u64,
    /// Faults that services reported.
    pub faults: Vec<String>,
}

/// Median and worst of some seconds.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// Half of the calls took no longer.
    pub median: f64,
    /// No call took longer.
    pub worst: f64,
}

impl Delays {
    /// Takes one event in.
    pub fn note(&mut self, event: &Event) {
        let call = self.calls.entry(event.recording_id.clone()).or_default();
        match &event.what {
            Some(What::Ended(ended)) => {
                call.ended = Some(event.at_unix_us);
                self.packets_received += ended.packets_received;
            }
            Some(What::Assembled(assembled)) => {
                self.packets_lost += assembled.packets_lost;
                self.packets_recorded += assembled.packets_received;
            }
            Some(What::Sealed(_)) => call.sealed = Some(event.at_unix_us),
            Some(What::Shipped(_)) => call.shipped = Some(event.at_unix_us),
            Some(What::Journalled(_)) => call.journalled = Some(event.at_unix_us),
            Some(What::Fault(fault)) => self.faults.push(format!("{}: {}", fault.r#where, fault.problem)),
            _ => {}
        }
    }

    /// How many calls are all the way through.
    pub fn complete(&self) -> usize {
        let through =
            |call: &&Stages| call.sealed.is_some() && call.shipped.is_some() && call.journalled.is_some();
        self.calls.values().filter(through).count()
    }

    /// From hang-up to sealed.
    pub fn sealed(&self) -> Option<Spread> {
        self.spread(|call| call.sealed)
    }

    /// From hang-up to shipped.
    pub fn shipped(&self) -> Option<Spread> {
        self.spread(|call| call.shipped)
    }

    /// From hang-up to journalled.
    pub fn journalled(&self) -> Option<Spread> {
        self.spread(|call| call.journalled)
    }

    fn spread(&self, stage: impl Fn(&Stages) -> Option<i64>) -> Option<Spread> {
        let seconds = |call: &Stages| Some((stage(call)? - call.ended?) as f64 / 1e6);
        let mut all: Vec<f64> = self.calls.values().filter_map(seconds).collect();
        all.sort_by(f64::total_cmp);
        Some(Spread { median: *all.get(all.len() / 2)?, worst: *all.last()? })
    }
}
