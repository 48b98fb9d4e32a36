//! Readiness: named conditions, each with a reason when it does not hold.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

type Conditions = BTreeMap<&'static str, Result<(), String>>;

/// The conditions of one service.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<Conditions>>);

impl Health {
    pub(crate) fn condition(&self, name: &'static str) -> Condition {
        self.lock().entry(name).or_insert_with(|| Err("not yet".to_owned()));
        Condition { health: self.clone(), name }
    }

    /// `Ok` if every condition holds, else those that don't, with their reasons. A service that has
    /// named no condition yet has only just been started: it is not ready.
    pub fn ready(&self) -> Result<(), Vec<String>> {
        let conditions = self.lock();
        if conditions.is_empty() {
            return Err(vec!["start: not yet".to_owned()]);
        }
        let failed: Vec<String> = conditions
            .iter()
            .filter_map(|(name, state)| state.as_ref().err().map(|reason| format!("{name}: {reason}")))
            .collect();
        if failed.is_empty() { Ok(()) } else { Err(failed) }
    }

    fn lock(&self) -> MutexGuard<'_, Conditions> {
        // The map is whole between any two statements: a poisoned lock is still good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        self.set(Ok(()));
    }

    /// The condition does not hold; `reason` is for the person who looks at `/readyz`.
    pub fn set_failed(&self, reason: impl Into<String>) {
        self.set(Err(reason.into()));
    }

    fn set(&self, state: Result<(), String>) {
        let before = self.health.lock().insert(self.name, state.clone());
        if before.as_ref() != Some(&state) {
            match state {
                Ok(()) => tracing::info!(condition = self.name, "ready"),
                Err(reason) => tracing::warn!(condition = self.name, reason, "not ready"),
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
        key.set_failed("wrong PIN");
        assert_eq!(service.health().ready(), Err(vec!["key: wrong PIN".to_owned()]));
    }
}
