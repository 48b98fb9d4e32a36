//! How much undecided audio may wait in memory, per call and on the whole node.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use prometheus::IntGauge;

/// The budget of the node; clones share it.
#[derive(Debug, Clone)]
pub struct Budget {
    used: Arc<AtomicU64>,
    per_call: u64,
    per_node: u64,
    gauge: IntGauge,
}

impl Budget {
    /// Limits in bytes; `gauge` shows what is used.
    pub fn new(per_call: u64, per_node: u64, gauge: IntGauge) -> Self {
        Self { used: Arc::default(), per_call, per_node, gauge }
    }

    /// True if the node has no memory for another call's undecided audio.
    pub fn is_spent(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.per_node
    }

    /// The share of one call; empty at first, given back when dropped.
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

/// What one call uses of the budget.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    bytes: u64,
}

impl Share {
    /// The call uses `bytes` now. False: that is more than it may.
    #[must_use]
    pub fn set(&mut self, bytes: u64) -> bool {
        if bytes == 0 && self.bytes == 0 {
            return true;
        }
        let used = &self.budget.used;
        // Unsigned arithmetic that wraps: adds a negative change too.
        let total = used
            .fetch_add(bytes.wrapping_sub(self.bytes), Ordering::Relaxed)
            .wrapping_add(bytes.wrapping_sub(self.bytes));
        self.bytes = bytes;
        self.budget.gauge.set(i64::try_from(total).unwrap_or(i64::MAX));
        bytes <= self.budget.per_call && (bytes == 0 || total <= self.budget.per_node)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_use_its_own_limit_and_all_calls_together_that_of_the_node() {
        let budget = Budget::new(100, 150, IntGauge::new("g", "g").unwrap());
        let (mut a, mut b) = (budget.share(), budget.share());
        assert!(a.set(100) && !a.set(101) && a.set(90));
        assert!(b.set(60) && !b.set(61));
        assert!(budget.is_spent());
        drop(a);
        assert!(b.set(100) && !budget.is_spent());
        drop(b);
        assert_eq!(budget.gauge.get(), 0);
    }
}
