//! The bus against a real nats-server.

mod calls;
mod crash;
mod history;
mod kv;
mod partitions;
mod rpc_and_events;
mod sealed;
mod setup;
mod streams;
