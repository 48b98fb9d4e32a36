//! Ingest as a recording client and the bus see it: real sockets, a real NATS server.

mod calls;
mod changes;
mod client;
mod consent;
mod consent_endpoint;
mod control;
mod desk;
mod faults;
mod keys;
mod limits;
mod oddities;
mod privacy;
mod rig;
mod rtp;
