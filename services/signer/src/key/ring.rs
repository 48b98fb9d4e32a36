//! The key ring.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bus::{Bus, with_sources};
use domain::TenantId;
use evidence::KeyId;
use futures::future;
use jiff::Timestamp;
use keys::{KeyError, KeyName, KeySet};
use tokio::sync::{Mutex as AsyncMutex, Notify};
use wire::event_v1::{Event, Fault, event::What};

use super::{KeySource, KeyWishes, NoKey, away::Away, publish};
use crate::{
    context::{WORKS_AGAIN, unix_us},
    metrics::Metrics,
    staging::Staging,
    state::{State, signing_key::KeyRow},
};

/// Keys by label, and what is known of them.
pub struct KeyRing {
    source: Arc<dyn KeySource>,
    wishes: Arc<dyn KeyWishes>,
    /// What the options call the installation's first key.
    default: KeyName,
    state: State,
    staging: Staging,
    bus: Bus,
    metrics: Metrics,
    /// Those that are open, by label.
    open: Mutex<BTreeMap<String, Slot>>,
    /// The certificates that lie in staging, by owner.
    published: Mutex<BTreeSet<(Option<TenantId>, String)>>,
    away: Mutex<Away>,
    back: Notify,
}

/// How closely keys are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Whether they are there.
    Brief,
    /// And which certificate they have now.
    Certificate,
    /// And whether they sign: each a test message (F-57).
    Signing,
}

/// A key, if it is open. Held while it is opened: its token is asked once, not by every lane; and whoever
/// signs with another key does not wait.
type Slot = Arc<AsyncMutex<Option<KeySet>>>;

/// Which key is to sign for a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InForce {
    /// Whose it is: the tenant, or `None` for the installation.
    pub owner: Option<TenantId>,
    /// Its label.
    pub label: String,
    /// Which key the label must belong to; `None`: it was never in force, whatever lies there is it.
    pub key_id: Option<KeyId>,
}

impl KeyRing {
    /// A ring over the keys of `source`; `default` names the installation's first one.
    pub fn new(
        source: Arc<dyn KeySource>,
        wishes: Arc<dyn KeyWishes>,
        default: KeyName,
        (state, staging, bus, metrics): (State, Staging, Bus, Metrics),
    ) -> Self {
        Self {
            source,
            wishes,
            default,
            state,
            staging,
            bus,
            metrics,
            open: Mutex::default(),
            published: Mutex::default(),
            away: Mutex::default(),
            back: Notify::new(),
        }
    }

    /// The keys that sign for `tenant` now: recordings and log.
    ///
    /// # Errors
    /// The key cannot be used now; that has been reported. Ask again later.
    pub async fn of(&self, tenant: &TenantId) -> Result<KeySet, NoKey> {
        let in_force = self.in_force(Some(tenant)).await?;
        self.opened(&in_force).await
    }

    /// A key of `tenant` failed in use: it is opened anew when it is needed next.
    pub async fn lost(&self, tenant: &TenantId, error: &KeyError) {
        let Ok(in_force) = self.in_force(Some(tenant)).await else { return };
        *self.slot(&in_force.label).lock().await = None;
        self.report(&in_force.label, error);
    }

    /// Resolves when a key that was away is there again. For one waiter.
    pub async fn came_back(&self) {
        self.back.notified().await;
    }

    /// What is wrong with the keys in use; none: all sign.
    pub fn problems(&self) -> Vec<String> {
        self.away().problems().map(str::to_owned).collect()
    }

    /// Asks for each key that is in use, so that one that is away is noticed, and noticed again when it
    /// is back. More of it with `look`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub async fn look_after_all(&self, look: Look) -> Result<(), NoKey> {
        let tenants = self.wishes.tenants();
        // Before there is a tenant: the key that its calls will be sealed with.
        let owners = if tenants.is_empty() { vec![None] } else { tenants.into_iter().map(Some).collect() };
        let mut seen = BTreeMap::new();
        for owner in owners {
            let in_force = self.in_force(owner.as_ref()).await?;
            seen.entry((in_force.label.clone(), in_force.owner.clone())).or_insert(in_force);
        }
        // Beside each other: one that answers slowly keeps nobody from noticing that another one is back.
        let looks = seen.values().map(|in_force| async {
            match self.opened(in_force).await {
                Ok(set) if look != Look::Brief => self.check(in_force, set, look).await,
                Err(fault @ NoKey::State(_)) => return Err(fault),
                _ => {}
            }
            Ok(())
        });
        future::join_all(looks).await.into_iter().collect()
    }

    /// Publishes a certificate that was imported since the key was opened.
    async fn check(&self, in_force: &InForce, set: KeySet, look: Look) {
        let work = move || {
            if look == Look::Signing {
                set.signing.check()?;
                set.log.check()?;
            }
            set.signing.certificate_now()
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(pem)) => self.publish(in_force.owner.as_ref(), &pem).await,
            Ok(Err(error)) => {
                *self.slot(&in_force.label).lock().await = None;
                self.report(&in_force.label, &error);
            }
            // The process is ending.
            Err(_) => {}
        }
    }

    /// Puts a certificate into staging, unless it was put there before. What fails is tried again when the
    /// key is needed the next time.
    async fn publish(&self, owner: Option<&TenantId>, pem: &str) {
        let this = (owner.cloned(), pem.to_owned());
        if self.published().contains(&this) {
            return;
        }
        match publish::certificate(pem, owner, &self.staging).await {
            Ok(()) => drop(self.published().insert(this)),
            Err(error) => {
                let problem = error.to_string();
                tracing::warn!(error = problem, "the certificate could not be put into staging");
            }
        }
    }

    /// Which key is to sign. One that a tenant's own row names stays in force until a change is asked
    /// for ([`super::change`]); so the configuration may still name the one before.
    pub(super) async fn in_force(&self, tenant: Option<&TenantId>) -> Result<InForce, NoKey> {
        let row = self.state.key_in_force(tenant).await?;
        let wish = tenant.and_then(|tenant| self.wishes.label(tenant));
        Ok(match (row, wish, tenant) {
            (Some(row), wish, _) if !row.tenant.is_empty() || wish.is_none() => InForce {
                owner: tenant.filter(|_| !row.tenant.is_empty()).cloned(),
                key_id: row.key_id.parse().ok(),
                label: row.label,
            },
            (_, Some(wish), Some(tenant)) => {
                InForce { owner: Some(tenant.clone()), label: wish.to_string(), key_id: None }
            }
            _ => InForce { owner: None, label: self.default.to_string(), key_id: None },
        })
    }

    /// The label that the configuration wants for `tenant` and that never was in force for it.
    pub(super) async fn wanted(&self, tenant: &TenantId) -> Result<Option<String>, NoKey> {
        let Some(wish) = self.wishes.label(tenant) else { return Ok(None) };
        let known = self.state.keys_of(Some(tenant)).await?;
        Ok((known.iter().all(|row| row.label != wish.as_str())).then(|| wish.to_string()))
    }

    /// Whether the tenant has a key of its own, or is to get one.
    pub(super) async fn has_own(&self, tenant: &TenantId) -> Result<bool, NoKey> {
        Ok(self.wishes.label(tenant).is_some() || !self.state.keys_of(Some(tenant)).await?.is_empty())
    }

    /// A key that signed for `tenant` before.
    pub(super) async fn former(&self, tenant: &TenantId, key_id: &str) -> Result<KeySet, NoKey> {
        let mut rows = self.state.keys_of(Some(tenant)).await?;
        rows.extend(self.state.keys_of(None).await?);
        let row = rows.iter().find(|row| row.key_id == key_id);
        let owner = row.filter(|row| !row.tenant.is_empty()).map(|_| tenant.clone());
        let label = row.map_or_else(|| self.default.to_string(), |row| row.label.clone());
        self.opened(&InForce { owner, label, key_id: key_id.parse().ok() }).await
    }

    /// Another set of keys signs from now on.
    pub(super) async fn took_over(&self, label: &str, set: KeySet) {
        *self.slot(label).lock().await = Some(set);
        // Keys that are not in use any more may stay away.
        *self.away() = Away::default();
        self.count();
        self.back.notify_one();
    }

    /// The keys of that label, opened when they are not.
    pub(super) async fn opened(&self, in_force: &InForce) -> Result<KeySet, NoKey> {
        let label = in_force.label.as_str();
        let slot = self.slot(label);
        let mut open = slot.lock().await;
        if let Some(set) = &*open {
            self.publish(in_force.owner.as_ref(), set.signing.certificate_pem()).await;
            return Ok(set.clone());
        }
        if let Some(problem) = self.away().not_yet(label, Instant::now()) {
            return Err(NoKey::Away(problem));
        }
        let opened = match self.unknown(label).await {
            Ok(set) if in_force.key_id.is_some_and(|id| id != set.signing.key_id()) => {
                Err(NoKey::Another(label.to_owned()))
            }
            other => other,
        };
        let set = match opened {
            Ok(set) => set,
            Err(fault) => {
                self.report(label, &fault);
                return Err(fault);
            }
        };
        // A tenant's own first key is written down with its entry in the log, see `change`.
        if in_force.key_id.is_none() && in_force.owner.is_none() {
            self.state.store_first_key(&row_of(None, label, &set)).await?;
        }
        self.publish(in_force.owner.as_ref(), set.signing.certificate_pem()).await;
        *open = Some(set.clone());
        if self.away().is_back(label) {
            tracing::warn!(key = label, "the signing key is back: what waits is sealed");
            if self.away().count() == 0 {
                self.tell(WORKS_AGAIN.to_owned(), false);
            }
            self.back.notify_one();
        }
        self.count();
        Ok(set)
    }

    /// Opens keys of which nothing is expected yet.
    pub(super) async fn unknown(&self, label: &str) -> Result<KeySet, NoKey> {
        let (source, name) = (self.source.clone(), KeyName::from(label));
        let opened = tokio::task::spawn_blocking(move || source.open(&name)).await;
        Ok(opened.map_err(|_| NoKey::Stopped)??)
    }

    /// Counts, logs and tells people, each as often as it should be.
    fn report(&self, label: &str, error: &dyn std::error::Error) {
        let problem = with_sources(error);
        let is_news = self.away().note(label, &problem, Instant::now());
        self.metrics.faults.with_label_values(&["key"]).inc();
        self.count();
        if is_news {
            tracing::error!(key = label, error = problem, "recordings are kept and wait for the signing key");
            self.tell(problem, true);
        }
    }

    fn tell(&self, problem: String, will_retry: bool) {
        let fault = Fault { r#where: "signer/key".to_owned(), problem, will_retry };
        self.bus.event(Event {
            recording_id: String::new(),
            tenant: String::new(),
            at_unix_us: unix_us(),
            service: "signer".to_owned(),
            what: Some(What::Fault(fault)),
        });
    }

    fn count(&self) {
        self.metrics.keys_away.set(i64::try_from(self.away().count()).unwrap_or(i64::MAX));
    }

    fn slot(&self, label: &str) -> Slot {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.entry(label.to_owned()).or_default().clone()
    }

    fn published(&self) -> MutexGuard<'_, BTreeSet<(Option<TenantId>, String)>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn away(&self) -> MutexGuard<'_, Away> {
        // Whole between any two statements.
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The row of a key that comes into force now.
pub(super) fn row_of(owner: Option<&TenantId>, label: &str, set: &KeySet) -> KeyRow {
    KeyRow {
        tenant: owner.map(TenantId::to_string).unwrap_or_default(),
        label: label.to_owned(),
        key_id: set.signing.key_id().to_string(),
        certificate_pem: set.signing.certificate_pem().to_owned(),
        log_key: BASE64_STANDARD.encode(set.log.public().to_typed_bytes()),
        from_ms: Timestamp::now().as_millisecond(),
    }
}
