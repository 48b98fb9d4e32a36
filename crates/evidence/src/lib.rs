//! What makes a recording provable: its names, its info, its hash list, its signature, its place in
//! the chain, and the verification of all that.
//!
//! Everything that makes bytes is a pure function: same values in, same bytes out, so that a replay
//! after a crash signs the same text again (PKCS#1 v1.5 is deterministic, RFC 8017 § 8.2) and the
//! chain cannot fork. Only [`verify::Folder`] opens files; all else reads and writes through
//! [`std::io::Read`] and [`std::io::Write`].
//!
//! The order in which a signer uses it: [`BaseName::new`], audio through a [`HashingWriter`],
//! [`Documents::new`] (info, journal text and hash list), sign [`Documents::hash_list`], and
//! [`Signature::to_file`].

pub mod certificate;
pub mod chain;
pub mod documents;
pub mod hash;
pub mod hash_list;
pub mod info;
pub mod journal_json;
pub mod key_change;
pub mod key_id;
pub mod log;
pub mod name;
pub mod signature;
mod text;
pub mod timestamp;
pub mod verify;

pub use certificate::{Certificate, CertificateError};
pub use chain::{ChainLink, ChainProblem, LaneHead, Previous, Standing};
pub use documents::Documents;
pub use hash::{HashedFile, HashingReader, HashingWriter, Sha256Hash};
pub use hash_list::{HashList, HashListError};
pub use info::{
    Channel, Gap, GapCause, Info, ParsedInfo, Participant, Person, StartedByHand, Stopped, Supplement,
};
pub use key_change::{KeyChangeError, KeyChangeStatement};
pub use key_id::KeyId;
pub use name::{AudioFormat, BaseName, InvalidBaseName, Section};
pub use signature::{PublicKey, PublicKeyError, Signature, SignatureError};

/// The text of `verify.sh` (F-56): checks recordings with a POSIX shell, openssl and sha256sum or shasum
/// alone. It lies in each archive.
pub const VERIFY_SH: &str = include_str!("../verify.sh");
