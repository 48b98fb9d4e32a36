//! The signer over a real NATS server, a real disk and real keys.

mod assembling;
mod batches;
mod consent;
mod crashes;
mod keys;
mod late;
mod replicas;
mod sealing;
mod support;
