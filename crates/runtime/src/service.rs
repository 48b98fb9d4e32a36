//! What a running service is given by its surroundings.

use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use crate::health::{Condition, Health};

/// Name, shutdown signal, metrics and health of one running service. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    name: &'static str,
    shutdown: CancellationToken,
    registry: Registry,
    health: Health,
}

impl Service {
    /// A service of this name that runs until [`shutdown`](Self::shutdown) is cancelled.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            shutdown: CancellationToken::new(),
            registry: Registry::new(),
            health: Health::default(),
        }
    }

    /// A service of one process with others: it shares their metrics, and is shut down on its own.
    pub fn beside(name: &'static str, registry: Registry) -> Self {
        Self { registry, ..Self::new(name) }
    }

    /// Its name, as in `callseal-<name>`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Cancelled when the service is to drain and return.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Where metrics are registered. Names begin with `callseal_<service>_`.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Adds a condition of readiness; the service is ready when all of them hold. A new condition
    /// does not hold yet.
    pub fn condition(&self, name: &'static str) -> Condition {
        self.health.condition(name)
    }

    /// All conditions of readiness.
    pub fn health(&self) -> &Health {
        &self.health
    }
}
