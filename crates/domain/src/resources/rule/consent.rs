//! How a rule asks for consent (F-20 … F-23).

use std::time::Duration;

use serde::Deserialize;

use crate::{
    AskedBy, ConsentMode, ResourceName,
    resources::{FieldPath, field::Findings},
};

/// How long after the announcement a key is waited for, where the rule does not say (F-21).
const DEFAULT_WINDOW_S: i64 = 5;

/// The longest time a key is waited for, seconds.
const MAX_WINDOW_S: i64 = 60;

/// What may stand in braces in `continueTo`.
const CALL_ID: &str = "{callId}";

/// How a rule of profile consent asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentTerms {
    /// What can be chosen (F-20).
    pub mode: ConsentMode,
    /// Who plays the announcement, and where the key is read.
    pub asked_by: AskedBy,
    /// The only key that counts; `None`: any (F-21).
    pub key: Option<char>,
    /// How long after the announcement a key is waited for (F-21).
    pub window: Duration,
    /// Where a consent call goes on: a SIP URI for Refer-To, in which `{callId}` stands for the
    /// PBX's call id. `None`: it ends with BYE.
    pub continue_to: Option<String>,
    /// Played after consent (F-23).
    pub granted: Option<ResourceName>,
    /// Played after a refusal (F-23).
    pub denied: Option<ResourceName>,
}

/// The raw form of [`ConsentTerms`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsentSpec {
    /// `optIn`, `optOut` or `noChoice`.
    pub mode: String,
    /// `consentCall` (default), `recordedCall` or `pbx`.
    #[serde(default)]
    pub asked_by: Option<String>,
    /// `any` (default), or one of 0-9, * and #.
    #[serde(default)]
    pub key: Option<String>,
    /// 1 to 60; 5 by default.
    #[serde(default)]
    pub seconds: Option<i64>,
    /// A SIP URI.
    #[serde(default)]
    pub continue_to: Option<String>,
    /// Announcements of the outcome.
    #[serde(default)]
    pub announcements: OutcomeAnnouncementsSpec,
}

/// Announcements of the outcome (F-23).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OutcomeAnnouncementsSpec {
    /// Name of the announcement after consent.
    pub granted: Option<String>,
    /// Name of the announcement after a refusal.
    pub denied: Option<String>,
}

impl ConsentSpec {
    /// The validated terms; what is wrong with those at `path` is noted.
    pub(super) fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Option<ConsentTerms> {
        let mode = findings.choose(path.key("mode"), &self.mode, "optIn, optOut or noChoice");
        let asked_by = match self.asked_by.as_deref() {
            None => Some(AskedBy::ConsentCall),
            Some(text) => findings.choose(path.key("askedBy"), text, "consentCall, recordedCall or pbx"),
        };
        let key = self.validate_key(&path.key("key"), findings);
        let seconds = self.seconds.unwrap_or(DEFAULT_WINDOW_S);
        if !(1..=MAX_WINDOW_S).contains(&seconds) {
            findings.add(path.key("seconds"), format!("must be 1 to {MAX_WINDOW_S}"));
        }
        if let Some(uri) = &self.continue_to {
            check_uri(uri, &path.key("continueTo"), findings);
        }
        let outcome = path.key("announcements");
        let granted = findings.parse(outcome.key("granted"), self.announcements.granted.as_deref());
        let denied = findings.parse(outcome.key("denied"), self.announcements.denied.as_deref());
        self.check_of_use(mode, asked_by, path, findings);
        Some(ConsentTerms {
            mode: mode?,
            asked_by: asked_by?,
            key,
            window: Duration::from_secs(seconds.unsigned_abs()),
            continue_to: self.continue_to.clone(),
            granted,
            denied,
        })
    }

    fn validate_key(&self, path: &FieldPath, findings: &mut Findings) -> Option<char> {
        let text = self.key.as_deref().filter(|text| *text != "any")?;
        let mut signs = text.chars();
        match (signs.next(), signs.next()) {
            (Some(key), None) if is_key(key) => Some(key),
            _ => {
                findings
                    .add(path.clone(), "must be any, or one key in quotes: \"0\" to \"9\", \"*\" or \"#\"");
                None
            }
        }
    }

    /// What stands there without ever acting is refused: it is a misunderstanding.
    fn check_of_use(
        &self,
        mode: Option<ConsentMode>,
        asked_by: Option<AskedBy>,
        path: &FieldPath,
        findings: &mut Findings,
    ) {
        let outcome = path.key("announcements");
        let OutcomeAnnouncementsSpec { granted, denied } = &self.announcements;
        if mode == Some(ConsentMode::NoChoice) {
            if self.key.is_some() {
                findings.add(path.key("key"), "is of no use: with noChoice no key is read");
            }
            if denied.is_some() {
                findings.add(outcome.key("denied"), "is of no use: with noChoice nobody can refuse");
            }
        }
        if asked_by.is_some_and(|asked_by| asked_by != AskedBy::ConsentCall) {
            const REASON: &str = "is possible with askedBy: consentCall only; else the PBX has the call";
            let fields = [
                (path.key("continueTo"), self.continue_to.is_some()),
                (outcome.key("granted"), granted.is_some()),
                (outcome.key("denied"), denied.is_some()),
            ];
            for (field, _) in fields.into_iter().filter(|(_, there)| *there) {
                findings.add(field, REASON);
            }
        }
    }
}

/// The keys of a telephone that people have.
fn is_key(sign: char) -> bool {
    sign.is_ascii_digit() || matches!(sign, '*' | '#')
}

/// The form only; whether the PBX knows it shows when it is called. The URI is not repeated: it may
/// hold a number.
fn check_uri(uri: &str, path: &FieldPath, findings: &mut Findings) {
    let rest = uri.strip_prefix("sip:").or_else(|| uri.strip_prefix("sips:"));
    let plain = uri.replace(CALL_ID, "");
    // RFC 3261, 25.1: none of these stands in a URI unescaped; a line break would begin a header.
    let forbidden = |c: char| !c.is_ascii_graphic() || matches!(c, '<' | '>' | '"' | '\\' | '^' | '`' | '|');
    let reason = if rest.is_none_or(str::is_empty) {
        "must be a SIP URI: sip:queue@pbx.example"
    } else if plain.contains(['{', '}']) {
        "has an unknown placeholder; use {callId}"
    } else if plain.chars().any(forbidden) {
        "holds a sign that a SIP URI must not hold"
    } else {
        return;
    };
    findings.add(path.clone(), reason);
}
