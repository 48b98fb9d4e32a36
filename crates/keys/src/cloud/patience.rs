//! How often and how long a service is asked: what may be repeated, who has to wait, and when to give up.
//! One set of rules for all services; the SDKs' own repetitions are switched off.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::error::{CloudError, Fault, Source};

/// How long to go on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// One attempt: connecting, signing in, asking.
    pub(crate) attempt: Duration,
    /// All attempts with the pauses between: a caller holds a thread, and the lease of a lane.
    pub(crate) whole: Duration,
    /// Pause after the first failure; each further one is twice as long, up to a tenth of `whole`.
    pub(crate) first_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let [attempt, whole] = [10, 30].map(Duration::from_secs);
        Self { attempt, whole, first_pause: Duration::from_millis(200) }
    }
}

/// Whether a request that may have been carried out may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Asking, signing.
    Yes,
    /// Making a key: a second one would be a second key.
    OnlyIfTurnedAway,
}

/// The patience with one service, shared by all threads that ask it.
#[derive(Debug)]
pub(crate) struct Patience {
    limits: Limits,
    /// When the service asked one thread to wait, the others wait as well: they would be turned away,
    /// and each such request counts.
    not_before: Mutex<Option<Instant>>,
}

impl Patience {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, not_before: Mutex::default() }
    }

    /// Asks until there is an answer, the answer cannot become another one, or the time is up.
    pub(crate) async fn ask<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        place: &str,
        again: Again,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, CloudError> {
        let deadline = Instant::now() + self.limits.whole;
        let mut pause = self.limits.first_pause;
        loop {
            if let Some(moment) = self.not_before() {
                sleep_until(moment).await;
            }
            match timeout(self.limits.attempt, attempt())
                .await
                .unwrap_or_else(|late| Err(Fault::Away(late.into())))
            {
                Ok(answer) => return Ok(answer),
                Err(Fault::Refused(error)) => return Err(error),
                Err(Fault::Busy { after, source }) => {
                    let until = Instant::now() + after.unwrap_or(pause).max(pause);
                    if until > deadline {
                        return Err(CloudError::Throttled { place: place.to_owned(), after, source });
                    }
                    tracing::warn!(place, wait = ?after, "the key service asks to wait");
                    self.hold_back(until);
                }
                Err(Fault::Away(source)) => {
                    let unreachable =
                        |source: Source| CloudError::Unreachable { place: place.to_owned(), source };
                    if again == Again::OnlyIfTurnedAway || Instant::now() + pause > deadline {
                        return Err(unreachable(source));
                    }
                    // Threads that failed together do not return together.
                    sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
                }
            }
            pause = (pause * 2).min(self.limits.whole / 10);
        }
    }

    fn not_before(&self) -> Option<Instant> {
        *self.not_before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold_back(&self, until: Instant) {
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *not_before = (*not_before).max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const LIMITS: Limits = Limits {
        attempt: Duration::from_secs(10),
        whole: Duration::from_secs(30),
        first_pause: Duration::from_millis(200),
    };

    fn busy(seconds: u64) -> Fault {
        Fault::Busy { after: Some(Duration::from_secs(seconds)), source: "429".into() }
    }

    /// Each attempt is noted with its second, and meets the next of `faults`; after them, success.
    async fn attempts(faults: Vec<Fault>, again: Again) -> (Result<(), CloudError>, Vec<u64>) {
        let (begun, seen, faults) = (Instant::now(), RefCell::new(vec![]), RefCell::new(faults.into_iter()));
        let attempt = || async {
            seen.borrow_mut().push(begun.elapsed().as_secs());
            faults.borrow_mut().next().map_or(Ok(()), Err)
        };
        let answer = Patience::new(LIMITS).ask("the vault", again, attempt).await;
        (answer, seen.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_service_asks_to_wait_is_waited_and_no_less() {
        let (answer, seen) = attempts(vec![busy(7), busy(12)], Again::OnlyIfTurnedAway).await;
        answer.unwrap();
        assert_eq!(seen, [0, 7, 19]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_too_long_is_told_at_once_instead_of_slept() {
        let begun = Instant::now();
        let (answer, seen) = attempts(vec![busy(600)], Again::Yes).await;
        assert!(answer.unwrap_err().to_string().contains("asks to wait 600 s"));
        assert_eq!((seen.len(), begun.elapsed().as_secs()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_thread_that_is_turned_away_holds_the_others_back() {
        let patience = Patience::new(LIMITS);
        let begun = Instant::now();
        let faults = RefCell::new(vec![busy(9)]);
        let first =
            patience.ask("the vault", Again::Yes, || async { faults.borrow_mut().pop().map_or(Ok(()), Err) });
        let second = async {
            sleep(Duration::from_secs(1)).await;
            patience.ask("the vault", Again::Yes, || async { Ok(begun.elapsed().as_secs()) }).await
        };
        let (first, second) = tokio::join!(first, second);
        first.unwrap();
        assert_eq!(second.unwrap(), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_is_away_is_asked_again_until_the_time_is_up() {
        let away = || Fault::Away("no route".into());
        let (answer, seen) = attempts((0..3).map(|_| away()).collect(), Again::Yes).await;
        answer.unwrap();
        assert_eq!(seen.len(), 4);
        let (answer, seen) = attempts((0..1000).map(|_| away()).collect(), Again::Yes).await;
        assert!(matches!(answer, Err(CloudError::Unreachable { .. })));
        assert!(seen.last().is_some_and(|second| (25..=30).contains(second)), "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_must_not_happen_twice_is_not_repeated_after_silence() {
        let (answer, seen) = attempts(vec![Fault::Away("reset".into())], Again::OnlyIfTurnedAway).await;
        assert!(matches!(answer, Err(CloudError::Unreachable { .. })));
        assert_eq!(seen, [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_ends_with_the_attempt() {
        let patience = Patience::new(LIMITS);
        let begun = Instant::now();
        let never = || std::future::pending::<Result<(), Fault>>();
        let answer = patience.ask("the vault", Again::OnlyIfTurnedAway, never).await;
        assert!(matches!(answer, Err(CloudError::Unreachable { .. })));
        assert_eq!(begun.elapsed(), LIMITS.attempt);
    }
}
