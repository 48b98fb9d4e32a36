//! A program that gets every recording (F-85).

use std::time::Duration;

use serde::Deserialize;

use super::Schedule;
use crate::resources::{FieldPath, field::Findings};

/// A program of the folder that the operator allows. It does not keep: a recording that went nowhere else
/// stays in staging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptTarget {
    /// The program's file name in that folder.
    pub command: String,
    /// After this time it is ended, and so is everything that it started.
    pub timeout: Duration,
    /// When it is run for what has come until then; `None`: at once.
    pub at: Option<Schedule>,
}

impl ScriptTarget {
    /// The longest that a program may take: a day.
    pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
}

/// The raw form of a [`ScriptTarget`].
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScriptSpec {
    /// The program's file name.
    pub command: String,
    /// 300 by default.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
    /// When it is run for what has come until then.
    #[serde(default)]
    pub at: Option<String>,
}

impl ScriptSpec {
    pub(super) fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Option<ScriptTarget> {
        let hidden = self.command.starts_with('.');
        if self.command.is_empty() || hidden || self.command.chars().any(|c| c == '/' || c.is_control()) {
            let reason =
                "must be the name of a file in the folder that --scripts names: without /, not hidden";
            findings.add(path.key("command"), reason);
        }
        let seconds = self.timeout_seconds.unwrap_or(300);
        let longest = ScriptTarget::LONGEST.as_secs();
        if !(1..=longest).contains(&seconds) {
            findings.add(path.key("timeoutSeconds"), format!("must be 1 to {longest}"));
        }
        let at = findings.parse(path.key("at"), self.at.as_deref());
        Some(ScriptTarget { command: self.command.clone(), timeout: Duration::from_secs(seconds), at })
    }
}
