//! What is wrong with the configuration, for the person who edits it.

use std::{fmt, path::PathBuf};

/// One thing that is wrong in a file. Its text holds no number, person's name or secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the configuration folder.
    pub file: PathBuf,
    /// The line, from 1; 0 if it is about the file as a whole.
    pub line: u64,
    /// The column, from 1; 0 if it is not known.
    pub column: u64,
    /// The resource's kind; empty if it could not be read.
    pub kind: String,
    /// The resource's name; empty if it could not be read.
    pub name: String,
    /// The field: `spec.directions[1]`; empty if it is about the document as a whole.
    pub field: String,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        f.write_str(": ")?;
        match (self.kind.as_str(), self.name.as_str()) {
            ("", "") => {}
            (kind, "") => write!(f, "{kind}: ")?,
            ("", name) => write!(f, "{name}: ")?,
            (kind, name) => write!(f, "{kind} {name}: ")?,
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.reason)
    }
}

/// Why there is no configuration at all.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such folder.
    #[error("{0} is not a folder that can be read; give the configuration folder with --config")]
    NoFolder(PathBuf),
}
