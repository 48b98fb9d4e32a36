//! The sixteen keys.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A key of a telephone: `0`–`9`, `*`, `#`, `A`–`D`.
///
/// `Display` shows it, for the proof of consent; `Debug` does not, since a key can be a digit of a
/// PIN.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "char", try_from = "char")]
pub struct Key(u8);

/// A character that stands on no telephone. Holds nothing of it: it may have been typed into the
/// wrong field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is one of 0–9, *, # and A–D")]
pub struct KeyError;

/// In the order of their event codes.
const CHARACTERS: &[u8; 16] = b"0123456789*#ABCD";

impl Key {
    /// All keys, in the order of their event codes.
    pub const ALL: [Self; 16] = {
        let mut all = [Self(0); 16];
        let mut code = 0;
        while code < 16 {
            all[code as usize] = Self(code);
            code += 1;
        }
        all
    };

    /// The key of an event code (RFC 4733 section 3.2); `None` for hook flash and all other events.
    pub const fn from_event_code(code: u8) -> Option<Self> {
        if code < 16 { Some(Self(code)) } else { None }
    }

    /// The event code of the key (RFC 4733 section 3.2).
    pub const fn event_code(self) -> u8 {
        self.0
    }

    /// The key as it is printed on the telephone.
    pub const fn character(self) -> char {
        CHARACTERS[self.0 as usize] as char
    }

    /// The pair of frequencies of the key, low group first, in hertz (ITU-T Q.23).
    pub fn frequencies_hz(self) -> (u16, u16) {
        let (row, column) = match self.0 {
            digit @ 1..=9 => ((digit - 1) / 3, (digit - 1) % 3),
            0 => (3, 1),
            10 => (3, 0),
            11 => (3, 2),
            letter => (letter - 12, 3),
        };
        (LOW_GROUP_HZ[usize::from(row)], HIGH_GROUP_HZ[usize::from(column)])
    }

    /// The key in a row and a column of the keypad, both from 0 to 3.
    pub(crate) fn at(row: usize, column: usize) -> Self {
        const KEYPAD: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];
        Self(KEYPAD[row][column])
    }
}

/// Frequencies of the rows of the keypad, in hertz (ITU-T Q.23).
pub(crate) const LOW_GROUP_HZ: [u16; 4] = [697, 770, 852, 941];

/// Frequencies of its columns, in hertz.
pub(crate) const HIGH_GROUP_HZ: [u16; 4] = [1209, 1336, 1477, 1633];

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("‹key›")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.character())
    }
}

impl From<Key> for char {
    fn from(key: Key) -> Self {
        key.character()
    }
}

impl TryFrom<char> for Key {
    type Error = KeyError;

    /// Letters are taken in either case.
    fn try_from(character: char) -> Result<Self, KeyError> {
        let upper = character.to_ascii_uppercase();
        let code = CHARACTERS.iter().position(|known| char::from(*known) == upper).ok_or(KeyError)?;
        u8::try_from(code).map(Self).map_err(|_| KeyError)
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => Self::try_from(character),
            _ => Err(KeyError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_as_it_is_printed_and_stands_at_its_frequencies() {
        for key in Key::ALL {
            assert_eq!(key.to_string().parse(), Ok(key));
            assert_eq!(key.to_string().to_lowercase().parse(), Ok(key));
            assert_eq!(Key::from_event_code(key.event_code()), Some(key));
            let (low, high) = key.frequencies_hz();
            let row = LOW_GROUP_HZ.iter().position(|hz| *hz == low).unwrap();
            let column = HIGH_GROUP_HZ.iter().position(|hz| *hz == high).unwrap();
            assert_eq!(Key::at(row, column), key);
        }
        assert_eq!("5".parse::<Key>().unwrap().frequencies_hz(), (770, 1336));
        assert_eq!("#".parse::<Key>().unwrap().frequencies_hz(), (941, 1477));
        assert_eq!("D".parse::<Key>().unwrap().frequencies_hz(), (941, 1633));
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        for text in ["", "12", "E", "é", " ", "１"] {
            assert_eq!(text.parse::<Key>(), Err(KeyError), "{text}");
        }
        assert_eq!(Key::from_event_code(16), None);
        assert_eq!(KeyError.to_string(), "a key is one of 0–9, *, # and A–D");
    }

    #[test]
    fn debug_output_hides_which_key_it_is() {
        let press =
            super::super::PressedKey { key: Key(7), pressed_at_unix_us: 0, duration: Default::default() };
        assert!(format!("{press:?}").contains("key: ‹key›"));
    }
}
