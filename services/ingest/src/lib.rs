//! The session recording server: SIPREC in, chunks of RTP out to the bus.

pub mod call;
pub mod consent;
pub mod media;
pub mod metrics;
mod options;
mod service;
pub mod srs;

pub use options::Options;
pub use service::{Started, run};
