//! Numbers and identities in one spelling, so that `+49 7031 1234`, `004970311234` and
//! `sip:+4970311234@pbx` find each other. A number that is not recognised would be a recording
//! that is missing.

/// How numbers are dialled in the tenant's country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberPlan {
    /// What is dialled before a country code.
    international: &'static str,
    /// Country code, and what is dialled before an area code; `None`: national numbers are left as
    /// they are.
    national: Option<(&'static str, &'static str)>,
}

/// Numbers with fewer digits are extensions, whatever they begin with.
const SHORTEST_NATIONAL: usize = 7;

impl NumberPlan {
    /// The plan of a country (ISO 3166-1 alpha-2). Where a country is not known or not given, `00`
    /// leads abroad, as ITU-T E.164 recommends.
    pub fn new(country: Option<&str>) -> Self {
        let (international, national) = match country.unwrap_or_default() {
            "DE" => ("00", Some(("49", "0"))),
            "AT" => ("00", Some(("43", "0"))),
            "CH" | "LI" => ("00", Some((if country == Some("CH") { "41" } else { "423" }, "0"))),
            "FR" => ("00", Some(("33", "0"))),
            "BE" => ("00", Some(("32", "0"))),
            "NL" => ("00", Some(("31", "0"))),
            "GB" => ("00", Some(("44", "0"))),
            "SE" => ("00", Some(("46", "0"))),
            "US" | "CA" => ("011", Some(("1", "1"))),
            "AU" => ("0011", Some(("61", "0"))),
            "JP" => ("010", Some(("81", "0"))),
            _ => ("00", None),
        };
        Self { international, national }
    }

    /// The one spelling of an identity: scheme, parameters and case are gone. A number loses what
    /// only helps the eye, and gets its country code where that can be told.
    pub fn canonical(&self, identity: &str) -> String {
        let bare = without_scheme(identity);
        match bare.split_once('@') {
            Some(_) => bare.to_lowercase(),
            None => self.canonical_number(bare),
        }
    }

    /// The number in an identity, or its user part if it is an address: `+4970311234` of
    /// `sip:+4970311234@pbx`.
    pub fn user_part(&self, identity: &str) -> Option<String> {
        let (user, _) = without_scheme(identity).split_once('@')?;
        Some(self.canonical_number(user))
    }

    fn canonical_number(&self, text: &str) -> String {
        let is_number =
            !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || SEPARATORS.contains(&c));
        if !is_number {
            return text.to_lowercase();
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if text.trim_start().starts_with('+') {
            return format!("+{digits}");
        }
        if digits.len() < SHORTEST_NATIONAL {
            return digits;
        }
        if let Some(abroad) = digits.strip_prefix(self.international) {
            return format!("+{abroad}");
        }
        match self.national.and_then(|(code, trunk)| Some((code, digits.strip_prefix(trunk)?))) {
            Some((code, rest)) => format!("+{code}{rest}"),
            None => digits,
        }
    }
}

/// What people put between digits (RFC 3966, visual separators), and the plus.
const SEPARATORS: [char; 7] = ['+', '-', '.', '(', ')', '/', ' '];

fn without_scheme(identity: &str) -> &str {
    let text = identity.trim();
    let bare = ["sip:", "sips:", "tel:"].iter().find_map(|scheme| {
        let (head, rest) = text.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let bare = bare.unwrap_or(text);
    bare.split_once(';').map_or(bare, |(before, _)| before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_number_are_one() {
        for (country, text, expected) in [
            (Some("DE"), "+49 (7031) 12-34", "+4970311234"),
            (Some("DE"), "004970311234", "+4970311234"),
            (Some("DE"), "070311234", "+4970311234"),
            (Some("DE"), "tel:+49-7031-1234;phone-context=x", "+4970311234"),
            (Some("AT"), "01 5321234", "+4315321234"),
            (Some("US"), "1 212 555 0100", "+12125550100"),
            (Some("US"), "011 49 7031 1234", "+4970311234"),
            (None, "004970311234", "+4970311234"),
            (None, "070311234", "070311234"),
            // Extensions stay what they are.
            (Some("DE"), "22", "22"),
            (Some("DE"), "022", "022"),
            (Some("DE"), "Erika", "erika"),
            (Some("DE"), "SIP:Erika@PBX.acme.example;transport=tcp", "erika@pbx.acme.example"),
            (Some("DE"), "", ""),
        ] {
            assert_eq!(NumberPlan::new(country).canonical(text), expected, "{text} in {country:?}");
        }
    }

    #[test]
    fn the_user_part_of_an_address_is_a_number_of_its_own() {
        let plan = NumberPlan::new(Some("DE"));
        assert_eq!(plan.user_part("sip:070311234@pbx").as_deref(), Some("+4970311234"));
        assert_eq!(plan.user_part("22"), None);
    }
}
