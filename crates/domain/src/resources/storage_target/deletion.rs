//! Whether recordings may be deleted where they were brought to (F-84).

use serde::Deserialize;

/// Whether retention, or a request that two people answer for, may delete at a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Deletion {
    /// What is there stays there.
    #[default]
    Never,
    /// What need not be kept any more is deleted.
    Allowed,
}
