//! The durable work list of a service that brings something to destinations: shipper to storage
//! targets, journal to databases.
//!
//! One order for each (tenant, destination, recording), kept in SQL, carried out at least once; the
//! work itself has to be repeatable. A fault of a destination holds up that destination alone; a
//! fault of a record holds up that record alone. Nothing is ever dropped: what cannot be carried
//! out is set aside or orphaned, and shown.
//!
//! [`Delivering`] is what the services have in common; each adds what it takes from an announcement
//! ([`Intake`]) and what it does with an order ([`Work`]).

mod backoff;
mod change;
mod claim;
mod desk;
mod destination;
mod engine;
mod expiry;
mod files;
mod intake;
mod kept;
mod left_behind;
mod list;
mod look_over;
mod metrics;
mod notice;
mod order;
mod outcome;
mod reporter;
mod retry_args;
mod role;
mod service;
mod shipment;
mod standing;
mod still_open;
mod terms;
mod together;
mod turns;
mod worker;

pub use backoff::Backoff;
pub use claim::Claim;
pub use destination::Destination;
pub use engine::{Engine, EngineOptions};
pub use expiry::Ends;
pub use files::VerifiedFile;
pub use intake::{Announced, Intake, Poison};
pub use kept::HANDED_OVER;
pub use list::{DeliveryError, WorkList};
pub use metrics::Metrics;
pub use notice::Notice;
pub use order::{NewOrder, Order, State};
pub use outcome::{Done, Failed, Fault};
pub use reporter::Reporter;
pub use retry_args::RetryArgs;
pub use role::Role;
pub use service::Delivering;
pub use shipment::{Asked, Page, Shipment, ShipmentFile};
pub use standing::{Backlog, Standing, Trouble};
pub use terms::{Gate, Hours, Terms};
pub use worker::{Manners, Work};
