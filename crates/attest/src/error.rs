//! What goes wrong between us and those who attest.

use evidence::{
    log::LogKeyError,
    timestamp::{AuthoritiesError, ResponseError, TimeStampError},
};
use jiff::SignedDuration;

/// Why there is no attestation.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// The configured certificates of the authority are of no use.
    #[error("the authorities of spec.evidence.timeStamps cannot be used")]
    Authorities(#[source] AuthoritiesError),
    /// The configured key of the witness is of no use.
    #[error("the key of the witness cannot be used")]
    WitnessKey(#[source] LogKeyError),
    /// No HTTP client can be made on this machine.
    #[error("no HTTP client can be made: are there root certificates on this machine (ca-certificates)?")]
    Client(#[source] reqwest::Error),
    /// This machine gives no random numbers.
    #[error("this machine gives no random numbers")]
    Random,
    /// No answer. The source says whether it is the name, the connection, TLS or the time.
    #[error("no answer: it cannot be reached, or is too slow")]
    Unreachable(#[source] reqwest::Error),
    /// Another HTTP status than expected.
    #[error("it answers with HTTP status {0}")]
    Status(u16),
    /// More than such an answer can hold.
    #[error("its answer is too long")]
    TooLong,
    /// The authority refuses, or answers something else.
    #[error(transparent)]
    Response(ResponseError),
    /// The authority's time stamp is not good.
    #[error("the authority's time stamp is refused")]
    TimeStamp(#[source] TimeStampError),
    /// The clocks differ.
    #[error("its clock differs from this machine's by {} seconds: one of the two is wrong", .0.as_secs())]
    Clock(SignedDuration),
    /// The witness saw another tree last than the request started from. Where this is smaller than the
    /// log: prove from there. Where it is as large or larger, the witness saw another history than ours.
    #[error("the witness saw a tree of {size} last")]
    Conflict {
        /// Entries of the tree that it cosigned last; 0: none.
        size: u64,
    },
    /// The witness says 409 without a size, or 200 without its cosignature.
    #[error("its answer is not one of a witness (C2SP tlog-witness)")]
    NotWitness,
    /// A cosignature by another key than the configured one, or a wrong one.
    #[error("its answer holds no cosignature by the configured key")]
    NotCosigned,
}
