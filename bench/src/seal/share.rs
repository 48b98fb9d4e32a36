//! Where the CPU of a sealing goes, as the signer's own counters and the kernel's of its threads say.

use std::{fs, time::Duration};

use prometheus::Registry;

/// What the signer's stages are called here, in the order of the work.
const STAGES: [(&str, &str); 6] = [
    ("audio", "audio files from segments, durable"),
    ("texts", "texts made and stored"),
    ("chain", "signature before put into them"),
    ("commit", "entry, commit, telling it"),
    ("announce", "files laid out, announced"),
    ("log", "log: checkpoints, events"),
];
/// The stage of the key.
const KEY: &str = "key";
/// Threads of the database begin so (the kernel keeps 15 letters).
const DATABASE_THREADS: &str = "sqlx-sqlite";

/// CPU time of the signer until now, or between two moments, or of one recording.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shares {
    /// The key: signature, verification, and the way to the token.
    pub key: Duration,
    /// The other stages.
    pub stages: [Duration; STAGES.len()],
    /// Threads of the database.
    pub database: Duration,
    /// The whole process.
    pub process: Duration,
}

impl Shares {
    /// Of this process, in which the signer runs.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn until_now(registry: &Registry) -> anyhow::Result<Self> {
        let of = |stage: &str| Duration::from_secs_f64(stage_seconds(registry, stage));
        Ok(Self {
            key: of(KEY),
            stages: STAGES.map(|(stage, _)| of(stage)),
            database: of_threads(DATABASE_THREADS)?,
            process: crate::cpu::used(std::process::id())?,
        })
    }

    /// What came since `before`, for each of `count` recordings.
    pub fn since(&self, before: &Self, count: f64) -> Self {
        let each = |now: Duration, before: Duration| now.saturating_sub(before).div_f64(count);
        let mut stages = self.stages;
        for (stage, before) in stages.iter_mut().zip(before.stages) {
            *stage = each(*stage, before);
        }
        Self {
            key: each(self.key, before.key),
            stages,
            database: each(self.database, before.database),
            process: each(self.process, before.process),
        }
    }

    /// Names and times of what is not the key: the stages, the database, and what belongs to none of
    /// them: the bus, leases, the runtime.
    pub fn besides_the_key(&self) -> Vec<(&'static str, Duration)> {
        let names = STAGES.map(|(_, name)| name);
        let mut shares: Vec<_> = names.into_iter().zip(self.stages).collect();
        shares.push(("threads of the database", self.database));
        let known: Duration = shares.iter().map(|(_, time)| *time).sum();
        shares.push(("bus, leases, runtime", self.process.saturating_sub(known + self.key)));
        shares
    }
}

fn stage_seconds(registry: &Registry, stage: &str) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == "callseal_signer_cpu_seconds_total");
    let metrics = family.map(|family| family.get_metric()).unwrap_or_default();
    let is_it = |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|l| l.value() == stage);
    metrics.iter().find(is_it).map_or(0.0, |metric| metric.get_counter().get_value())
}

/// CPU time of the threads of this process whose names begin so (proc(5), `schedstat`: nanoseconds).
fn of_threads(name: &str) -> anyhow::Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        // A thread may end while this looks at it.
        let read = |file: &str| fs::read_to_string(thread.join(file)).unwrap_or_default();
        if read("comm").starts_with(name) {
            let used = read("schedstat").split(' ').next().and_then(|used| used.parse::<u64>().ok());
            nanoseconds += used.unwrap_or(0);
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}
