//! What a rule says about a call to the consent endpoint.

use domain::{
    AnnouncementPlayed, ConsentAsked, ConsentOutcome, Recorded, ResourceName, Side,
    resources::{Announcement, RecordingRule, TenantResources},
};

use super::wanted::{Purpose, Wanted};

/// What is played, asked and done afterwards.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The rule.
    pub rule: ResourceName,
    /// What is asked; `None`: the call only announces.
    pub question: Option<ConsentAsked>,
    /// What is played.
    pub announcement: Announcement,
    /// Played when consent was granted.
    pub granted: Option<Announcement>,
    /// Played when it was denied.
    pub denied: Option<Announcement>,
    /// Where the caller is sent afterwards; `None`: the call ends.
    pub continue_to: Option<String>,
}

/// Why a rule has nothing to say in such a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTerms {
    /// No rule of this name is in force.
    #[error("there is no enabled rule of this name")]
    Rule,
    /// It asks for no consent.
    #[error("the rule asks for no consent: give it a consent section")]
    Consent,
    /// It has nothing to play.
    #[error("the rule has no announcement to play")]
    Announcement,
}

impl Terms {
    /// Looks up what `wanted` names.
    ///
    /// # Errors
    /// The rule is unknown or has nothing to say.
    pub fn of(tenant: &TenantResources, wanted: &Wanted) -> Result<Self, NoTerms> {
        let rule = tenant.rules.iter().find(|r| r.name == wanted.rule && r.enabled).ok_or(NoTerms::Rule)?;
        let named = |name: &Option<ResourceName>| name.as_ref().and_then(|n| tenant.announcements.get(n));
        let announcement = match wanted.purpose {
            // A rule for outbound calls alone has the other one only: its callee is asked.
            Purpose::Consent => {
                named(&rule.announcements.inbound).or_else(|| named(&rule.announcements.outbound))
            }
            // For the callee's ear; a rule with one announcement for all uses that.
            Purpose::Announce => {
                named(&rule.announcements.outbound).or_else(|| named(&rule.announcements.inbound))
            }
        };
        let announcement = announcement.cloned();
        if wanted.purpose == Purpose::Announce {
            return Ok(Self {
                rule: rule.name.clone(),
                question: None,
                announcement: announcement.ok_or(NoTerms::Announcement)?,
                granted: None,
                denied: None,
                continue_to: None,
            });
        }
        let terms = rule.consent.as_ref().ok_or(NoTerms::Consent)?;
        let announcement = announcement.ok_or(NoTerms::Announcement)?;
        Ok(Self {
            rule: rule.name.clone(),
            question: question(rule, &announcement),
            announcement,
            granted: named(&terms.granted).cloned(),
            denied: named(&terms.denied).cloned(),
            continue_to: terms.continue_to.clone(),
        })
    }

    /// What is played for an outcome (F-23): it says whether the call will be recorded, so who says
    /// nothing hears what that means under the rule.
    pub fn outcome(&self, outcome: ConsentOutcome) -> Option<&Announcement> {
        let mode = self.question.as_ref()?.mode;
        if mode.permits(outcome) { self.granted.as_ref() } else { self.denied.as_ref() }
    }
}

/// The question as the state machine reads it. How a call would be recorded is not decided here:
/// rules does that when the call itself comes.
fn question(rule: &RecordingRule, announcement: &Announcement) -> Option<ConsentAsked> {
    let terms = rule.consent.as_ref()?;
    let ms = |duration: std::time::Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
    Some(ConsentAsked {
        recorded: Recorded {
            rule: rule.name.clone(),
            class: rule.profile.class(),
            channels: rule.channels,
            targets: Vec::new(),
            journals: Vec::new(),
            consent: None,
            stop_keys: None,
        },
        mode: terms.mode,
        asked_by: terms.asked_by,
        asked_side: Side::Caller,
        announcement: Some(AnnouncementPlayed {
            name: announcement.name.clone(),
            sha256: announcement.sha256.clone(),
            duration_ms: ms(announcement.duration),
        }),
        key: terms.key,
        window_ms: ms(terms.window),
        in_band: true,
    })
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use domain::resources::{AudioSource, ConsentSpec, RecordingRuleSpec, RuleAnnouncementsSpec, TenantSpec};

    use super::*;

    fn tenant(directions: &[&str], inbound: Option<&str>, outbound: Option<&str>) -> TenantResources {
        let text = |text: &str| text.to_owned();
        let announcements = RuleAnnouncementsSpec {
            inbound: inbound.map(text),
            outbound: outbound.map(text),
            ..Default::default()
        };
        let rule = RecordingRuleSpec {
            profile: "consent".into(),
            directions: Some(directions.iter().copied().map(text).collect()),
            consent: Some(ConsentSpec { mode: "optIn".into(), ..ConsentSpec::default() }),
            announcements,
            ..RecordingRuleSpec::default()
        };
        let tenant = TenantSpec::default().validate("acme".parse().unwrap()).unwrap();
        let mut resources = TenantResources::empty(tenant);
        resources.rules.push(rule.validate("advice".parse().unwrap()).unwrap());
        for name in ["welcome", "calling"].map(|name| name.parse::<ResourceName>().unwrap()) {
            let announcement = Announcement {
                name: name.clone(),
                source: AudioSource::BuiltIn("notice-tone".to_owned()),
                sha256: name.to_string(),
                duration: Duration::from_secs(1),
                audio: Arc::new([]),
                comment: String::new(),
            };
            resources.announcements.insert(name, announcement);
        }
        resources
    }

    #[test]
    fn who_is_asked_hears_the_announcement_of_the_rule_also_where_it_is_for_outbound_calls_alone() {
        for (directions, inbound, outbound, heard) in [
            (&["in"][..], Some("welcome"), None, "welcome"),
            (&["out"], None, Some("calling"), "calling"),
            (&["in", "out"], Some("welcome"), Some("calling"), "welcome"),
        ] {
            let tenant = tenant(directions, inbound, outbound);
            let terms = Terms::of(&tenant, &Wanted::read("consent.advice").unwrap()).unwrap();
            assert_eq!(terms.announcement.name.as_str(), heard);
            let proof = terms.question.unwrap().announcement.unwrap();
            assert_eq!((proof.name.as_str(), proof.sha256.as_str()), (heard, heard));
        }
    }
}
