//! The signer over a real NATS server, a real disk and real keys.

mod assembling;
mod batches;
mod begun_anew;
mod consent;
mod crashes;
mod halted_alone;
mod key_changes;
mod keys;
mod late;
mod log;
mod log_crashes;
mod quorum;
mod race;
mod replicas;
mod rollback;
mod sealing;
mod stamps;
mod support;
mod unsigned;
mod witnesses;
