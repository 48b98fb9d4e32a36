//! What the SIP headers of the recording session's INVITE say about people.

use domain::{Party, Sensitive};

use crate::Address;

/// People named in SIP headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SipIdentities {
    /// `From`.
    pub from: Option<Address>,
    /// `To`.
    pub to: Option<Address>,
    /// `P-Asserted-Identity` (RFC 3325).
    pub asserted: Vec<Address>,
    /// `Diversion` (RFC 5806) and `History-Info` (RFC 7044).
    pub diverting: Vec<Address>,
    /// `X-Cisco-Recording-Participant`.
    pub cisco_participants: Vec<CiscoParticipant>,
}

/// Cisco's network-based recording sends no metadata but one such header for each participant:
/// `sip:708090@192.0.2.5;media-index="0 2"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CiscoParticipant {
    /// Who.
    pub address: Address,
    /// The m-lines that carry the participant's media.
    pub media_indexes: Vec<usize>,
}

impl SipIdentities {
    /// Picks what it needs from all headers of a request: pairs of name and value.
    pub fn read<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut identities = Self::default();
        for (name, value) in headers {
            match name.trim().to_ascii_lowercase().as_str() {
                "from" | "f" => identities.from = Some(Address::parse(value)),
                "to" | "t" => identities.to = Some(Address::parse(value)),
                "p-asserted-identity" => identities.asserted.extend(list(value).map(Address::parse)),
                "diversion" | "history-info" => identities.diverting.extend(list(value).map(Address::parse)),
                "x-cisco-recording-participant" => {
                    identities.cisco_participants.extend(list(value).map(CiscoParticipant::parse));
                }
                _ => {}
            }
        }
        identities
    }

    /// Who called, unless the headers name nobody.
    pub(super) fn caller(&self) -> Option<&Address> {
        self.from.iter().chain(&self.asserted).find(|a| !a.is_nobody())
    }

    /// Who was called, unless the headers name nobody.
    pub(super) fn callee(&self) -> Option<&Address> {
        self.to.as_ref().filter(|a| !a.is_nobody())
    }

    /// Adds to a party what headers with the same number know besides: name and other identities.
    pub(super) fn complete(&self, party: &mut Party) {
        let number = party.number.clone();
        let is_party = |a: &&Address| !number.is_empty() && a.number == number;
        if let Some(caller) = self.from.as_ref().filter(is_party) {
            fill(party, caller);
            for asserted in self.asserted.iter().filter(|a| !a.is_nobody()) {
                fill(party, asserted);
            }
        } else if let Some(callee) = self.to.as_ref().filter(is_party) {
            fill(party, callee);
            for diverting in self.diverting.iter().filter(|a| !a.is_nobody()) {
                add_identity(party, &diverting.number);
                add_identity(party, &diverting.identity);
            }
        }
    }
}

fn fill(party: &mut Party, address: &Address) {
    if party.name.is_empty() {
        party.name = address.name.clone();
    }
    add_identity(party, &address.number);
    add_identity(party, &address.identity);
}

/// Adds an identity that is not there yet.
pub(super) fn add_identity(party: &mut Party, identity: &Sensitive<String>) {
    if !identity.is_empty() && *identity != party.number && !party.identities.contains(identity) {
        party.identities.push(identity.clone());
    }
}

impl CiscoParticipant {
    fn parse(value: &str) -> Self {
        let indexes = value.split_once("media-index").map_or("", |(_, rest)| rest);
        let indexes = indexes.trim_start_matches([' ', '=', '"']);
        let indexes = indexes.split(['"', ';']).next().unwrap_or_default();
        let media_indexes = indexes.split([' ', ',']).filter_map(|i| i.trim().parse().ok()).collect();
        Self { address: Address::parse(value), media_indexes }
    }
}

/// The values of a header, which may stand in one line with commas between (RFC 3261 § 7.3.1).
fn list(value: &str) -> impl Iterator<Item = &str> {
    let (mut in_quotes, mut in_brackets) = (false, false);
    let is_comma = move |c: char| {
        match c {
            '"' => in_quotes = !in_quotes,
            '<' if !in_quotes => in_brackets = true,
            '>' if !in_quotes => in_brackets = false,
            _ => {}
        }
        c == ',' && !in_quotes && !in_brackets
    };
    value.split(is_comma).map(str::trim).filter(|v| !v.is_empty())
}
