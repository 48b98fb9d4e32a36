//! Places where a test lets a process die, to prove what a write order promises.

use std::sync::OnceLock;

/// The steps of a service after which it can be let die.
#[derive(Debug)]
pub struct FailPoints {
    steps: &'static [&'static str],
    armed: OnceLock<String>,
}

impl FailPoints {
    /// These steps, in the order in which a recording passes them.
    pub const fn new(steps: &'static [&'static str]) -> Self {
        Self { steps, armed: OnceLock::new() }
    }

    /// Lets the process abort when it reaches `step`. Once a process.
    ///
    /// # Errors
    /// There is no such step, or one was armed already.
    pub fn arm(&self, step: &str) -> anyhow::Result<()> {
        let steps = self.steps;
        anyhow::ensure!(steps.contains(&step), "there is no step {step}; the steps are {}", steps.join(", "));
        self.armed.set(step.to_owned()).map_err(|_| anyhow::anyhow!("a step to fail at was set already"))
    }

    /// The process has just finished `step`.
    pub fn reached(&self, step: &'static str) {
        debug_assert!(self.steps.contains(&step), "{step}");
        if self.armed.get().is_some_and(|armed| armed == step) {
            // As kill -9: nothing is flushed, no destructor runs.
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_step_that_exists_can_be_armed_and_only_one() {
        let points = FailPoints::new(&["one", "two"]);
        assert!(points.arm("three").unwrap_err().to_string().contains("one, two"));
        points.arm("two").unwrap();
        assert!(points.arm("one").is_err());
        points.reached("one");
    }
}
