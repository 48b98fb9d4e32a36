//! The range of ports that RTP arrives at.

use std::{
    collections::VecDeque,
    fmt,
    ops::RangeInclusive,
    str::FromStr,
    time::{Duration, Instant},
};

/// A range of UDP ports, `FIRST-LAST`, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange(RangeInclusive<u16>);

/// Why a text is not a range of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a range of ports is FIRST-LAST, for example 20000-29999, and holds at least one even port followed by an odd one"
)]
pub struct InvalidPortRange;

impl PortRange {
    /// Even ports whose odd successor is in the range too: RTP and RTCP (RFC 3550, section 11).
    fn pairs(&self) -> impl Iterator<Item = u16> + use<> {
        let (first, last) = (*self.0.start(), *self.0.end());
        (first..last).filter(|port| port % 2 == 0)
    }
}

impl FromStr for PortRange {
    type Err = InvalidPortRange;
    fn from_str(text: &str) -> Result<Self, InvalidPortRange> {
        let (first, last) = text.split_once('-').ok_or(InvalidPortRange)?;
        let port =
            |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0).ok_or(InvalidPortRange);
        let range = Self(port(first)?..=port(last)?);
        if range.pairs().next().is_some() { Ok(range) } else { Err(InvalidPortRange) }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start(), self.0.end())
    }
}

/// Pairs of ports, handed out in turn. A pair that was used rests for a while, so that packets of
/// the former call that are still under way do not end up in the next one.
#[derive(Debug)]
pub struct PortPool {
    free: VecDeque<u16>,
    cooling: VecDeque<(Instant, u16)>,
    cool_down: Duration,
    /// So many pairs are kept for recordings.
    kept: usize,
}

impl PortPool {
    /// All pairs of `range`; `cool_down` is how long a used pair rests.
    pub fn new(range: &PortRange, cool_down: Duration) -> Self {
        let free: VecDeque<u16> = range.pairs().collect();
        let kept = free.len() / 4;
        Self { free, cooling: VecDeque::new(), cool_down, kept }
    }

    /// The even port of a pair that rested long enough at `now`; `None` when all are taken.
    pub fn take(&mut self, now: Instant) -> Option<u16> {
        while self.cooling.front().is_some_and(|(rested, _)| *rested <= now) {
            self.free.extend(self.cooling.pop_front().map(|(_, port)| port));
        }
        self.free.pop_front()
    }

    /// Puts a pair to rest at `now`.
    pub fn give_back(&mut self, port: u16, now: Instant) {
        self.cooling.push_back((now + self.cool_down, port));
    }

    /// True if a call that is not recorded may take a pair: a quarter of the range is left to those
    /// that are, however many call the consent endpoint.
    pub fn has_spare(&self) -> bool {
        self.unused() > self.kept
    }

    /// Pairs that could be taken now or after their rest.
    pub fn unused(&self) -> usize {
        self.free.len() + self.cooling.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(range: &str) -> PortPool {
        PortPool::new(&range.parse().unwrap(), Duration::from_secs(10))
    }

    #[test]
    fn pairs_begin_at_even_ports_and_end_within_the_range() {
        let mut pool = pool("20001-20006");
        let now = Instant::now();
        assert_eq!([pool.take(now), pool.take(now), pool.take(now)], [Some(20_002), Some(20_004), None]);
    }

    #[test]
    fn a_used_pair_rests_before_it_is_taken_again() {
        let mut pool = pool("20000-20001");
        let now = Instant::now();
        let port = pool.take(now).unwrap();
        pool.give_back(port, now);
        assert_eq!(pool.take(now + Duration::from_secs(9)), None);
        assert_eq!(pool.take(now + Duration::from_secs(10)), Some(port));
    }

    #[test]
    fn a_quarter_of_the_range_is_kept_for_recordings() {
        let mut pool = pool("20000-20007");
        let now = Instant::now();
        for _ in 0..3 {
            assert!(pool.has_spare());
            assert!(pool.take(now).is_some());
        }
        assert!(!pool.has_spare());
        let last = pool.take(now).unwrap();
        pool.give_back(last, now);
        assert!(!pool.has_spare());
        pool.give_back(20_000, now);
        assert!(pool.has_spare(), "its rest will be over");
        assert!(self::pool("20000-20001").has_spare(), "a single pair is for whoever comes first");
    }

    #[test]
    fn a_text_that_holds_no_pair_is_refused() {
        for bad in ["", "20000", "20001-20002", "20000-20000", "a-b", "0-1", "30000-20000", "20000-70000"] {
            assert!(bad.parse::<PortRange>().is_err(), "{bad}");
        }
        assert_eq!("20000-20001".parse::<PortRange>().unwrap().to_string(), "20000-20001");
    }
}
