//! `transfer`: how fast and when recordings are brought to a target (F-71).

use std::num::NonZeroU64;

use serde::Deserialize;

use super::windows::Windows;
use crate::resources::{
    FieldPath,
    field::{Findings, parse_list},
};

/// Recordings brought to one target at the same time, at most.
const MOST_AT_ONCE: usize = 64;

/// How recordings are brought to a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Recordings at the same time; `None`: as the shipper's flags say.
    pub concurrency: Option<usize>,
    /// Most bytes a second, both ways together; `None`: as many as go.
    pub bytes_per_second: Option<NonZeroU64>,
    /// When anything is sent, by the tenant's clock.
    pub windows: Windows,
}

/// The raw form of a [`Transfer`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TransferSpec {
    /// 1 to 64.
    pub concurrency: Option<usize>,
    /// At least 1.
    pub bytes_per_second: Option<u64>,
    /// `Mon-Fri 19:00-06:00`, `Sat-Sun`, `22:00-05:00`.
    pub windows: Vec<String>,
}

impl TransferSpec {
    pub(super) fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Transfer {
        if let Some(concurrency) = self.concurrency
            && !(1..=MOST_AT_ONCE).contains(&concurrency)
        {
            findings.add(path.key("concurrency"), format!("must be 1 to {MOST_AT_ONCE}"));
        }
        let bytes_per_second = self.bytes_per_second.and_then(|limit| {
            let limit = NonZeroU64::new(limit);
            if limit.is_none() {
                findings.add(path.key("bytesPerSecond"), "must be at least 1; leave it out for no limit");
            }
            limit
        });
        let windows = Windows::new(parse_list(&self.windows, &path.key("windows"), findings));
        Transfer { concurrency: self.concurrency, bytes_per_second, windows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_named_with_its_field() {
        let wrong = TransferSpec {
            concurrency: Some(0),
            bytes_per_second: Some(0),
            windows: vec!["Mon-Fri 19:00-06:00".into(), "at night".into()],
        };
        let mut findings = Findings::default();
        wrong.validate(&FieldPath::spec().key("transfer"), &mut findings);
        let told: Vec<String> = findings.into_errors().iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(told[0], "spec.transfer.concurrency: must be 1 to 64");
        assert!(told[2].starts_with("spec.transfer.windows[1]: is not a window"), "{told:?}");
    }
}
