//! What can go wrong with a key in a cloud's key service, in words that tell what to do.

use std::{error::Error, fmt, path::PathBuf, time::Duration};

use crate::KeyFault;

/// What an error came from.
pub(crate) type Source = Box<dyn Error + Send + Sync>;

/// Why a key service gives no signature, or no key. `place` names the service: "the key vault
/// acme.vault.azure.net", "AWS KMS in eu-central-1".
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The settings do not say how to reach a service.
    #[error("the key service cannot be used as it is set: {0}")]
    Setting(String),
    /// No answer, or one that says that the service itself is in trouble.
    #[error(
        "{place} cannot be reached or is out of order: is the network there, and is the address right? What waits for a signature goes on waiting"
    )]
    Unreachable {
        /// The service.
        place: String,
        /// What the last attempt came to.
        #[source]
        source: Source,
    },
    /// It asks to be left alone for longer than one request may take.
    #[error(
        "{place} gets more requests than it allows{}: what waits for a signature goes on waiting. If this returns, raise the quota, or keep other applications out of it", Wish(*after)
    )]
    Throttled {
        /// The service.
        place: String,
        /// How long it asks to wait, if it says so.
        after: Option<Duration>,
        /// Its answer.
        #[source]
        source: Source,
    },
    /// Who Callseal says it is was not believed.
    #[error(
        "signing in to {place} failed: correct the identity that Callseal runs under, or its secret, and see whether this machine's clock is right"
    )]
    SignIn {
        /// The service.
        place: String,
        /// Its answer.
        #[source]
        source: Source,
    },
    /// Signed in, and not allowed to.
    #[error(
        "{place} does not allow Callseal's identity to {doing} '{key}': give it the right {right} on this key"
    )]
    NotAllowed {
        /// The service.
        place: String,
        /// Name of the key.
        key: String,
        /// What was asked.
        doing: &'static str,
        /// The missing right, as the service calls it.
        right: &'static str,
        /// Its answer.
        #[source]
        source: Source,
    },
    /// The service's firewall knows other networks only.
    #[error(
        "the firewall of {place} turns this machine away: allow its network there, or reach it by a private endpoint"
    )]
    Firewall {
        /// The service.
        place: String,
        /// Its answer.
        #[source]
        source: Source,
    },
    /// No such key.
    #[error(
        "{place} holds no key '{key}': create it once, or correct the name. If it was deleted there, recover it. No key is made unasked"
    )]
    KeyMissing {
        /// The service.
        place: String,
        /// Name of the key.
        key: String,
    },
    /// There is an RSA key, and no log key beside it.
    #[error(
        "{place} holds no log key '{key}': callseal key init --log makes it beside the key that signs recordings"
    )]
    LogKeyMissing {
        /// The service.
        place: String,
        /// Name of the log key.
        key: String,
    },
    /// The key is there and does not sign now.
    #[error(
        "the key '{key}' in {place} is {state}: whoever keeps it has to make it usable again. No key is made in its place"
    )]
    KeyNotUsable {
        /// The service.
        place: String,
        /// Name of the key.
        key: String,
        /// What it is: "disabled", "expired".
        state: String,
    },
    /// Behind the name stands another key than the known one.
    #[error(
        "the key '{key}' in {place} is not the one of {}: it was rotated or replaced there. Callseal signs only with the key it knows; make that one current again, or change keys by callseal key rotate", .file.display()
    )]
    KeyChanged {
        /// The service.
        place: String,
        /// Name of the key.
        key: String,
        /// The file that says which key it is to be.
        file: PathBuf,
    },
    /// A key of another kind.
    #[error("the key '{key}' in {place} cannot be used: {why}")]
    KeyUnfit {
        /// The service.
        place: String,
        /// Name of the key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A key of that name is there already.
    #[error(
        "{place} already holds a key '{key}', in use or deleted but recoverable: a key is never replaced; choose another name for a new one. If it was made for Callseal and has no certificate yet, --key-adopt makes one"
    )]
    KeyExists {
        /// The service.
        place: String,
        /// Name of the key.
        key: String,
    },
    /// The file with the key's certificate is not there.
    #[error(
        "the key '{key}' in {place} has no certificate: {} is not there. Bring it back (each archive holds it as callseal.pem), or have one issued: callseal key csr and import-cert", .file.display()
    )]
    CertificateMissing {
        /// The service.
        place: String,
        /// Name of the key.
        key: String,
        /// Where it was looked for.
        file: PathBuf,
    },
    /// A file of a key cannot be used.
    #[error("{} is of no use: {why}", .file.display())]
    FileUnusable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file of a key cannot be read or written.
    #[error("{} cannot be read or written", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// Anything else that the service says.
    #[error("{place} refused to {doing} '{key}'")]
    Refused {
        /// The service.
        place: String,
        /// Name of the key.
        key: String,
        /// What was asked.
        doing: &'static str,
        /// Its answer.
        #[source]
        source: Source,
    },
}

impl CloudError {
    /// What kind of thing has to be put right.
    pub(crate) const fn fault(&self) -> KeyFault {
        match self {
            Self::Setting(_) | Self::FileUnusable { .. } | Self::File(..) => KeyFault::Setup,
            Self::SignIn { .. } | Self::NotAllowed { .. } => KeyFault::Identity,
            Self::Unreachable { .. }
            | Self::Throttled { .. }
            | Self::Firewall { .. }
            | Self::Refused { .. } => KeyFault::Token,
            Self::KeyMissing { .. }
            | Self::LogKeyMissing { .. }
            | Self::KeyNotUsable { .. }
            | Self::KeyExists { .. }
            | Self::CertificateMissing { .. } => KeyFault::Key,
            Self::KeyChanged { .. } | Self::KeyUnfit { .. } => KeyFault::Integrity,
        }
    }
}

/// " and asks to wait 20 s", or nothing.
struct Wish(Option<Duration>);

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(after) => write!(f, " and asks to wait {} s", after.as_millis().div_ceil(1000)),
            None => Ok(()),
        }
    }
}

/// What one request came to, if not to an answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// "Not now": the request was not carried out, and may be repeated, after that time if it says one.
    Busy { after: Option<Duration>, source: Source },
    /// No answer, or the service's own trouble: nobody knows whether the request was carried out.
    Away(Source),
    /// Repeating it would come to the same.
    Refused(CloudError),
}

impl From<CloudError> for Fault {
    fn from(error: CloudError) -> Self {
        Self::Refused(error)
    }
}
