//! Programs at the command line: what they say, and how they end.

use std::{ffi::OsStr, process::Command};

use anyhow::{Context, ensure};

use crate::programs;

/// What a program said, on both ways, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The exit code; -1: a signal ended it.
    pub code: i32,
    /// Standard output, then standard error.
    pub text: String,
}

impl Said {
    /// It ended with exit code 0.
    ///
    /// # Errors
    /// It did not; the text holds what it said.
    pub fn good(self) -> anyhow::Result<String> {
        ensure!(self.code == 0, "exit code {}: {}", self.code, self.text);
        Ok(self.text)
    }

    /// It ended with exit code 1, and said each of `words`.
    ///
    /// # Errors
    /// Otherwise; the text holds what it said.
    pub fn wrong(self, words: &[&str]) -> anyhow::Result<String> {
        ensure!(self.code == 1, "exit code {}: {}", self.code, self.text);
        for word in words {
            ensure!(self.text.contains(word), "{word:?} is not in: {}", self.text);
        }
        Ok(self.text)
    }
}

/// Runs a program to its end.
///
/// # Errors
/// It cannot be started.
pub fn run(program: &mut Command) -> anyhow::Result<Said> {
    let output =
        program.output().with_context(|| format!("{:?} cannot be started", program.get_program()))?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok(Said { code: output.status.code().unwrap_or(-1), text })
}

/// Runs `callseal` with these arguments.
///
/// # Errors
/// It is not built.
pub fn callseal(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> anyhow::Result<Said> {
    run(Command::new(programs::own("callseal")?).args(arguments))
}
