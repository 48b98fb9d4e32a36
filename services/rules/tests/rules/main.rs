//! Rules over a real NATS server, its API asked by curl and by a gRPC client.

mod access;
mod calls;
mod decide;
mod grpc;
mod incomplete;
mod leg;
mod members;
mod outage;
mod recording;
mod setup;
