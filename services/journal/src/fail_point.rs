//! Places where a test lets the process die, to prove what the write order promises.

use std::sync::OnceLock;

static ARMED: OnceLock<String> = OnceLock::new();

/// Every place, in the order in which a recording passes them.
pub const STEPS: &[&str] = &["taken-in", "row-written", "noted-done"];

/// Lets the process abort when it reaches `step`. Once a process.
///
/// # Errors
/// There is no such step, or one was armed already.
pub fn arm(step: &str) -> anyhow::Result<()> {
    anyhow::ensure!(STEPS.contains(&step), "there is no step {step}; the steps are {}", STEPS.join(", "));
    ARMED.set(step.to_owned()).map_err(|_| anyhow::anyhow!("a step to fail at was set already"))
}

/// The process has just finished `step`.
pub(crate) fn reached(step: &'static str) {
    debug_assert!(STEPS.contains(&step), "{step}");
    if ARMED.get().is_some_and(|armed| armed == step) {
        // As kill -9: nothing is flushed, no destructor runs.
        std::process::abort();
    }
}
