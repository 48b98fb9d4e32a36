//! How long to wait after a fault. Pure: the random number is an argument.

use std::time::Duration;

/// Exponential back-off with a ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Wait after the first fault.
    pub base: Duration,
    /// The longest wait, and the interval at which a paused destination is probed.
    pub ceiling: Duration,
}

impl Default for Backoff {
    /// Five seconds, doubled each time, up to an hour (F-71).
    fn default() -> Self {
        Self { base: Duration::from_secs(5), ceiling: Duration::from_secs(3600) }
    }
}

impl Backoff {
    /// The wait after the `faults`-th fault in a row (from 1). `random` in 0..1 takes off up to a
    /// quarter, so that replicas and destinations that failed together do not come back together.
    pub fn wait(&self, faults: u32, random: f64) -> Duration {
        let doubled =
            self.base.saturating_mul(1_u32.checked_shl(faults.saturating_sub(1)).unwrap_or(u32::MAX));
        doubled.min(self.ceiling).mul_f64(1.0 - random.clamp(0.0, 1.0) / 4.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_until_it_is_an_hour_and_stays_there() {
        let waits: Vec<u64> = (1..=12).map(|faults| Backoff::default().wait(faults, 0.0).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
        for faults in [0, 33, u32::MAX] {
            assert!(Backoff::default().wait(faults, 0.0) <= Duration::from_secs(3600), "{faults}");
        }
    }

    #[test]
    fn chance_takes_off_at_most_a_quarter() {
        let backoff = Backoff::default();
        assert_eq!(backoff.wait(20, 1.0), Duration::from_secs(2700));
        assert_eq!(backoff.wait(1, 0.5), Duration::from_millis(4375));
    }
}
