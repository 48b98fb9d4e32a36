//! What libphonenumber knows of countries: `build.rs` takes it out of its metadata.

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use regex::Regex;

include!(concat!(env!("OUT_DIR"), "/countries.rs"));

/// A country as the metadata has it; patterns are regular expressions over digits.
struct Known {
    /// ISO 3166-1 alpha-2.
    id: &'static str,
    code: u16,
    international: Option<&'static str>,
    trunk: Option<&'static str>,
    parsing: Option<&'static str>,
    transform: Option<&'static str>,
    numbers: &'static str,
    /// Compiled when the first tenant of the country is: many tenants share one.
    compiled: OnceLock<Option<Arc<Country>>>,
}

/// How numbers are built and dialled in one country.
#[derive(Debug, Clone)]
pub(super) struct Country {
    /// `49`.
    pub code: String,
    /// What is dialled before a country code.
    pub international: Leading,
    /// What is dialled before an area code; `None`: nothing is.
    trunk: Option<String>,
    /// Where a trunk prefix is more than some digits: carrier codes, local numbers, mobile
    /// prefixes that are dialled inside the country only.
    parsing: Option<Parsing>,
    /// All national significant numbers.
    numbers: Regex,
}

/// Digits at the beginning of a number.
#[derive(Debug, Clone)]
pub(super) enum Leading {
    Digits(String),
    Pattern(Regex),
}

#[derive(Debug, Clone)]
struct Parsing {
    pattern: Regex,
    /// What takes the place of the match: `9$1`.
    transform: Option<String>,
}

impl Leading {
    /// The rest of `digits`, if they begin with it.
    pub fn strip<'a>(&self, digits: &'a str) -> Option<&'a str> {
        match self {
            Self::Digits(leading) => digits.strip_prefix(leading.as_str()),
            Self::Pattern(pattern) => pattern.find(digits).map(|found| &digits[found.end()..]),
        }
    }
}

impl Country {
    /// The country of that name (ISO 3166-1 alpha-2); `None` if libphonenumber does not know it.
    pub fn get(id: &str) -> Option<Arc<Self>> {
        let known = &COUNTRIES[COUNTRIES.binary_search_by_key(&id, |known| known.id).ok()?];
        known.compiled.get_or_init(|| Self::compile(known).map(Arc::new)).clone()
    }

    fn compile(known: &Known) -> Option<Self> {
        let international = match known.international {
            Some(pattern) if pattern.bytes().all(|b| b.is_ascii_digit()) => {
                Leading::Digits(pattern.to_owned())
            }
            Some(pattern) => Leading::Pattern(begins_with(pattern)?),
            None => Leading::Digits("00".to_owned()),
        };
        let parsing = match known.parsing {
            Some(pattern) if known.transform.is_some() || known.parsing != known.trunk => {
                Some(Parsing { pattern: begins_with(pattern)?, transform: known.transform.map(braced) })
            }
            _ => None,
        };
        Some(Self {
            code: known.code.to_string(),
            international,
            trunk: known.trunk.map(str::to_owned),
            parsing,
            numbers: Regex::new(&format!("^(?:{})$", known.numbers)).ok()?,
        })
    }

    /// What is dialled before an area code.
    pub fn trunk(&self) -> Option<&str> {
        self.trunk.as_deref()
    }

    /// True if `digits` can be a national significant number.
    pub fn is_number(&self, digits: &str) -> bool {
        self.numbers.is_match(digits)
    }

    /// The national significant number, if `digits` begin with what is dialled before it. Digits
    /// that are a number as they stand keep them, unless they are one without them, too.
    pub fn without_trunk<'a>(&self, digits: &'a str) -> Option<Cow<'a, str>> {
        let plain = || digits.strip_prefix(self.trunk.as_deref()?).map(Cow::Borrowed);
        let significant = match &self.parsing {
            // A carrier code is read only where a number is left: `03…` may be a mobile's `3…`.
            Some(parsing) => match parsing.apply(digits) {
                Some(left) if self.is_number(&left) => left,
                left => plain().filter(|plain| self.is_number(plain)).or(left)?,
            },
            None => plain()?,
        };
        let keeps = self.is_number(digits) && !self.is_number(&significant);
        (!keeps).then_some(significant)
    }
}

impl Parsing {
    fn apply<'a>(&self, digits: &'a str) -> Option<Cow<'a, str>> {
        let found = self.pattern.captures(digits)?;
        let matched = found.get(0).filter(|matched| !matched.is_empty())?;
        let rest = &digits[matched.end()..];
        // The rule speaks of the last group: if that did not take part, there is only a prefix.
        let last = found.get(found.len() - 1).filter(|_| found.len() > 1);
        match (&self.transform, last) {
            (Some(transform), Some(_)) => {
                let mut transformed = String::new();
                found.expand(transform, &mut transformed);
                transformed.push_str(rest);
                Some(Cow::Owned(transformed))
            }
            _ => Some(Cow::Borrowed(rest)),
        }
    }
}

/// `$1` is a group, whatever follows it: crate regex would read `$15` and `$1a` as other groups.
fn braced(rule: &str) -> String {
    let mut braced = String::with_capacity(rule.len() + 4);
    let mut chars = rule.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(group) if c == '$' && group.is_ascii_digit() => {
                braced.push_str("${");
                braced.push(*group);
                braced.push('}');
                chars.next();
            }
            _ => braced.push(c),
        }
    }
    braced
}

fn begins_with(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})")).ok()
}

/// A foreign number written `+44 (0) 20…`: its country code, and what follows the 0.
pub(super) fn trunk_zero_after_code(digits: &str) -> Option<(&str, &str)> {
    (1..=3).find_map(|len| {
        let (code, rest) = digits.split_at_checked(len)?;
        let rest = rest.strip_prefix('0')?;
        WITH_TRUNK_ZERO.binary_search(&code.parse().ok()?).ok().map(|_| (code, rest))
    })
}
