//! Proof over the whole (F-50 … F-59): real calls into a real `callseal up`, and what it leaves behind
//! judged as an auditor would.

#[path = "../calls/mod.rs"]
mod calls;
mod deleted;
mod key_change;
mod one_call;
mod restored;
mod scene;
mod tampered;
mod time_stamps;
mod witnessed;

use std::time::Duration;

/// Nothing takes longer, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);
