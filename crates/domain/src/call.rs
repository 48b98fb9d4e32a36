//! What is known of a call when rules decides about it.

use serde::{Deserialize, Serialize};

use crate::{Direction, Override, Sensitive, TenantId};

/// Which side of the call somebody is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Who called: channel 1.
    Caller,
    /// Who was called: channel 2.
    Callee,
}

/// One side of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Party {
    /// The number as the PBX writes it, or the user part of the address of record.
    pub number: Sensitive<String>,
    /// The display name; empty if the PBX sent none.
    pub name: Sensitive<String>,
    /// Every other identity the PBX gave: address of record without scheme, asserted identities,
    /// diverting parties.
    pub identities: Vec<Sensitive<String>>,
}

impl Party {
    /// Number and further identities in one sequence.
    pub fn all_identities(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.number)
            .chain(&self.identities)
            .map(|s| s.expose().as_str())
            .filter(|s| !s.is_empty())
    }
}

/// The facts of one call, as the policy core reads them. Audio is not among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallFacts {
    /// Whose call it is.
    pub tenant: TenantId,
    /// The PBX's own id of the call (F-42): `X-Call-ID`, else `Session-ID`, else the SIP Call-ID.
    #[serde(default)]
    pub call_id: String,
    /// As the PBX said it; `None` lets the directory find it from who is known.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Who called.
    #[serde(default)]
    pub caller: Party,
    /// Who was called.
    #[serde(default)]
    pub callee: Party,
    /// What the PBX wishes for this call, as it said in signalling (F-16).
    #[serde(default, rename = "override")]
    pub override_by_pbx: Override,
}
