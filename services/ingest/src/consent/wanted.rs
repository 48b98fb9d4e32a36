//! What a plain call asks for, by the user part of its Request-URI.

use domain::ResourceName;

/// What is to happen in the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `consent.<rule>`: play the rule's announcement, read a key, keep the answer.
    Consent,
    /// `announce.<rule>`: play the rule's announcement, keep nothing.
    Announce,
}

/// A plain call that is taken here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What for.
    pub purpose: Purpose,
    /// By which rule.
    pub rule: ResourceName,
}

impl Wanted {
    /// Reads the user part; `None`: the call is not for the consent endpoint.
    pub fn read(user: &str) -> Option<Self> {
        let (purpose, rule) = user.split_once('.')?;
        let purpose = match purpose.to_ascii_lowercase().as_str() {
            "consent" => Purpose::Consent,
            "announce" => Purpose::Announce,
            _ => return None,
        };
        Some(Self { purpose, rule: rule.to_ascii_lowercase().parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_part_names_purpose_and_rule() {
        let read = |user: &str| Wanted::read(user).map(|w| (w.purpose, w.rule.to_string()));
        assert_eq!(read("consent.sales"), Some((Purpose::Consent, "sales".to_owned())));
        assert_eq!(read("Announce.Sales"), Some((Purpose::Announce, "sales".to_owned())));
        for not_for_us in ["", "22", "consent", "consent.", "consent.a b", "callseal", "consents.sales"] {
            assert_eq!(read(not_for_us), None, "{not_for_us}");
        }
    }
}
