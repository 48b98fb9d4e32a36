//! Keys that a person presses on the telephone, in each form in which they reach a recorder:
//! [`events`] in RTP (RFC 4733), [`tones`] in the audio, [`info`] in SIP. What they mean together
//! is a [`sequence`]; [`sender`] makes the packets of a key press. [`Listener`] hears all forms at
//! once and tells each press once.
//!
//! A key can be part of a PIN: no `Debug` text in this module shows one.

pub mod events;
pub mod info;
mod key;
mod listener;
pub mod sender;
pub mod sequence;
pub mod tones;

use std::time::Duration;

pub use events::EventReceiver;
pub use key::{Key, KeyError};
pub use listener::Listener;
pub use sequence::{CodeError, CodeMatcher};
pub use tones::ToneDetector;

/// One key press, told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PressedKey {
    /// Which key.
    pub key: Key,
    /// When the press began, by our clock: microseconds since the Unix epoch.
    pub pressed_at_unix_us: i64,
    /// How long the key had been down when the press was told. It is told as early as it is
    /// certain, so the whole press may well be longer.
    pub duration: Duration,
}
