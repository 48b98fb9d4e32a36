//! The durable work list of a service that brings something to destinations: shipper to storage
//! targets, journal to databases.
//!
//! One order for each (tenant, destination, recording), kept in SQL, carried out at least once; the
//! work itself has to be repeatable. A fault of a destination holds up that destination alone; a
//! fault of a record holds up that record alone. Nothing is ever dropped: what cannot be carried
//! out is set aside or orphaned, and shown.

mod backoff;
mod claim;
mod destination;
mod engine;
mod list;
mod metrics;
mod notice;
mod order;
mod outcome;
mod reconcile;
mod worker;

pub use backoff::Backoff;
pub use claim::Claim;
pub use destination::Destination;
pub use engine::{Engine, EngineOptions};
pub use list::{DeliveryError, WorkList};
pub use metrics::Metrics;
pub use notice::Notice;
pub use order::{NewOrder, Order, State};
pub use outcome::{Done, Failed, Fault};
pub use reconcile::Backlog;
pub use worker::Work;
