//! Places where a test lets the process die, to prove what the write order promises.

use runtime::fail_point::FailPoints;

static POINTS: FailPoints = FailPoints::new(STEPS);
static KEY_CHANGE: FailPoints = FailPoints::new(KEY_CHANGE_STEPS);
static LOG: FailPoints = FailPoints::new(LOG_STEPS);

/// Every place, in the order in which a recording passes them.
pub const STEPS: &[&str] = &[
    "flush-segments-written",
    "flush-committed",
    "assemble-segments-written",
    "assemble-committed",
    "seal-audio-written",
    "seal-prepared",
    "seal-signed-first",
    "seal-signed",
    "seal-committed",
    "outbox-files-put",
    "outbox-stage-stored",
    "outbox-published",
    "outbox-segments-deleted",
];

/// Every place that a change of key passes.
pub const KEY_CHANGE_STEPS: &[&str] = &["key-change-published", "key-change-committed"];

/// Every place that the log of a tenant passes, from an event to the proof of a recording.
pub const LOG_STEPS: &[&str] = &[
    "log-appended",
    "checkpoint-signed",
    "tiles-put",
    "checkpoint-copied",
    "checkpoint-stored",
    "proof-put",
];

/// Lets the process abort when it reaches `step`. Once a process.
///
/// # Errors
/// There is no such step, or one was armed already.
pub fn arm(step: &str) -> anyhow::Result<()> {
    if KEY_CHANGE_STEPS.contains(&step) {
        KEY_CHANGE.arm(step)
    } else if LOG_STEPS.contains(&step) {
        LOG.arm(step)
    } else {
        POINTS.arm(step)
    }
}

/// The process has just finished `step`.
pub(crate) fn reached(step: &'static str) {
    POINTS.reached(step);
}

/// A change of key has just finished `step`.
pub(crate) fn key_change_reached(step: &'static str) {
    KEY_CHANGE.reached(step);
}

/// The log of a tenant has just finished `step`.
pub(crate) fn log_reached(step: &'static str) {
    LOG.reached(step);
}
