//! Consent to a recording: how it is asked for, what was answered, and the proof of it (F-20 … F-24).

use serde::{Deserialize, Serialize};

use crate::{ResourceName, decision::named_enum};

named_enum!(
    /// What the person who is asked can choose (F-20).
    ConsentMode {
        /// Recorded only if the key is pressed.
        OptIn = "optIn",
        /// Recorded unless the key is pressed.
        OptOut = "optOut",
        /// No key is read; always recorded, after the announcement.
        NoChoice = "noChoice",
    }
);

named_enum!(
    /// Who plays the announcement and where the key is read.
    AskedBy {
        /// A call of its own to Callseal's consent endpoint, before the call goes on.
        ConsentCall = "consentCall",
        /// The PBX plays the announcement during the recorded call; the key is read from its stream.
        RecordedCall = "recordedCall",
        /// The PBX asks by itself and tells the answer through the API.
        Pbx = "pbx",
    }
);

named_enum!(
    /// What came of asking; also the value of the SIP header `X-Callseal-Consent`.
    ConsentOutcome {
        /// The person agreed.
        Granted = "granted",
        /// The person refused.
        Denied = "denied",
        /// No fitting key came in time, or the person hung up first.
        NoAnswer = "no-answer",
    }
);

named_enum!(
    /// Where an answer came from.
    ConsentSource {
        /// Callseal's consent endpoint.
        ConsentCall = "consent call",
        /// A key in the recorded call.
        RecordedCall = "recorded call",
        /// The API.
        Api = "API",
    }
);

impl ConsentMode {
    /// Whether a call may be recorded after this outcome (F-22).
    pub const fn permits(self, outcome: ConsentOutcome) -> bool {
        match self {
            Self::OptIn => matches!(outcome, ConsentOutcome::Granted),
            Self::OptOut => !matches!(outcome, ConsentOutcome::Denied),
            Self::NoChoice => true,
        }
    }

    /// What the fitting key says; `None` where no key is read.
    pub const fn outcome_of_key(self) -> Option<ConsentOutcome> {
        match self {
            Self::OptIn => Some(ConsentOutcome::Granted),
            Self::OptOut => Some(ConsentOutcome::Denied),
            Self::NoChoice => None,
        }
    }
}

/// An answer with its proof (F-24).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consent {
    /// What could be chosen.
    pub mode: ConsentMode,
    /// What was chosen.
    pub outcome: ConsentOutcome,
    /// The key that was pressed.
    #[serde(default)]
    pub key: Option<char>,
    /// When consent (or its refusal) stood: the key's first packet, or the end of the time for it.
    /// Unix time, microseconds.
    pub at_unix_us: i64,
    /// What was played.
    #[serde(default)]
    pub announcement: Option<ResourceName>,
    /// SHA-256 of the announcement's file, lower-case hex.
    #[serde(default)]
    pub announcement_sha256: Option<String>,
    /// Where the answer came from.
    pub source: ConsentSource,
}

impl Consent {
    /// Whether the call may be recorded.
    pub const fn permits(&self) -> bool {
        self.mode.permits(self.outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f22_no_key_in_time_records_with_opt_out_and_not_with_opt_in() {
        use ConsentOutcome::{Denied, Granted, NoAnswer};
        let permitted = |mode: ConsentMode| [Granted, Denied, NoAnswer].map(|outcome| mode.permits(outcome));
        assert_eq!(permitted(ConsentMode::OptIn), [true, false, false]);
        assert_eq!(permitted(ConsentMode::OptOut), [true, false, true]);
        assert_eq!(permitted(ConsentMode::NoChoice), [true, true, true]);
    }
}
