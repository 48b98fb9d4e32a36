//! Readiness: named conditions, each with a reason when it does not hold.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

type Conditions = BTreeMap<&'static str, State>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Holds,
    /// It holds, but somebody should look.
    Degraded(String),
    Failed(String),
}

/// The conditions of one service.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<Conditions>>);

impl Health {
    pub(crate) fn condition(&self, name: &'static str) -> Condition {
        self.lock().entry(name).or_insert_with(|| State::Failed("not yet".to_owned()));
        Condition { health: self.clone(), name }
    }

    /// `Ok` if every condition holds, else those that don't, with their reasons. A service that has
    /// named no condition yet has only just been started: it is not ready.
    pub fn ready(&self) -> Result<(), Vec<String>> {
        let conditions = self.lock();
        if conditions.is_empty() {
            return Err(vec!["start: not yet".to_owned()]);
        }
        let failed = texts(&conditions, |state| match state {
            State::Failed(reason) => Some(reason),
            State::Holds | State::Degraded(_) => None,
        });
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    /// What does not hinder readiness, but somebody should look at.
    pub fn remarks(&self) -> Vec<String> {
        texts(&self.lock(), |state| match state {
            State::Degraded(remark) => Some(remark),
            State::Holds | State::Failed(_) => None,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Conditions> {
        // The map is whole between any two statements: a poisoned lock is still good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn texts(conditions: &Conditions, of: impl Fn(&State) -> Option<&String>) -> Vec<String> {
    conditions.iter().filter_map(|(name, state)| Some(format!("{name}: {}", of(state)?))).collect()
}

/// One condition of a service's readiness.
#[derive(Debug, Clone)]
pub struct Condition {
    health: Health,
    name: &'static str,
}

impl Condition {
    /// The condition holds.
    pub fn set_ok(&self) {
        self.set(State::Holds);
    }

    /// The condition holds: the service is ready. `remark` is what somebody should look at all the
    /// same; `/readyz` shows it.
    pub fn set_degraded(&self, remark: impl Into<String>) {
        self.set(State::Degraded(remark.into()));
    }

    /// The condition does not hold; `reason` is for the person who looks at `/readyz`.
    pub fn set_failed(&self, reason: impl Into<String>) {
        self.set(State::Failed(reason.into()));
    }

    fn set(&self, state: State) {
        let before = self.health.lock().insert(self.name, state.clone());
        if before.as_ref() != Some(&state) {
            match state {
                State::Holds => tracing::info!(condition = self.name, "ready"),
                State::Degraded(remark) => tracing::warn!(condition = self.name, remark, "ready, but"),
                State::Failed(reason) => tracing::warn!(condition = self.name, reason, "not ready"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Service;

    #[test]
    fn a_service_is_ready_when_every_condition_holds_and_says_which_does_not() {
        let service = Service::new("test");
        assert_eq!(service.health().ready(), Err(vec!["start: not yet".to_owned()]));
        let (nats, key) = (service.condition("nats"), service.condition("key"));
        nats.set_ok();
        assert_eq!(service.health().ready(), Err(vec!["key: not yet".to_owned()]));
        key.set_ok();
        assert_eq!(service.health().ready(), Ok(()));
        key.set_degraded("expires tomorrow");
        assert_eq!(service.health().ready(), Ok(()));
        assert_eq!(service.health().remarks(), ["key: expires tomorrow"]);
        key.set_failed("wrong PIN");
        assert!(service.health().remarks().is_empty());
        assert_eq!(service.health().ready(), Err(vec!["key: wrong PIN".to_owned()]));
    }
}
