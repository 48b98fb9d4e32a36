//! What can be wrong with a recording, in words for an auditor.

use std::fmt;

use domain::TenantId;

use crate::{HashListError, KeyId, log::ProofError};

/// One thing that is wrong with a recording. The texts hold file names, and with them numbers: they are
/// for the auditor's screen, not for logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Something is wrong with one file.
    File {
        /// Its name.
        name: String,
        /// What.
        problem: ProblemOfFile,
    },
    /// There is no hash list, so nothing says what belongs to the recording.
    NoHashList,
    /// The hash list is not in the format of `sha256sum`.
    BadHashList(HashListError),
    /// The hash list does not name a file that each recording has.
    NotInList(&'static str),
    /// There is no signature.
    NoSignature,
    /// The signature file holds no base64 text, or no whole one.
    BadSignature,
    /// The signature does not fit to the hash list: one of them was changed or swapped.
    WrongSignature {
        /// The key that the info names, if it can be read.
        key: Option<KeyId>,
    },
    /// There is no certificate of the key that the info names.
    NoCertificate(KeyId),
    /// There is no certificate at all.
    NoCertificates,
    /// The signature is good, but by another key than the info names.
    OtherKey {
        /// The key that the info names.
        named: KeyId,
        /// The key that made the signature.
        signed: KeyId,
    },
    /// The info speaks of another recording, or of none.
    InfoOfOther,
    /// The info lacks what the chain needs.
    NoChainPlace,
    /// The info names a tenant whose archive this is not.
    OtherTenant(TenantId),
    /// The log proof proves nothing.
    BadProof(ProofError),
    /// The log proof is of a log that is none of this archive's.
    ProofOfOtherLog,
    /// The log proof holds an entry of something else.
    ProofOfOther(&'static str),
    /// The time stamp proves nothing.
    BadTimeStamp(String),
}

/// What is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemOfFile {
    /// The hash list names it, and it is not there.
    Missing,
    /// Its hash is another than the hash list says.
    Changed,
    /// It cannot be read.
    Unreadable(String),
    /// The hash list does not name it.
    Added,
    /// The hash list of this recording names it, but by its name it is none of its files.
    Foreign,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, problem } => write!(f, "{name}: {problem}"),
            Self::NoHashList => f.write_str("the hash list (_hash.txt) is missing"),
            Self::BadHashList(error) => write!(f, "{error}"),
            Self::NotInList(what) => write!(f, "the hash list names no {what}"),
            Self::NoSignature => f.write_str("the signature (_hash.SHA256withRSA.sig) is missing"),
            Self::BadSignature => {
                f.write_str("the signature file (_hash.SHA256withRSA.sig) holds no signature")
            }
            Self::WrongSignature { key: Some(key) } => {
                write!(
                    f,
                    "the signature does not fit to the hash list (key {key}): _hash.txt or _hash.SHA256withRSA.sig was changed or swapped"
                )
            }
            Self::WrongSignature { key: None } => {
                f.write_str("the signature does not fit to the hash list by any of the certificates")
            }
            Self::NoCertificate(key) => {
                write!(f, "there is no certificate of the key {key}, which is said to have signed")
            }
            Self::NoCertificates => f.write_str("there is no certificate to verify the signature with"),
            Self::OtherKey { named, signed } => {
                write!(f, "signed by the key {signed}, but the info names {named}")
            }
            Self::InfoOfOther => f.write_str("the info (_info.txt) does not speak of this recording"),
            Self::NoChainPlace => {
                f.write_str("the info (_info.txt) does not say where in the chain it stands")
            }
            Self::OtherTenant(tenant) => {
                write!(f, "a recording of tenant {tenant} in the archive of another: it was moved here")
            }
            Self::BadProof(error) => write!(f, "the log proof (_log-proof.txt) is wrong: {error}"),
            Self::ProofOfOtherLog => f.write_str(
                "the log proof (_log-proof.txt) is of a log that no certified key of this archive signs",
            ),
            Self::ProofOfOther(what) => write!(
                f,
                "the entry in the log proof (_log-proof.txt) names another {what}: the proof or the recording was swapped or changed"
            ),
            Self::BadTimeStamp(why) => write!(f, "the time stamp (_hash.tsr) is wrong: {why}"),
        }
    }
}

impl fmt::Display for ProblemOfFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Changed => f.write_str("changed since it was signed"),
            Self::Unreadable(why) => write!(f, "cannot be read ({why})"),
            Self::Added => f.write_str("added: the hash list does not name it"),
            Self::Foreign => f.write_str("stands in the hash list, but is no file of this recording"),
        }
    }
}
