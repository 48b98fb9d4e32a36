//! What the messages of the control API need beside the generated code: JSON, and a `Debug` that
//! shows neither users nor keys.

use std::fmt;

use crate::{control_v1::*, state_v1};

/// proto3 JSON of the messages of `callseal.control.v1`; a field that is not known is an error.
mod json {
    use crate::control_v1::*;
    include!(concat!(env!("OUT_DIR"), "/callseal.control.v1.serde.rs"));
}

macro_rules! redacted {
    ($($type:ty => $name:literal),+ $(,)?) => {
        $(impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($name, "(‹sensitive›)"))
            }
        })+
    };
}

redacted! {
    SetMembershipRequest => "SetMembershipRequest",
    Membership => "Membership",
    SetConsentRequest => "SetConsentRequest",
    ConsentProof => "ConsentProof",
    StartRecordingRequest => "StartRecordingRequest",
    StopRecordingRequest => "StopRecordingRequest",
    PressPhoneButtonRequest => "PressPhoneButtonRequest",
    state_v1::Membership => "Membership",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_that_of_proto3_and_says_also_what_is_false() {
        let member = Membership { user: "erika".into(), ..Membership::default() };
        let json = serde_json::to_string(&member).unwrap();
        assert_eq!(json, r#"{"user":"erika","active":false,"listed":false,"changedAt":""}"#);
        assert_eq!(serde_json::from_str::<Membership>(&json).unwrap(), member);
    }

    #[test]
    fn a_field_that_is_not_known_is_named_with_those_that_are() {
        let error = serde_json::from_str::<SetOverrideRequest>(r#"{"overide":"deny"}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `overide`, expected one of"), "{error}");
    }

    #[test]
    fn debug_shows_no_user() {
        let request = StartRecordingRequest { user: "erika".into(), ..Default::default() };
        assert_eq!(format!("{request:?}"), "StartRecordingRequest(‹sensitive›)");
    }
}
