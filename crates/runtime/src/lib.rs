//! Life cycle of a service: logs, metrics, health, signals and drain.
//!
//! A service's `main.rs` parses its arguments and calls [`run_service`]; `callseal up` starts the
//! same services in one process, each with a [`Service`] of its own, behind one HTTP port.

pub mod fail_point;
pub mod health;
pub mod http;
mod lifecycle;
pub mod logs;
mod service;

pub use health::Condition;
pub use lifecycle::{RuntimeArgs, run_service, run_service_beside, wait_for_stop_signal};
pub use service::Service;
