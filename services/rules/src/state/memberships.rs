//! Who has logged on to which group, or off from it (F-08).
//!
//! Written to NATS first and taken from there alone, also by the replica that wrote it: all replicas
//! see the same changes in the same order. The API's answer waits until its own replica has seen
//! the change.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bus::{
    Bus, BusError,
    kv::{Bucket, Followed, Follower, Kv},
    subjects::call_token,
};
use domain::TenantId;
use tokio::sync::watch;
use wire::state_v1;

use super::{STORE_TIMEOUT, now_unix_us};

/// For ever: who logged off in December is not logged on by New Year.
const MEMBERSHIPS: Bucket = Bucket { name: "memberships", keep: None, max_bytes: 16 << 20 };
/// How long a decision waits until all is known again after the connection was lost. Shorter than ingest
/// waits for an answer: it asks again.
const KNOWN_WITHIN: Duration = Duration::from_millis(800);
/// How long a change may take from NATS to this process.
const SEEN_WITHIN: Duration = Duration::from_secs(4);

/// One user's state in one group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub active: bool,
    /// Unix time, microseconds.
    pub changed_unix_us: i64,
}

/// By group and user.
pub(crate) type OfTenant = BTreeMap<(String, String), Member>;

/// All tenants' memberships as this process has seen them, and the way to change them.
#[derive(Clone)]
pub(crate) struct Memberships {
    kv: Kv<state_v1::Membership>,
    seen: Arc<RwLock<HashMap<TenantId, Arc<OfTenant>>>>,
    /// What is in force here; `None`: NATS is away.
    known: watch::Sender<Option<Known>>,
}

/// What of the bucket is in force here.
#[derive(Clone, Copy)]
struct Known {
    /// Every change up to this one.
    revision: u64,
    /// The connection by which all of it came. On a later one much may have changed meanwhile.
    connection: u64,
}

impl Memberships {
    pub fn new(bus: &Bus) -> Self {
        Self { kv: bus.kv(MEMBERSHIPS), seen: Arc::default(), known: watch::Sender::new(None) }
    }

    /// What is known of a tenant's members.
    pub fn of(&self, tenant: &TenantId) -> Arc<OfTenant> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned().unwrap_or_default()
    }

    /// How many are known in all.
    pub fn count(&self) -> usize {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).values().map(|members| members.len()).sum()
    }

    /// Logs a user on or off. When this returns the change is kept, and in force in this process.
    ///
    /// Errors: it is not certain to be kept; or it is, but was not seen here in time.
    pub async fn set(
        &self,
        tenant: &TenantId,
        group: &str,
        user: &str,
        active: bool,
    ) -> Result<Member, BusError> {
        let changed_unix_us = now_unix_us();
        let value = state_v1::Membership {
            tenant: tenant.to_string(),
            group: group.to_owned(),
            user: user.to_owned(),
            active,
            changed_unix_us,
        };
        let stored = self.kv.put(&key(tenant, group, user), &value, STORE_TIMEOUT).await?;
        let mut known = self.known.subscribe();
        let seen = known.wait_for(|known| known.is_some_and(|known| known.revision >= stored));
        match tokio::time::timeout(SEEN_WITHIN, seen).await {
            Ok(_) => Ok(Member { active, changed_unix_us }),
            Err(_) => Err(BusError::Timeout { whom: "NATS KV".to_owned(), after: SEEN_WITHIN }),
        }
    }

    /// Waits until what is in force here is what NATS holds. After a lost connection requests come as
    /// soon as there is a new one; the memberships that changed meanwhile come a moment later.
    ///
    /// Errors: NATS is away, or they did not come in time.
    pub async fn current(&self) -> Result<(), BusError> {
        let mut known = self.known.subscribe();
        let is_current =
            |known: &Option<Known>| known.is_some_and(|known| self.kv.connection() == Some(known.connection));
        match tokio::time::timeout(KNOWN_WITHIN, known.wait_for(is_current)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(BusError::Timeout { whom: "NATS KV".to_owned(), after: KNOWN_WITHIN }),
        }
    }

    pub fn follow(&self) -> Follower<state_v1::Membership> {
        self.kv.follow()
    }

    /// Takes over what NATS told; `in_force` is called with the tenants that it concerns before
    /// anybody is told that the changes were seen. Whether the state is current.
    pub fn take(
        &self,
        news: Vec<Followed<state_v1::Membership>>,
        in_force: impl FnOnce(&HashSet<TenantId>),
    ) -> bool {
        let (mut changed, mut last) = (HashSet::new(), *self.known.borrow());
        for one in news {
            last = match one {
                Followed::All { entries, revision, connection } => {
                    let all = entries.into_iter().filter_map(|(key, value)| read(&key, value));
                    changed.extend(self.replace(all));
                    Some(Known { revision, connection })
                }
                Followed::One { key, value, revision } => {
                    changed.extend(self.change(&key, value));
                    last.map(|known| Known { revision, ..known })
                }
                Followed::Lost => None,
            };
        }
        in_force(&changed);
        self.known.send_replace(last);
        last.is_some()
    }

    /// All tenants that had or have members.
    fn replace(&self, all: impl Iterator<Item = (TenantId, (String, String), Member)>) -> HashSet<TenantId> {
        let mut by_tenant: HashMap<TenantId, OfTenant> = HashMap::new();
        for (tenant, member, state) in all {
            by_tenant.entry(tenant).or_default().insert(member, state);
        }
        let by_tenant: HashMap<_, _> = by_tenant.into_iter().map(|(id, all)| (id, Arc::new(all))).collect();
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        let tenants = seen.keys().chain(by_tenant.keys()).cloned().collect();
        *seen = by_tenant;
        tenants
    }

    fn change(&self, key: &str, value: Option<state_v1::Membership>) -> HashSet<TenantId> {
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        match value {
            Some(value) => read(key, value).map(|(tenant, member, state)| {
                Arc::make_mut(seen.entry(tenant.clone()).or_default()).insert(member, state);
                tenant
            }),
            // Deleted by hand: the Directory counts again.
            None => {
                key.split('.').next().and_then(|tenant| tenant.parse::<TenantId>().ok()).inspect(|tenant| {
                    if let Some(members) = seen.get_mut(tenant) {
                        Arc::make_mut(members)
                            .retain(|(group, user), _| self::key(tenant, group, user) != key);
                    }
                })
            }
        }
        .into_iter()
        .collect()
    }
}

/// A stored value; none if it does not fit its key: somebody else's.
fn read(key: &str, value: state_v1::Membership) -> Option<(TenantId, (String, String), Member)> {
    let tenant: TenantId = value.tenant.parse().ok()?;
    if self::key(&tenant, &value.group, &value.user) != key {
        tracing::warn!("a membership does not fit its key and is passed over");
        return None;
    }
    let state = Member { active: value.active, changed_unix_us: value.changed_unix_us };
    Some((tenant, (value.group, value.user), state))
}

/// Names may hold anything; their hashes are tokens.
fn key(tenant: &TenantId, group: &str, user: &str) -> String {
    format!("{tenant}.{}.{}", call_token(group), call_token(user))
}
