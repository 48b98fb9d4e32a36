//! `ExceptionList`: numbers that are never recorded by the rules that select the list (F-15).

use serde::Deserialize;

use super::{FieldError, FieldPath, NumberPattern, NumberPatternSpec, field::Findings};
use crate::ResourceName;

/// A validated `ExceptionList`.
#[derive(Debug, Clone)]
pub struct ExceptionList {
    /// Its name.
    pub name: ResourceName,
    /// Its entries.
    pub entries: Vec<NumberPattern>,
}

/// The raw form of an `ExceptionList`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExceptionListSpec {
    /// Its entries.
    pub entries: Vec<NumberPatternSpec>,
}

impl ExceptionListSpec {
    /// The validated list called `name`, or everything that is wrong.
    pub fn validate(&self, name: ResourceName) -> Result<ExceptionList, Vec<FieldError>> {
        let mut findings = Findings::default();
        let entries =
            NumberPatternSpec::validate_all(&self.entries, &FieldPath::spec().key("entries"), &mut findings);
        findings.finish(Some(ExceptionList { name, entries }))
    }
}
