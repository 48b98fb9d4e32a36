//! What a call is to be: who talks to whom, on which streams, over what network.

use std::{sync::Arc, time::Duration};

use domain::{Sensitive, Side};

use super::{Codec, Impairments, speech};

/// A call to be placed.
#[derive(Debug, Clone)]
pub struct CallSpec {
    /// Who calls.
    pub caller: PartySpec,
    /// Who is called.
    pub callee: PartySpec,
    /// What is sent: one m-line each.
    pub streams: Vec<StreamSpec>,
    /// The PBX's id of the call, sent as `X-Call-ID`; `None`: the recorder takes the SIP Call-ID.
    pub call_id: Option<String>,
    /// Without metadata the body is the offer alone, and `From` and `To` name the parties.
    pub with_metadata: bool,
    /// Further headers of the INVITE.
    pub headers: Vec<(String, String)>,
}

/// One party of the call.
#[derive(Debug, Clone)]
pub struct PartySpec {
    /// Telephone number or user name.
    pub number: Sensitive<String>,
    /// Display name; may be empty.
    pub name: Sensitive<String>,
}

impl PartySpec {
    /// A party with this number and name.
    pub fn new(number: &str, name: &str) -> Self {
        Self { number: number.into(), name: name.into() }
    }

    pub(super) fn aor(&self) -> String {
        format!("sip:{}@pbx.invalid;user=phone", self.number.expose())
    }
}

/// One stream of the call.
#[derive(Debug, Clone)]
pub struct StreamSpec {
    /// `a=label`.
    pub label: String,
    /// Whose voice it is.
    pub side: Side,
    /// Codec of `audio`.
    pub codec: Codec,
    /// What is sent, 8000 bytes a second, from the beginning again when it ends. Not empty.
    pub audio: Arc<[u8]>,
    /// How much later than the call its first packet leaves.
    pub start_delay: Duration,
    /// The network in between.
    pub impairments: Impairments,
}

impl CallSpec {
    /// A call of two streams with the built-in speech, A-law, over a perfect network.
    pub fn speech(caller: PartySpec, callee: PartySpec) -> Self {
        let stream = |label: &str, side, audio| StreamSpec {
            label: label.to_owned(),
            side,
            codec: Codec::Pcma,
            audio,
            start_delay: Duration::ZERO,
            impairments: Impairments { seed: rand::random(), ..Impairments::default() },
        };
        Self {
            caller,
            callee,
            streams: vec![
                stream("0", Side::Caller, speech::caller()),
                stream("1", Side::Callee, speech::callee()),
            ],
            call_id: None,
            with_metadata: true,
            headers: Vec::new(),
        }
    }
}
