//! What the tests of the service share: a bench with NATS and a configuration, a call to record, a
//! key.

pub mod bench;
pub mod call;
pub mod key;
pub mod log;
