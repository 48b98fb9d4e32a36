//! Places where a test lets the process die, to prove what the write order promises.

use runtime::fail_point::FailPoints;

static POINTS: FailPoints = FailPoints::new(STEPS);

/// Every place, in the order in which a recording passes them.
pub const STEPS: &[&str] = &["announced", "taken-in", "row-written", "noted-done"];

/// Lets the process abort when it reaches `step`. Once a process.
///
/// # Errors
/// There is no such step, or one was armed already.
pub fn arm(step: &str) -> anyhow::Result<()> {
    POINTS.arm(step)
}

/// The process has just finished `step`.
pub(crate) fn reached(step: &'static str) {
    POINTS.reached(step);
}
