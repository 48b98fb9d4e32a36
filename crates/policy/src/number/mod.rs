//! Numbers and identities in one spelling, so that `+49 7031 1234`, `004970311234` and
//! `sip:+4970311234@pbx` find each other. A number that is not recognised would be a recording
//! that is missing.

mod country;
mod spelling;

use std::sync::Arc;

use country::{Country, Leading};
use domain::resources::Numbering;
pub(crate) use spelling::has_star;
use spelling::{Bare, bare};

/// How numbers are dialled and reported in the tenant's country and by its PBX.
#[derive(Debug, Clone)]
pub(crate) struct NumberPlan {
    country: Option<Arc<Country>>,
    /// What is dialled before a country code.
    international: Leading,
    /// What the tenant says is dialled before an area code, empty for nothing; `None`: the
    /// country's way.
    national: Option<String>,
    /// Of the tenant's place, without what is dialled before it: local numbers get it.
    area_code: Option<String>,
    /// What is dialled for a line to the outside.
    outside_line: Option<String>,
    /// Numbers of at most so many digits are extensions, whatever they begin with.
    extension_digits: usize,
}

/// So long are extensions where the tenant does not say.
const EXTENSION_DIGITS: usize = 6;

/// A number with country code but without `+` or `00` has at least so many digits; what is shorter
/// is rather a local number that happens to begin with the same digits.
const SHORTEST_WITH_COUNTRY_CODE: usize = 10;

impl NumberPlan {
    /// The plan of a tenant. Where a country is not known or not given, `00` leads abroad, as ITU-T
    /// E.164 recommends, and national numbers are left as they are.
    pub fn new(country: Option<&str>, numbering: &Numbering) -> Self {
        let country = country.and_then(Country::get);
        let national = numbering.national_prefix.clone();
        let trunk =
            national.as_deref().or(country.as_ref().and_then(|country| country.trunk())).unwrap_or_default();
        let without_trunk = |code: &String| match code.strip_prefix(trunk) {
            Some(rest) if !trunk.is_empty() && !rest.is_empty() => rest.to_owned(),
            _ => code.clone(),
        };
        let international = match (&numbering.international_prefix, &country) {
            (Some(prefix), _) => Leading::Digits(prefix.clone()),
            (None, Some(country)) => country.international.clone(),
            (None, None) => Leading::Digits("00".to_owned()),
        };
        Self {
            international,
            area_code: numbering.area_code.as_ref().map(without_trunk),
            outside_line: numbering.outside_line.clone(),
            extension_digits: numbering.extension_digits.map_or(EXTENSION_DIGITS, usize::from),
            national,
            country,
        }
    }

    /// The one spelling of an identity: scheme, parameters and case are gone. A number loses what
    /// only helps the eye, and gets its country code where that can be told.
    pub fn canonical(&self, identity: &str) -> String {
        match bare(identity) {
            Bare::Address { whole, .. } => whole.to_lowercase(),
            Bare::Other(text) => text.to_lowercase(),
            Bare::Number { plus, digits } => self.number(plus, &digits),
        }
    }

    /// The number in an address, or its user part: `+4970311234` of `sip:+4970311234@pbx`. `None`
    /// if the identity is no address.
    pub fn user_part(&self, identity: &str) -> Option<String> {
        match bare(identity) {
            Bare::Address { user, .. } => Some(self.canonical(user)),
            Bare::Number { .. } | Bare::Other(_) => None,
        }
    }

    /// The number in an identity: the user part of an address, else all of it.
    pub fn number_of(&self, identity: &str) -> String {
        self.user_part(identity).unwrap_or_else(|| self.canonical(identity))
    }

    /// The other reading of a number that somebody inside dialled: without the digits for an
    /// outside line. `None` if it does not begin with them.
    pub fn behind_outside_line(&self, identity: &str) -> Option<String> {
        let outside_line = self.outside_line.as_deref()?;
        match bare(identity) {
            Bare::Address { user, .. } => self.behind_outside_line(user),
            Bare::Number { plus: false, digits } if digits.len() > self.extension_digits => {
                let dialled = digits.strip_prefix(outside_line).filter(|rest| !rest.is_empty())?;
                Some(self.number(false, dialled))
            }
            Bare::Number { .. } | Bare::Other(_) => None,
        }
    }

    fn number(&self, plus: bool, digits: &str) -> String {
        // No country code begins with 0: such a plus was put there by a PBX that meant well.
        let plus = plus && (!digits.starts_with('0') || digits.starts_with("00"));
        if plus {
            return self.with_country_code(digits.trim_start_matches('0'));
        }
        if digits.len() <= self.extension_digits {
            return digits.to_owned();
        }
        match self.behind_international(digits) {
            Some(abroad) => self.with_country_code(abroad),
            None => self.in_country(digits),
        }
    }

    /// What follows the digits that lead abroad.
    fn behind_international<'a>(&self, digits: &'a str) -> Option<&'a str> {
        if let (Some(own), Leading::Pattern(_)) = (&self.country, &self.international) {
            // Where carriers are chosen by the prefix, `008` may lead abroad, but in `00852…` of
            // Hong Kong its own code follows `00`.
            let after = digits.strip_prefix("00").filter(|after| after.starts_with(own.code.as_str()));
            if let Some(after) = after.filter(|after| own.is_number(&after[own.code.len()..])) {
                return Some(after);
            }
            if self.without_trunk(own, digits).is_some_and(|significant| own.is_number(&significant)) {
                return None;
            }
        }
        // `00` and a `0` after it is no country code, but an outside line before a trunk prefix.
        self.international.strip(digits).filter(|abroad| !abroad.starts_with('0'))
    }

    /// `digits` begin with a country code.
    fn with_country_code(&self, digits: &str) -> String {
        let own = self.country.as_ref().and_then(|own| Some((own, digits.strip_prefix(own.code.as_str())?)));
        match own {
            // `+49 (0) 7031`: what is dialled only inside the country is gone.
            Some((own, rest)) => match self.without_trunk(own, rest) {
                Some(significant) => format!("+{}{significant}", own.code),
                None => format!("+{digits}"),
            },
            None => match country::trunk_zero_after_code(digits) {
                Some((code, rest)) => format!("+{code}{rest}"),
                None => format!("+{digits}"),
            },
        }
    }

    /// The national significant number, if `digits` begin with what is dialled before it.
    fn without_trunk<'a>(&self, country: &Country, digits: &'a str) -> Option<std::borrow::Cow<'a, str>> {
        match &self.national {
            Some(none) if none.is_empty() => None,
            Some(prefix) => digits.strip_prefix(prefix.as_str()).map(Into::into),
            None => country.without_trunk(digits),
        }
    }

    /// `digits` have no country code.
    fn in_country(&self, digits: &str) -> String {
        let Some(country) = &self.country else { return self.nowhere(digits) };
        if let Some(significant) = self.without_trunk(country, digits) {
            return format!("+{}{significant}", country.code);
        }
        // Many PBXs and carriers leave out the plus.
        let bare_international = digits
            .strip_prefix(country.code.as_str())
            .filter(|rest| digits.len() >= SHORTEST_WITH_COUNTRY_CODE && country.is_number(rest));
        match &self.area_code {
            None if country.is_number(digits) => format!("+{}{digits}", country.code),
            _ if bare_international.is_some() => format!("+{digits}"),
            Some(area) if country.is_number(&format!("{area}{digits}")) || !country.is_number(digits) => {
                format!("+{}{area}{digits}", country.code)
            }
            Some(_) => format!("+{}{digits}", country.code),
            // Where nothing is dialled before an area code, every number is whole.
            None if country.trunk().is_none() => format!("+{}{digits}", country.code),
            None => digits.to_owned(),
        }
    }

    /// Without a country there is no country code; an area code makes local numbers whole.
    fn nowhere(&self, digits: &str) -> String {
        let (Some(trunk), Some(area)) = (&self.national, &self.area_code) else { return digits.to_owned() };
        if !trunk.is_empty() && digits.starts_with(trunk.as_str()) {
            digits.to_owned()
        } else {
            format!("{trunk}{area}{digits}")
        }
    }
}

#[cfg(test)]
mod tests;
