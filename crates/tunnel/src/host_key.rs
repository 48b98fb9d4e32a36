//! Pinned host keys: which server is the right one.
//!
//! A server has several keys and shows one, of the first kind in our list that it has. A pinned
//! *line* tells its kind, so that kind is asked for first; a pinned *fingerprint* does not, so the
//! kinds are tried in turn until a pinned key is shown. A key that is not pinned is never accepted.

use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey, ssh_key::Fingerprint};

/// Why an entry of `hostKeys` cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is neither a public key line (\"ssh-ed25519 AAAA…\", as in a .pub file or from ssh-keyscan) nor a fingerprint (\"SHA256:…\")"
)]
pub struct InvalidHostKey(String);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pin {
    Key(Box<PublicKey>),
    Fingerprint(Fingerprint),
}

/// A host key that a server has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// As an entry of `hostKeys`: `ssh-ed25519 AAAA…`.
    pub line: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// The kind: `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`.
    pub algorithm: String,
}

impl From<PublicKey> for HostKey {
    fn from(key: PublicKey) -> Self {
        Self {
            // Type and key: what a server says beside it is nobody's comment.
            line: PublicKey::from(key.key_data().clone()).to_openssh().unwrap_or_default(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            algorithm: key.algorithm().to_string(),
        }
    }
}

/// The pins of a server.
#[derive(Debug, Clone)]
pub(crate) struct Pins(Vec<Pin>);

/// Says whether `entry` can be a pin.
///
/// # Errors
/// It can be neither form.
pub fn check(entry: &str) -> Result<(), InvalidHostKey> {
    parse(entry).map(|_| ())
}

fn parse(entry: &str) -> Result<Pin, InvalidHostKey> {
    let entry = entry.trim();
    let shortened = || InvalidHostKey(entry.chars().take(24).collect());
    if let Ok(fingerprint) = entry.parse::<Fingerprint>() {
        return Ok(Pin::Fingerprint(fingerprint));
    }
    if let Ok(key) = PublicKey::from_openssh(entry) {
        return Ok(Pin::Key(Box::new(key)));
    }
    // A line of known_hosts or ssh-keyscan has the host in front.
    let without_host = entry.split_once(char::is_whitespace).map(|(_, key)| key).ok_or_else(shortened)?;
    PublicKey::from_openssh(without_host.trim()).map(|key| Pin::Key(Box::new(key))).map_err(|_| shortened())
}

impl Pins {
    pub(crate) fn parse(entries: &[String]) -> Result<Self, InvalidHostKey> {
        entries.iter().map(|entry| parse(entry)).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn accept(&self, shown: &PublicKey) -> bool {
        self.0.iter().any(|pin| match pin {
            Pin::Key(key) => key.key_data() == shown.key_data(),
            Pin::Fingerprint(fingerprint) => *fingerprint == shown.fingerprint(fingerprint.algorithm()),
        })
    }

    /// The kinds of keys to ask a server for, best first.
    pub(crate) fn kinds(&self) -> Vec<KeyKind> {
        let pinned = self.0.iter().filter_map(|pin| match pin {
            Pin::Key(key) => Some(KeyKind::of(&key.algorithm())),
            Pin::Fingerprint(_) => None,
        });
        let mut kinds = Vec::new();
        for kind in pinned.chain(KeyKind::ALL) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        kinds
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |pin: &Pin| match pin {
            Pin::Key(key) => text(key),
            Pin::Fingerprint(fingerprint) => fingerprint.to_string(),
        };
        self.0.iter().map(text).collect()
    }
}

/// Fingerprint and kind, as `ssh-keygen -l` shows them.
pub(crate) fn text(key: &PublicKey) -> String {
    format!("{} ({})", key.fingerprint(HashAlg::Sha256), key.algorithm())
}

/// A kind of host key. RSA is one kind, whatever hash it signs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa,
    Other(Algorithm),
}

impl KeyKind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Other(Algorithm::Ed25519),
        Self::Other(Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }),
        Self::Other(Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 }),
        Self::Other(Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 }),
        Self::Rsa,
    ];

    pub(crate) fn of(algorithm: &Algorithm) -> Self {
        match algorithm {
            Algorithm::Rsa { .. } => Self::Rsa,
            other => Self::Other(other.clone()),
        }
    }

    /// What to offer for it. SHA-1 signatures (`ssh-rsa`) are not among them.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::Rsa => {
                [HashAlg::Sha512, HashAlg::Sha256].map(|hash| Algorithm::Rsa { hash: Some(hash) }).to_vec()
            }
            Self::Other(algorithm) => vec![algorithm.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn pins(entries: &[&str]) -> Pins {
        Pins::parse(&entries.iter().map(|e| (*e).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_pin_is_a_line_with_or_without_host_and_comment_or_a_fingerprint() {
        let key = PublicKey::from_openssh(LINE).unwrap();
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        for entry in
            [LINE, &format!("{LINE} admin@host"), &format!("[sftp.example]:2222 {LINE}"), &fingerprint]
        {
            assert!(pins(&[entry]).accept(&key), "{entry}");
            assert!(!pins(&[entry]).accept(&PublicKey::from_openssh(OTHER).unwrap()), "{entry}");
        }
    }

    #[test]
    fn anything_else_is_refused_and_shown_shortened() {
        for bad in ["", "SHA256:short", "ssh-ed25519 AAAA", "MD5:00:11", "sftp.example"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_kind_of_a_pinned_line_is_asked_for_first_and_all_kinds_are_tried() {
        assert_eq!(pins(&[LINE]).kinds()[0], KeyKind::Other(Algorithm::Ed25519));
        assert_eq!(pins(&["SHA256:mVPwvezndPv/ARoIadVY98vAC0g+P/5633yTC4d/wXE"]).kinds().len(), 5);
    }
}
