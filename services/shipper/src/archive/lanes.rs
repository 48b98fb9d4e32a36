//! One lane for each target: one that hangs keeps no other one from its work, and no tenant waits for another's.
//!
//! What is asked of a target has a time in which it is answered. While an answer is overdue nobody else queues up
//! behind it; once the time has passed the target is *stuck*: only one tries it again, now and then, and all
//! others are told at once that it does not answer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use delivery::{Backoff, Destination};
use prometheus::{IntGaugeVec, Opts, Registry};
use tokio::{sync::Notify, time::Instant};

/// So much is asked of one target at the same time.
const AT_ONCE: usize = 4;
/// An answer is overdue after this share of the time that it may take.
const OVERDUE: u32 = 12;

/// The lanes of all targets.
pub(super) struct Lanes {
    limit: Duration,
    backoff: Backoff,
    lanes: Mutex<BTreeMap<Destination, Arc<Lane>>>,
    stuck: IntGaugeVec,
}

#[derive(Default)]
struct Lane {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    asked: usize,
    overdue: usize,
    stuck: Option<Stuck>,
}

/// It did not answer in time.
struct Stuck {
    tries: u32,
    again_at: Instant,
}

/// Why something was not done at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Another one waits for an answer that is overdue.
    Busy,
    /// It does not answer. True: that is news.
    Stuck(bool),
}

/// A place in a lane, given back when dropped.
struct Place {
    lane: Arc<Lane>,
    overdue: bool,
}

impl Lanes {
    /// Each answer within `limit`; one that is stuck is tried again after a back-off. Registers
    /// `callseal_shipper_targets_not_answering`.
    ///
    /// # Errors
    /// The name of the metric is taken.
    pub fn new(limit: Duration, backoff: Backoff, registry: &Registry) -> prometheus::Result<Self> {
        let help =
            "Targets that do not answer in time when something is to be deleted there: 1 while that lasts.";
        let stuck = IntGaugeVec::new(
            Opts::new("callseal_shipper_targets_not_answering", help),
            &["tenant", "target"],
        )?;
        registry.register(Box::new(stuck.clone()))?;
        Ok(Self { limit, backoff, lanes: Mutex::default(), stuck })
    }

    /// So long an answer may take.
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// Asks something of a target when it is its turn.
    ///
    /// # Errors
    /// It was not asked, or did not answer in time.
    pub async fn ask<T>(&self, target: &Destination, work: impl Future<Output = T>) -> Result<T, Held> {
        let lane = Arc::clone(locked(&self.lanes).entry(target.clone()).or_default());
        let mut place = Place::enter(lane).await?;
        let mut work = std::pin::pin!(work);
        let overdue = self.limit / OVERDUE;
        let mut answer = tokio::time::timeout(overdue, &mut work).await;
        if answer.is_err() {
            place.is_overdue();
            answer = tokio::time::timeout(self.limit.saturating_sub(overdue), &mut work).await;
        }
        let labels = [target.tenant.as_str(), target.name.as_str()];
        let mut state = locked(&place.lane.state);
        match answer {
            Ok(answer) => {
                if state.stuck.take().is_some() {
                    // There was one, or not: it is not there any more.
                    let _removed = self.stuck.remove_label_values(&labels);
                }
                Ok(answer)
            }
            Err(_) => {
                let now = Instant::now();
                // Others may have asked at the same time: that it hangs was found out once.
                if state.stuck.as_ref().is_some_and(|stuck| now < stuck.again_at) {
                    return Err(Held::Stuck(false));
                }
                let tries = state.stuck.as_ref().map_or(0, |stuck| stuck.tries).saturating_add(1);
                state.stuck = Some(Stuck { tries, again_at: now + self.backoff.wait(tries, rand::random()) });
                self.stuck.with_label_values(&labels).set(1);
                Err(Held::Stuck(tries == 1))
            }
        }
    }
}

impl Place {
    async fn enter(lane: Arc<Lane>) -> Result<Self, Held> {
        loop {
            let mut changed = std::pin::pin!(lane.changed.notified());
            // Before the look: what changes after it is heard.
            changed.as_mut().enable();
            {
                let mut state = locked(&lane.state);
                let most = match &state.stuck {
                    Some(stuck) if state.asked > 0 || Instant::now() < stuck.again_at => {
                        return Err(Held::Stuck(false));
                    }
                    Some(_) => 1,
                    None if state.overdue > 0 => return Err(Held::Busy),
                    None => AT_ONCE,
                };
                if state.asked < most {
                    state.asked += 1;
                    drop(state);
                    return Ok(Self { lane: Arc::clone(&lane), overdue: false });
                }
            }
            changed.await;
        }
    }

    fn is_overdue(&mut self) {
        self.overdue = true;
        locked(&self.lane.state).overdue += 1;
        self.lane.changed.notify_waiters();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = locked(&self.lane.state);
        state.asked -= 1;
        state.overdue -= usize::from(self.overdue);
        drop(state);
        self.lane.changed.notify_waiters();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(120);

    fn lanes() -> Lanes {
        Lanes::new(LIMIT, Backoff::default(), &Registry::new()).unwrap()
    }

    fn target(name: &str) -> Destination {
        Destination { tenant: "acme".parse().unwrap(), name: name.parse().unwrap() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_hangs_holds_up_itself_alone_and_is_tried_by_one_at_a_time() {
        let (lanes, hangs, answers) = (lanes(), target("hangs"), target("answers"));
        let begun = Instant::now();
        // Six want something there: four ask, two wait, and no longer than until it is plain that it hangs.
        let wanted = futures::future::join_all((0..6).map(|_| lanes.ask(&hangs, pending::<()>())));
        let other = async {
            let answer = lanes.ask(&answers, async { 7 }).await;
            (answer, begun.elapsed())
        };
        let (outcomes, (answer, waited)) = tokio::join!(wanted, other);
        assert_eq!((answer, waited), (Ok(7), Duration::ZERO));
        let count = |held| outcomes.iter().filter(|outcome| **outcome == Err(held)).count();
        assert_eq!((count(Held::Busy), count(Held::Stuck(true)), count(Held::Stuck(false))), (2, 1, 3));
        assert_eq!(begun.elapsed(), LIMIT);
        // Nobody waits for it any more.
        let begun = Instant::now();
        assert_eq!(lanes.ask(&hangs, async {}).await, Err(Held::Stuck(false)));
        assert_eq!(begun.elapsed(), Duration::ZERO);
        // Later one tries, the others do not wait for that one; and when it answers all go on.
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let (tried, not) = tokio::join!(
            lanes.ask(&hangs, tokio::time::sleep(Duration::from_secs(1))),
            lanes.ask(&hangs, async {})
        );
        assert_eq!((tried, not), (Ok(()), Err(Held::Stuck(false))));
        assert_eq!(lanes.ask(&hangs, async { 3 }).await, Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_waiting_gives_the_place_back() {
        let (lanes, target) = (lanes(), target("archive"));
        for _ in 0..AT_ONCE {
            let gone =
                tokio::time::timeout(Duration::from_secs(20), lanes.ask(&target, pending::<()>())).await;
            assert!(gone.is_err());
        }
        assert_eq!(lanes.ask(&target, async { 3 }).await, Ok(3));
    }
}
