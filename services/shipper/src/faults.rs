//! For tests: targets that fail as networks do, at a share of their operations. A request does not
//! arrive, an answer does not, or the connection breaks in between.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use targets::{Content, Digest, ErrorKind, Listed, Put, Reader, Target, TargetError, Verified};

/// How often operations fail.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// Of all operations, 0 to 1.
    share: f64,
}

struct Faulty {
    target: Arc<dyn Target>,
    faults: Faults,
}

impl Faults {
    /// At this share of operations; `None` for none.
    pub fn at(share: f64) -> Option<Self> {
        (share > 0.0).then_some(Self { share })
    }

    /// The target, failing so.
    pub fn into_target(self, target: Arc<dyn Target>) -> Arc<dyn Target> {
        Arc::new(Faulty { target, faults: self })
    }

    async fn on<T>(self, work: impl Future<Output = Result<T, TargetError>>) -> Result<T, TargetError> {
        let broken =
            || Err(TargetError::new(ErrorKind::Unreachable, "the connection broke: a fault of the test"));
        if rand::random::<f64>() >= self.share {
            return work.await;
        }
        match rand::random_range(0..3) {
            0 => broken(),
            1 => {
                let _lost = work.await;
                broken()
            }
            _ => {
                let moment = Duration::from_micros(rand::random_range(0..5_000));
                let _broken_off = tokio::time::timeout(moment, work).await;
                broken()
            }
        }
    }
}

#[async_trait]
impl Target for Faulty {
    async fn put(&self, folder: &str, name: &str, content: &Content) -> Result<Put, TargetError> {
        self.faults.on(self.target.put(folder, name, content)).await
    }

    async fn verify(
        &self,
        folder: &str,
        name: &str,
        size: u64,
        sha256: &Digest,
    ) -> Result<Verified, TargetError> {
        self.faults.on(self.target.verify(folder, name, size, sha256)).await
    }

    async fn replace(&self, folder: &str, name: &str, content: &Content) -> Result<(), TargetError> {
        self.faults.on(self.target.replace(folder, name, content)).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<Listed>, TargetError> {
        self.faults.on(self.target.list(folder)).await
    }

    async fn open(&self, folder: &str, name: &str) -> Result<Option<Reader>, TargetError> {
        self.faults.on(self.target.open(folder, name)).await
    }

    async fn remove(&self, folder: &str, name: &str) -> Result<(), TargetError> {
        self.faults.on(self.target.remove(folder, name)).await
    }

    async fn complete(&self, folder: &str, names: &[String]) -> Result<(), TargetError> {
        self.faults.on(self.target.complete(folder, names)).await
    }
}
