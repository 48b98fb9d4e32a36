//! How the tenant's PBX writes numbers.

use serde::Deserialize;

use crate::resources::{FieldPath, field::Findings};

/// An extension has at most this many digits: longer ones would be taken for numbers of the
/// public network.
const MAX_EXTENSION_DIGITS: i64 = 12;

/// How the tenant's PBX writes numbers. What is `None` follows from the tenant's country.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbering {
    /// What is dialled before a country code: `00`.
    pub international_prefix: Option<String>,
    /// What is dialled before an area code: `0`; empty where nothing is.
    pub national_prefix: Option<String>,
    /// The area code of numbers without one, without the national prefix: `7031`.
    pub area_code: Option<String>,
    /// What is dialled for an outside line: `0`.
    pub outside_line: Option<String>,
    /// A number of at most so many digits is an extension.
    pub extension_digits: Option<u8>,
}

/// The raw form of [`Numbering`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NumberingSpec {
    /// Digits in quotes.
    pub international_prefix: Option<String>,
    /// Digits in quotes; `""`: there is none.
    pub national_prefix: Option<String>,
    /// Digits in quotes.
    pub area_code: Option<String>,
    /// Digits in quotes.
    pub outside_line: Option<String>,
    /// 1 to 12.
    pub extension_digits: Option<i64>,
}

impl NumberingSpec {
    /// What is wrong with the one at `path` is noted.
    pub(super) fn validate(&self, path: &FieldPath, findings: &mut Findings) -> Numbering {
        let fields = [
            ("internationalPrefix", &self.international_prefix, 1),
            ("nationalPrefix", &self.national_prefix, 0),
            ("areaCode", &self.area_code, 1),
            ("outsideLine", &self.outside_line, 1),
        ];
        for (field, text, least) in fields {
            let digits =
                |text: &String| (least..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            if text.as_ref().is_some_and(|text| !digits(text)) {
                findings.add(path.key(field), format!("must be {least} to 8 digits, in quotes"));
            }
        }
        if let (Some(area), Some(national)) = (&self.area_code, &self.national_prefix)
            && !national.is_empty()
            && area.starts_with(national.as_str())
        {
            findings.add(path.key("areaCode"), "must stand there without the nationalPrefix");
        }
        let extension_digits = self.extension_digits.and_then(|digits| {
            let valid = (1..=MAX_EXTENSION_DIGITS).contains(&digits);
            if !valid {
                let reason = format!("must be 1 to {MAX_EXTENSION_DIGITS}");
                findings.add(path.key("extensionDigits"), reason);
            }
            u8::try_from(digits).ok().filter(|_| valid)
        });
        Numbering {
            international_prefix: self.international_prefix.clone(),
            national_prefix: self.national_prefix.clone(),
            area_code: self.area_code.clone(),
            outside_line: self.outside_line.clone(),
            extension_digits,
        }
    }
}
