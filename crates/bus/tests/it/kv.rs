//! Run-time state in NATS KV.

use std::{collections::BTreeMap, time::Duration};

use bus::{
    BusError,
    kv::{Bucket, Followed, Follower, Kv},
};
use wire::state_v1::CallOverride;

use crate::setup::*;

const PATIENCE: Duration = Duration::from_secs(60);
const BUCKET: Bucket = Bucket { name: "test", keep: None, max_bytes: 1 << 20 };

fn value(text: &str) -> CallOverride {
    CallOverride { r#override: text.into(), changed_unix_us: 1 }
}

/// What a follower knows, as it was told.
struct Known {
    follower: Follower<CallOverride>,
    values: BTreeMap<String, String>,
    revision: u64,
    lost: usize,
}

impl Known {
    fn of(kv: &Kv<CallOverride>) -> Self {
        Self { follower: kv.follow(), values: BTreeMap::new(), revision: 0, lost: 0 }
    }

    async fn becomes(&mut self, wanted: impl Fn(&Self) -> bool) {
        while !wanted(self) {
            match soon("news", self.follower.next()).await.unwrap() {
                Followed::All { entries, revision, .. } => {
                    self.values = entries.into_iter().map(|(key, value)| (key, value.r#override)).collect();
                    self.revision = revision;
                }
                Followed::One { key, value: Some(value), revision } => {
                    self.values.insert(key, value.r#override);
                    self.revision = revision;
                }
                Followed::One { key, value: None, revision } => {
                    self.values.remove(&key);
                    self.revision = revision;
                }
                Followed::Lost => self.lost += 1,
            }
        }
    }

    fn is(&self, values: &[(&str, &str)]) -> bool {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(values.iter().copied())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_is_found_by_the_very_next_look_of_another_connection() {
    let nats = Nats::start();
    let (here, there) = (nats.bus().await.kv(BUCKET), nats.bus().await.kv::<CallOverride>(BUCKET));
    assert_eq!(there.get("a.1", PATIENCE).await.unwrap(), None, "there is not even a bucket");
    for round in 0..50 {
        let value = value(&round.to_string());
        here.put("a.1", &value, PATIENCE).await.unwrap();
        assert_eq!(there.get("a.1", PATIENCE).await.unwrap(), Some(value));
    }
    assert_eq!(there.get("a.2", PATIENCE).await.unwrap(), None);
    // As `nats kv get` would.
    let store = nats.raw().await.get_key_value("test").await.unwrap();
    assert!(store.get("a.1").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_knows_all_values_and_every_change_over_a_killed_server() {
    let mut nats = Nats::start();
    let kv = nats.bus().await.kv(BUCKET);
    kv.put("a.1", &value("deny"), PATIENCE).await.unwrap();
    let mut known = Known::of(&kv);
    known.becomes(|known| known.is(&[("a.1", "deny")])).await;
    let stored = kv.put("a.2", &value("force"), PATIENCE).await.unwrap();
    known.becomes(|known| known.revision >= stored).await;
    assert!(known.is(&[("a.1", "deny"), ("a.2", "force")]));
    // By hand, as `nats kv del` does.
    nats.raw().await.get_key_value("test").await.unwrap().delete("a.1").await.unwrap();
    known.becomes(|known| known.is(&[("a.2", "force")])).await;

    nats.kill();
    known.becomes(|known| known.lost == 1).await;
    let refused = kv.put("a.3", &value("deny"), PATIENCE).await;
    assert!(matches!(refused, Err(BusError::NotConnected)), "{refused:?}");
    nats.restart();
    known.values.clear();
    known.becomes(|known| known.is(&[("a.2", "force")])).await;
    let stored = kv.put("a.2", &value("auto"), PATIENCE).await.unwrap();
    known.becomes(|known| known.revision >= stored).await;
    assert!(known.is(&[("a.2", "auto")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_bucket_is_known_to_be_empty() {
    let nats = Nats::start();
    let kv = nats.bus().await.kv::<CallOverride>(BUCKET);
    let first = soon("the first news", kv.follow().next()).await.unwrap();
    assert!(matches!(first, Followed::All { entries, revision: 0, .. } if entries.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_would_forget_is_refused_and_one_that_may_be_behind_is_corrected() {
    let nats = Nats::start();
    let raw = nats.raw().await;
    let forgets = async_nats::jetstream::kv::Config {
        bucket: "test".into(),
        storage: async_nats::jetstream::stream::StorageType::Memory,
        ..Default::default()
    };
    raw.create_key_value(forgets.clone()).await.unwrap();
    let kv = nats.bus().await.kv::<CallOverride>(BUCKET);
    let refused = kv.ensure(PATIENCE).await;
    assert!(matches!(refused, Err(BusError::UnsafeStream { .. })), "{refused:?}");
    assert!(kv.follow().next().await.is_err());

    raw.delete_key_value("test").await.unwrap();
    let behind = async_nats::jetstream::kv::Config {
        storage: async_nats::jetstream::stream::StorageType::File,
        ..forgets
    };
    raw.create_key_value(behind).await.unwrap();
    kv.ensure(PATIENCE).await.unwrap();
    let config = raw.get_stream("KV_test").await.unwrap().cached_info().config.clone();
    assert!(!config.allow_direct);
}
