//! What a rule lets its members record themselves (F-17).

use serde::Deserialize;

use super::{Retention, RetentionSpec};
use crate::{
    Channels, ResourceName,
    resources::{
        FieldPath,
        field::{Findings, parse_list},
    },
};

/// Permits the users whom the rule covers to start and stop recordings of their calls. Those are
/// of class manual and never go where recordings by legal duty go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManualRecording {
    /// Storage targets.
    pub targets: Vec<ResourceName>,
    /// Journals.
    pub journals: Vec<ResourceName>,
    /// Which sides, in which files.
    pub channels: Channels,
    /// How long they are kept (F-84); `None`: for ever.
    pub retention: Option<Retention>,
}

/// The raw form of [`ManualRecording`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ManualRecordingSpec {
    /// Names of storage targets.
    pub targets: Vec<String>,
    /// Names of journals.
    pub journals: Vec<String>,
    /// As in the rule, whose channels they are by default.
    pub channels: Option<String>,
    /// How long they are kept; the rule's own does not count for them.
    pub retention: Option<RetentionSpec>,
}

impl ManualRecordingSpec {
    /// What is wrong with the one at `path` is noted.
    pub(super) fn validate(
        &self,
        path: &FieldPath,
        channels_of_rule: Channels,
        findings: &mut Findings,
    ) -> ManualRecording {
        let own = self.channels.as_deref();
        let own = own.and_then(|text| super::parse_channels(text, path.key("channels"), findings));
        ManualRecording {
            targets: parse_list(&self.targets, &path.key("targets"), findings),
            journals: parse_list(&self.journals, &path.key("journals"), findings),
            channels: own.unwrap_or(channels_of_rule),
            retention: self
                .retention
                .as_ref()
                .and_then(|kept| kept.validate(&path.key("retention"), findings)),
        }
    }
}
