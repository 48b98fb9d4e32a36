//! `ExceptionList`: numbers that are never recorded by the rules that select the list (F-15).

use regex::Regex;

use crate::ResourceName;

/// A validated `ExceptionList`.
#[derive(Debug, Clone)]
pub struct ExceptionList {
    /// Its name.
    pub name: ResourceName,
    /// Its entries.
    pub entries: Vec<NumberPattern>,
}

/// A number, or a regular expression over numbers (linear time, matched against the whole number).
#[derive(Debug, Clone)]
pub enum NumberPattern {
    /// Exactly this number.
    Exact(String),
    /// Every number that the whole expression matches.
    Regex(Regex),
}
