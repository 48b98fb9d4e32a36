//! How full staging is, and when it will be full (F-83). People hear of it long before the disk is: a
//! full disk makes recordings wait in the bus and in ingest's spool, and stops no call.

mod forecast;
mod level;
mod size;

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use delivery::Reporter;
use jiff::Timestamp;
use nix::sys::statvfs::statvfs;
use prometheus::{Gauge, IntGauge, Registry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use level::Fullness;
pub use size::Quota;

use forecast::Forecast;

/// How full staging was at one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// When.
    pub at: Timestamp,
    /// Bytes that count: what lies in staging, or with a share as quota all that is taken on its disk.
    pub used: u64,
    /// What `used` may come to, bytes: never more than the disk has.
    pub quota: u64,
    /// Bytes that the disk has left.
    pub free: u64,
    /// How long until the quota is reached at the rate of the last hour.
    pub full_in: Option<Duration>,
    /// What people are told of.
    pub full: Fullness,
}

impl Room {
    /// The share of the quota that is taken, 0 to 1 or more.
    pub fn share(&self) -> f64 {
        self.used as f64 / self.quota.max(1) as f64
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.share() * 100.0;
        write!(f, "{} / {} ({percent:.0} %)", Bytes(self.used), Bytes(self.quota))
    }
}

/// Bytes as people read them.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..1_000_000_000 => write!(f, "{:.1} MB", bytes / 1e6),
            1_000_000_000..1_000_000_000_000 => write!(f, "{:.1} GB", bytes / 1e9),
            _ => write!(f, "{:.2} TB", bytes / 1e12),
        }
    }
}

/// Looks how full staging is, again and again.
pub struct Watch {
    staging: PathBuf,
    quota: Quota,
    every: Duration,
    reporter: Reporter,
    forecast: Forecast,
    full: Fullness,
    gauges: Gauges,
}

struct Gauges {
    used: IntGauge,
    quota: IntGauge,
    free: IntGauge,
    full_in: Gauge,
}

impl Gauges {
    fn register(registry: &Registry) -> prometheus::Result<Self> {
        let gauges = Self {
            used: IntGauge::new(
                "callseal_shipper_staging_used_bytes",
                "What counts towards the quota of staging.",
            )?,
            quota: IntGauge::new("callseal_shipper_staging_quota_bytes", "The quota of staging.")?,
            free: IntGauge::new("callseal_shipper_staging_free_bytes", "What the disk of staging has left.")?,
            full_in: Gauge::new(
                "callseal_shipper_staging_full_in_seconds",
                "When staging reaches its quota at the rate of the last hour; +Inf: not within a month.",
            )?,
        };
        registry.register(Box::new(gauges.used.clone()))?;
        registry.register(Box::new(gauges.quota.clone()))?;
        registry.register(Box::new(gauges.free.clone()))?;
        registry.register(Box::new(gauges.full_in.clone()))?;
        Ok(gauges)
    }

    fn show(&self, room: &Room) {
        let shown = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.used.set(shown(room.used));
        self.quota.set(shown(room.quota));
        self.free.set(shown(room.free));
        self.full_in.set(room.full_in.map_or(f64::INFINITY, |left| left.as_secs_f64()));
    }
}

impl Watch {
    /// Of the folder `staging`, each `every`; the rate is that of the last `window`. Registers `callseal_shipper_staging_used_bytes`,
    /// `_quota_bytes`, `_free_bytes` and `_full_in_seconds`.
    ///
    /// # Errors
    /// A name of the metrics is taken.
    pub fn new(
        staging: &Path,
        quota: Quota,
        (every, window): (Duration, Duration),
        reporter: Reporter,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let gauges = Gauges::register(registry)?;
        let (forecast, full) = (Forecast::over(window), Fullness::default());
        Ok(Self { staging: staging.to_owned(), quota, every, reporter, forecast, full, gauges })
    }

    /// Looks until `shutdown`, and says to `tell` what it saw.
    pub async fn run(mut self, tell: watch::Sender<Option<Room>>, shutdown: CancellationToken) {
        loop {
            let (staging, quota) = (self.staging.clone(), self.quota);
            match tokio::task::spawn_blocking(move || measure(&staging, quota)).await {
                Ok(Ok(measured)) => drop(tell.send_replace(Some(self.judge(measured, Timestamp::now())))),
                Ok(Err(error)) => {
                    tracing::warn!(error = format!("{error:#}"), "how full staging is cannot be seen");
                }
                Err(_) => {}
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(self.every)).await.is_none() {
                return;
            }
        }
    }

    /// What a measure means; what is new is told as an event.
    fn judge(&mut self, measured: Measured, now: Timestamp) -> Room {
        let Measured { used, quota, free } = measured;
        self.forecast.note(now, used);
        let full_in = self.forecast.full_in(quota.saturating_sub(used));
        let before = self.full;
        let room = Room { at: now, used, quota, free, full_in, full: before };
        self.full = before.next(room.share(), full_in);
        let room = Room { full: self.full, ..room };
        self.gauges.show(&room);
        for problem in news(before, &room) {
            tracing::warn!("staging: {problem}");
            self.reporter.fault_of_all("staging quota", &problem);
        }
        room
    }
}

/// What is to be told of a change.
fn news(before: Fullness, room: &Room) -> Vec<String> {
    let now = room.full;
    let mut told = Vec::new();
    if now.level > before.level {
        told.push(format!(
            "{} % of its quota are reached: {room}; see which target keeps recordings waiting",
            now.level
        ));
    } else if now.level < before.level {
        told.push(format!("less than {} % of its quota are taken again: {room}", before.level));
    }
    match room.full_in.filter(|_| now.soon && !before.soon) {
        Some(left) => told.push(format!("full in {:.0} h at this rate: {room}", left.as_secs_f64() / 3600.0)),
        None if before.soon && !now.soon => told.push(format!("is not full within a day any more: {room}")),
        None => {}
    }
    told
}

/// What a look at the disk finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Measured {
    used: u64,
    quota: u64,
    free: u64,
}

/// Looks at the disk; of a quota in bytes also at every file in staging.
fn measure(staging: &Path, quota: Quota) -> anyhow::Result<Measured> {
    let disk = statvfs(staging).context("the disk of staging does not answer")?;
    let block = disk.fragment_size();
    let (size, free) = (disk.blocks().saturating_mul(block), disk.blocks_available().saturating_mul(block));
    Ok(match quota {
        // What is kept for the administrator alone counts as taken: nobody else can write there.
        Quota::Percent(percent) => {
            Measured { used: size.saturating_sub(free), quota: (size as f64 * percent / 100.0) as u64, free }
        }
        Quota::Bytes(bytes) => {
            let used = taken(staging);
            Measured { used, quota: bytes.min(used.saturating_add(free)), free }
        }
    })
}

/// Bytes of the disk that what lies below a folder takes. What goes meanwhile is passed over.
fn taken(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let each = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => taken(&entry.path()),
        Ok(metadata) => metadata.blocks().saturating_mul(512),
        Err(_) => 0,
    });
    each.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn room(percent: u64, full: Fullness, full_in: Option<Duration>) -> Room {
        let (quota, free) = (500 * GB, 60 * GB);
        Room { at: Timestamp::UNIX_EPOCH, used: percent * 5 * GB, quota, free, full_in, full }
    }

    #[test]
    fn f83_what_changes_is_told_once_with_how_much_and_when() {
        let (well, high) = (Fullness::default(), Fullness { level: 85, soon: false });
        assert_eq!(news(well, &room(10, well, None)), [""; 0]);
        assert_eq!(
            news(well, &room(86, high, None)),
            [
                "85 % of its quota are reached: 430.0 GB / 500.0 GB (86 %); see which target keeps recordings waiting"
            ]
        );
        assert_eq!(news(high, &room(86, high, None)), [""; 0]);
        let six = Some(Duration::from_secs(6 * 3600));
        let soon = Fullness { soon: true, ..high };
        assert_eq!(
            news(high, &room(90, soon, six)),
            ["full in 6 h at this rate: 450.0 GB / 500.0 GB (90 %)"]
        );
        assert_eq!(news(soon, &room(50, well, None)).len(), 2);
    }

    #[test]
    fn a_quota_in_bytes_counts_what_lies_in_staging_and_never_exceeds_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sealed")).unwrap();
        std::fs::write(dir.path().join("sealed/a"), vec![1; 300_000]).unwrap();
        let measured = measure(dir.path(), Quota::Bytes(1_000_000)).unwrap();
        assert!((300_000..400_000).contains(&measured.used), "{measured:?}");
        assert_eq!(measured.quota, 1_000_000);
        let measured = measure(dir.path(), Quota::Bytes(u64::MAX / 2)).unwrap();
        assert_eq!(measured.quota, measured.used + measured.free);
        let share = measure(dir.path(), Quota::Percent(50.0)).unwrap();
        assert!(share.quota < share.used + share.free);
    }
}
