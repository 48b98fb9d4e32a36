//! Conversions of decisions and what belongs to them.

use domain::{
    AnnouncementPlayed, Consent, ConsentAsked, Decision, NotRecorded, Recorded, ResourceName, Side, StopKeys,
    Verdict,
};

use crate::{
    call::{InvalidMessage, missing, parse},
    call_v1, event_v1,
};

impl From<&Decision> for call_v1::Decision {
    fn from(decision: &Decision) -> Self {
        let (mut recorded, mut ask_consent, mut reason) = (None, None, String::new());
        match &decision.verdict {
            Verdict::Record(how) => recorded = Some(how.into()),
            Verdict::AskConsent(asked) => ask_consent = Some((&**asked).into()),
            Verdict::DoNotRecord(not) => reason.clone_from(&not.reason),
        }
        let trace = decision.trace.clone();
        Self { direction: decision.direction.to_string(), recorded, reason, trace, ask_consent }
    }
}

impl TryFrom<call_v1::Decision> for Decision {
    type Error = InvalidMessage;
    fn try_from(decision: call_v1::Decision) -> Result<Self, InvalidMessage> {
        Ok(Self {
            direction: parse("decision.direction", &decision.direction)?,
            verdict: match (decision.recorded, decision.ask_consent) {
                (Some(recorded), _) => Verdict::Record(recorded.try_into()?),
                (None, Some(asked)) => Verdict::AskConsent(Box::new(asked.try_into()?)),
                (None, None) => Verdict::DoNotRecord(NotRecorded { reason: decision.reason }),
            },
            trace: decision.trace,
        })
    }
}

impl From<&Recorded> for call_v1::Recorded {
    fn from(recorded: &Recorded) -> Self {
        let names = |names: &[ResourceName]| names.iter().map(ToString::to_string).collect();
        Self {
            rule: recorded.rule.to_string(),
            class: recorded.class.to_string(),
            channels: recorded.channels.to_string(),
            targets: names(&recorded.targets),
            journals: names(&recorded.journals),
            consent: recorded.consent.as_ref().map(Into::into),
            stop_keys: recorded.stop_keys.as_ref().map(Into::into),
            started_by: None,
        }
    }
}

impl TryFrom<call_v1::Recorded> for Recorded {
    type Error = InvalidMessage;
    fn try_from(recorded: call_v1::Recorded) -> Result<Self, InvalidMessage> {
        let names =
            |field, names: Vec<String>| names.iter().map(|n| parse(field, n)).collect::<Result<_, _>>();
        Ok(Self {
            rule: parse("recorded.rule", &recorded.rule)?,
            class: parse("recorded.class", &recorded.class)?,
            channels: parse("recorded.channels", &recorded.channels)?,
            targets: names("recorded.targets", recorded.targets)?,
            journals: names("recorded.journals", recorded.journals)?,
            consent: recorded.consent.map(TryInto::try_into).transpose()?,
            stop_keys: recorded.stop_keys.map(TryInto::try_into).transpose()?,
        })
    }
}

impl From<&StopKeys> for call_v1::StopKeys {
    fn from(keys: &StopKeys) -> Self {
        let sides = keys.sides.iter().map(|side| i32::from(call_v1::Side::from(*side))).collect();
        Self { code: keys.code.clone(), sides, in_band: keys.in_band }
    }
}

impl TryFrom<call_v1::StopKeys> for StopKeys {
    type Error = InvalidMessage;
    fn try_from(keys: call_v1::StopKeys) -> Result<Self, InvalidMessage> {
        let sides = keys.sides().map(Side::try_from).collect::<Result<_, _>>()?;
        Ok(Self { sides, code: keys.code, in_band: keys.in_band })
    }
}

impl From<&ConsentAsked> for call_v1::ConsentAsked {
    fn from(asked: &ConsentAsked) -> Self {
        Self {
            recorded: Some((&asked.recorded).into()),
            mode: asked.mode.to_string(),
            asked_by: asked.asked_by.to_string(),
            asked_side: call_v1::Side::from(asked.asked_side).into(),
            announcement: asked.announcement.as_ref().map(|played| call_v1::AnnouncementPlayed {
                name: played.name.to_string(),
                sha256: played.sha256.clone(),
                duration_ms: played.duration_ms,
            }),
            key: asked.key.map(String::from).unwrap_or_default(),
            window_ms: asked.window_ms,
            in_band: asked.in_band,
        }
    }
}

impl TryFrom<call_v1::ConsentAsked> for ConsentAsked {
    type Error = InvalidMessage;
    fn try_from(asked: call_v1::ConsentAsked) -> Result<Self, InvalidMessage> {
        let played = |played: call_v1::AnnouncementPlayed| {
            Ok(AnnouncementPlayed {
                name: parse("askConsent.announcement.name", &played.name)?,
                sha256: played.sha256,
                duration_ms: played.duration_ms,
            })
        };
        Ok(Self {
            asked_side: asked.asked_side().try_into()?,
            recorded: asked.recorded.ok_or_else(|| missing("askConsent.recorded"))?.try_into()?,
            mode: parse("askConsent.mode", &asked.mode)?,
            asked_by: parse("askConsent.askedBy", &asked.asked_by)?,
            announcement: asked.announcement.map(played).transpose()?,
            key: asked.key.chars().next(),
            window_ms: asked.window_ms,
            in_band: asked.in_band,
        })
    }
}

impl From<&Consent> for call_v1::Consent {
    fn from(consent: &Consent) -> Self {
        Self {
            mode: consent.mode.to_string(),
            outcome: consent.outcome.to_string(),
            key: consent.key.map(String::from).unwrap_or_default(),
            at_unix_us: consent.at_unix_us,
            announcement: consent.announcement.as_ref().map(ToString::to_string).unwrap_or_default(),
            announcement_sha256: consent.announcement_sha256.clone().unwrap_or_default(),
            source: consent.source.to_string(),
        }
    }
}

impl event_v1::ConsentAnswered {
    /// The event of an answer to the question about the call `call_id`; `rule` is empty where it is
    /// not known.
    pub fn new(consent: &Consent, call_id: &str, rule: &str) -> Self {
        let call_v1::Consent { mode, outcome, key, at_unix_us, announcement, announcement_sha256, source } =
            consent.into();
        Self {
            mode,
            outcome,
            key,
            consented_unix_us: at_unix_us,
            announcement,
            announcement_sha256,
            source,
            call_id: call_id.to_owned(),
            rule: rule.to_owned(),
        }
    }
}

impl TryFrom<call_v1::Consent> for Consent {
    type Error = InvalidMessage;
    fn try_from(consent: call_v1::Consent) -> Result<Self, InvalidMessage> {
        Ok(Self {
            mode: parse("consent.mode", &consent.mode)?,
            outcome: parse("consent.outcome", &consent.outcome)?,
            key: consent.key.chars().next(),
            at_unix_us: consent.at_unix_us,
            announcement: match consent.announcement.as_str() {
                "" => None,
                name => Some(parse("consent.announcement", name)?),
            },
            announcement_sha256: Some(consent.announcement_sha256).filter(|hash| !hash.is_empty()),
            source: parse("consent.source", &consent.source)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        AskedBy, Channels, Class, ConsentMode, ConsentOutcome, ConsentSource, Direction, NotRecorded,
    };

    use super::*;

    fn recorded() -> Recorded {
        Recorded {
            rule: "desk".parse().unwrap(),
            class: Class::Consent,
            channels: Channels::Stereo,
            targets: vec!["archive".parse().unwrap()],
            journals: vec![],
            consent: Some(Consent {
                mode: ConsentMode::OptIn,
                outcome: ConsentOutcome::Granted,
                key: Some('1'),
                at_unix_us: 1_700_000_000_000_000,
                announcement: Some("greeting".parse().unwrap()),
                announcement_sha256: Some("00ff".into()),
                source: ConsentSource::RecordedCall,
            }),
            stop_keys: Some(StopKeys { code: "*1".into(), sides: vec![Side::Callee], in_band: true }),
        }
    }

    #[test]
    fn every_verdict_survives_the_bus() {
        let asked = ConsentAsked {
            recorded: Recorded { consent: None, ..recorded() },
            mode: ConsentMode::OptOut,
            asked_by: AskedBy::RecordedCall,
            asked_side: Side::Caller,
            announcement: Some(AnnouncementPlayed {
                name: "greeting".parse().unwrap(),
                sha256: "00ff".into(),
                duration_ms: 4_000,
            }),
            key: Some('#'),
            window_ms: 5_000,
            in_band: false,
        };
        let not = NotRecorded { reason: "no rule matches".into() };
        for verdict in
            [Verdict::Record(recorded()), Verdict::AskConsent(Box::new(asked)), Verdict::DoNotRecord(not)]
        {
            let decision =
                Decision { direction: Direction::Out, verdict, trace: vec!["desk: matches".into()] };
            assert_eq!(Decision::try_from(call_v1::Decision::from(&decision)), Ok(decision));
        }
    }
}
