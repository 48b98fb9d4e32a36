//! The signer over a real NATS server, a real disk and real keys.

mod assembling;
mod batches;
mod consent;
mod crashes;
mod keys;
mod late;
mod log;
mod replicas;
mod rollback;
mod sealing;
mod support;
