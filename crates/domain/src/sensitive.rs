//! A wrapper that keeps numbers, names and keys out of logs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that identifies a person or opens a door: a phone number, a name, a password.
///
/// `Debug` and `Display` print a placeholder; reading the value takes an explicit
/// [`expose`](Sensitive::expose), which is easy to find in a review.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Marks `value` as sensitive.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Never pass it to a log, a metric label or an error text.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Takes the value out. The same care applies as with [`expose`](Sensitive::expose).
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl Sensitive<String> {
    /// True if there is no text in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> From<T> for Sensitive<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<&str> for Sensitive<String> {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹sensitive›")
    }
}

impl<T> fmt::Display for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹sensitive›")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_display_shows_the_value() {
        let number: Sensitive<String> = "+4970311234".into();
        assert!(!format!("{number} {number:?} {:?}", Some(&number)).contains("1234"));
    }
}
