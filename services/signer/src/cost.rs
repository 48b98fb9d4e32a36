//! CPU time by stage of the work, as the kernel counts it for threads: where a slow sealing goes.
//!
//! The database's own threads and the bus are not in it.

use std::{pin::pin, task::Poll, time::Duration};

use prometheus::{Counter, CounterVec, Opts, Registry};
use rustix::time::{ClockId, clock_gettime};

/// What CPU time is spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Segments are read, audio files put together, hashed and made durable.
    Audio,
    /// The exact bytes of what is signed are made and stored.
    Texts,
    /// The key signs and verifies; with a key in a service elsewhere, waiting costs nothing.
    Key,
    /// The rest of the thread that signs: the signature before is put into the texts.
    Chain,
    /// Signatures, links and entries are committed, and told.
    Commit,
    /// Sealed recordings are laid out and announced.
    Announce,
    /// Checkpoints, events taken into logs, time stamps.
    Log,
}

impl Stage {
    /// All of them, in the order of the work.
    pub const ALL: [Self; 7] =
        [Self::Audio, Self::Texts, Self::Key, Self::Chain, Self::Commit, Self::Announce, Self::Log];

    /// The label of the metric.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Texts => "texts",
            Self::Key => "key",
            Self::Chain => "chain",
            Self::Commit => "commit",
            Self::Announce => "announce",
            Self::Log => "log",
        }
    }
}

/// The counters, a stage each.
#[derive(Debug, Clone)]
pub struct Costs([Counter; Stage::ALL.len()]);

impl Costs {
    /// Counters that are registered as `callseal_signer_cpu_seconds_total`.
    ///
    /// # Errors
    /// The name is taken.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let what = "CPU time by stage, without the database's threads and the bus";
        let counters = CounterVec::new(Opts::new("callseal_signer_cpu_seconds_total", what), &["stage"])?;
        registry.register(Box::new(counters.clone()))?;
        Ok(Self(Stage::ALL.map(|stage| counters.with_label_values(&[stage.as_str()]))))
    }

    /// Does what keeps this thread busy.
    pub fn of<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let before = used();
        let done = work();
        self.add(stage, used().saturating_sub(before));
        done
    }

    /// Counts whenever `work` is polled. Stages must not lie within each other.
    pub async fn during<F: Future>(&self, stage: Stage, work: F) -> F::Output {
        let mut work = pin!(work);
        std::future::poll_fn(|context| self.of(stage, || -> Poll<F::Output> { work.as_mut().poll(context) }))
            .await
    }

    fn add(&self, stage: Stage, time: Duration) {
        self.0[stage as usize].inc_by(time.as_secs_f64());
    }
}

/// CPU time of this thread since it began.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_counted_for_its_stage_and_waiting_is_not() {
        let costs = Costs::register(&Registry::new()).unwrap();
        let busy = || {
            let begun = used();
            while used() < begun + Duration::from_millis(20) {}
        };
        costs.of(Stage::Audio, busy);
        costs.during(Stage::Log, tokio::time::sleep(Duration::from_millis(50))).await;
        let seconds = |stage: Stage| costs.0[stage as usize].get();
        assert!(seconds(Stage::Audio) >= 0.02);
        assert!(seconds(Stage::Log) < 0.02);
        assert!(seconds(Stage::Key).abs() < f64::EPSILON);
    }
}
