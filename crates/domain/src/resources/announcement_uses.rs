//! Which rules use an announcement (F-25).

use super::{RecordingRule, TenantResources};
use crate::ResourceName;

/// A place where an announcement is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncementUse {
    /// The rule.
    pub rule: ResourceName,
    /// Its field, as the file spells it below `spec`: `announcements.inbound`.
    pub field: &'static str,
}

impl std::fmt::Display for AnnouncementUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.rule, self.field)
    }
}

impl RecordingRule {
    /// The announcements it names, each with the field below `spec` that does.
    pub fn named_announcements(&self) -> impl Iterator<Item = (&'static str, &ResourceName)> {
        let consent = self.consent.as_ref();
        let fields = [
            ("announcements.inbound", self.announcements.inbound.as_ref()),
            ("announcements.outbound", self.announcements.outbound.as_ref()),
            ("consent.announcements.granted", consent.and_then(|terms| terms.granted.as_ref())),
            ("consent.announcements.denied", consent.and_then(|terms| terms.denied.as_ref())),
        ];
        fields.into_iter().filter_map(|(field, name)| Some((field, name?)))
    }
}

impl TenantResources {
    /// Where the announcement `name` is used, in the order of the rules.
    pub fn announcement_uses(&self, name: &ResourceName) -> Vec<AnnouncementUse> {
        let uses = self.rules.iter().flat_map(|rule| {
            let fields = rule.named_announcements().filter(|(_, used)| *used == name);
            fields.map(|(field, _)| AnnouncementUse { rule: rule.name.clone(), field })
        });
        uses.collect()
    }
}
