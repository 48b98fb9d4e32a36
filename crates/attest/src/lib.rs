//! Others who attest what we did: time-stamp authorities say when something existed (RFC 3161),
//! witnesses that a log only ever grew (C2SP tlog-witness).
//!
//! They are somebody else's machines, so nothing of what they answer is believed: each answer is
//! verified here before a caller sees it, is read up to a limit, and is waited for a limited time.
//! Whether an authority is away is the caller's to judge: sealing does not wait for it.

mod error;
mod http;
mod published;
mod time_stamps;
mod witnesses;

pub use error::AttestError;
pub use published::PublishedFiles;
pub use time_stamps::TimeStampAuthority;
pub use witnesses::WitnessClient;
