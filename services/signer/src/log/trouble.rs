//! What is wrong with logs that cannot be signed now, though nothing says that they must not go on:
//! tried again, ever less often, and shown meanwhile.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::TenantId;
use tokio::time::Instant;

/// The longest pause of a log that cannot be signed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What is wrong with logs, by tenant.
#[derive(Default)]
pub struct Troubles(Mutex<BTreeMap<TenantId, Trouble>>);

/// What is wrong with one.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// In words.
    problem: String,
    /// Its key is away: that is shown with the keys.
    pub is_key: bool,
    pause: Duration,
    until: Instant,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not signed now, and tried again: {}", self.problem)
    }
}

impl Troubles {
    /// Notes it; true if it is another one than before.
    pub(super) fn note(&self, tenant: &TenantId, problem: &str, is_key: bool) -> bool {
        let mut all = self.all();
        let known = all.remove(tenant);
        let is_news = known.as_ref().is_none_or(|known| known.problem != problem);
        let pause = known.map_or(Duration::from_secs(1), |known| (known.pause * 2).min(LONGEST_PAUSE));
        let until = Instant::now() + pause;
        all.insert(tenant.clone(), Trouble { problem: problem.to_owned(), is_key, pause, until });
        is_news
    }

    /// It is not to be tried yet.
    pub(super) fn is_paused(&self, tenant: &TenantId) -> bool {
        self.all().get(tenant).is_some_and(|trouble| trouble.until > Instant::now())
    }

    /// Ends all pauses: a key is there again.
    pub(crate) fn try_now(&self) {
        let now = Instant::now();
        self.all().values_mut().for_each(|trouble| trouble.until = now);
    }

    /// All is well again; true if it was not.
    pub(super) fn is_over(&self, tenant: &TenantId) -> bool {
        self.all().remove(tenant).is_some()
    }

    /// Another replica looks after the logs now.
    pub(super) fn forget(&self) {
        self.all().clear();
    }

    /// What is wrong with the log of `tenant`, if anything.
    pub fn of(&self, tenant: &TenantId) -> Option<Trouble> {
        self.all().get(tenant).cloned()
    }

    /// All that is wrong now.
    pub fn now(&self) -> Vec<(TenantId, Trouble)> {
        self.all().iter().map(|(tenant, trouble)| (tenant.clone(), trouble.clone())).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<TenantId, Trouble>> {
        // Whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
