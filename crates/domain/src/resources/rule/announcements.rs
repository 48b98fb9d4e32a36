//! What the parties of a call hear (F-02, F-20, F-25, F-26).

use serde::Deserialize;

use crate::{
    Direction, ResourceName,
    decision::named_enum,
    resources::{FieldPath, field::Findings},
};

named_enum!(
    /// Who hears an announcement (F-26).
    HeardBy {
        /// Who called.
        Caller = "caller",
        /// Both sides.
        Both = "both",
    }
);

/// The announcements of a rule. Each is played in calls of its direction only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleAnnouncements {
    /// In inbound and internal calls.
    pub inbound: Option<ResourceName>,
    /// In outbound calls.
    pub outbound: Option<ResourceName>,
    /// Who hears them.
    pub heard_by: HeardBy,
}

impl Default for RuleAnnouncements {
    fn default() -> Self {
        Self { inbound: None, outbound: None, heard_by: HeardBy::Caller }
    }
}

impl RuleAnnouncements {
    /// The announcement of calls of this direction. In an internal call the caller hears what the
    /// caller of an inbound one hears.
    pub const fn of(&self, direction: Direction) -> Option<&ResourceName> {
        match direction {
            Direction::In | Direction::Internal => self.inbound.as_ref(),
            Direction::Out => self.outbound.as_ref(),
        }
    }
}

/// The raw form of [`RuleAnnouncements`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RuleAnnouncementsSpec {
    /// Name of an announcement for inbound and internal calls.
    pub inbound: Option<String>,
    /// Name of an announcement for outbound calls.
    pub outbound: Option<String>,
    /// `caller` (default) or `both`.
    pub heard_by: Option<String>,
}

impl RuleAnnouncementsSpec {
    /// What is wrong with the ones at `path` is noted; `covers` says which directions the rule has.
    pub(super) fn validate(
        &self,
        path: &FieldPath,
        covers: impl Fn(Direction) -> bool,
        findings: &mut Findings,
    ) -> RuleAnnouncements {
        let inbound = findings.parse(path.key("inbound"), self.inbound.as_deref());
        if self.inbound.is_some() && !covers(Direction::In) && !covers(Direction::Internal) {
            let reason = "would never be heard: directions has neither in nor internal";
            findings.add(path.key("inbound"), reason);
        }
        let outbound = findings.parse(path.key("outbound"), self.outbound.as_deref());
        if self.outbound.is_some() && !covers(Direction::Out) {
            findings.add(path.key("outbound"), "would never be heard: directions does not have out");
        }
        let heard_by = match self.heard_by.as_deref() {
            None => HeardBy::Caller,
            Some(text) => {
                findings.choose(path.key("heardBy"), text, "caller or both").unwrap_or(HeardBy::Caller)
            }
        };
        RuleAnnouncements { inbound, outbound, heard_by }
    }
}
