//! The certificates that signatures are judged with.

use std::{collections::BTreeMap, io::Read};

use super::{Archive, ArchiveFile, walk};
use crate::{Certificate, CertificateError, KeyId, Sha256Hash};

/// A certificate is a few kilobytes; a file that pretends to be one is not read to its end.
const LONGEST_PEM: u64 = 256 * 1024;

/// A file that looks like a certificate and is none of ours; it may be of something else.
#[derive(Debug)]
pub struct UnusableCertificate {
    /// Where it lies.
    pub path: String,
    /// What is wrong with it.
    pub error: CertificateError,
}

/// Certificates by key. A key that was rotated keeps its certificate for ever (F-57), so there are
/// several.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    certificates: BTreeMap<(KeyId, Sha256Hash), Certificate>,
}

impl Keyring {
    /// No certificates.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts `certificate`.
    pub fn add(&mut self, certificate: Certificate) {
        self.certificates.insert((certificate.public_key().id(), certificate.fingerprint()), certificate);
    }

    /// Trusts every `*.pem` and `*.crt` that lies in the archive. Who can write to the archive can put
    /// one there: show the fingerprints to the person, or give certificates that came another way.
    pub fn add_from(&mut self, archive: &dyn Archive) -> Vec<UnusableCertificate> {
        let mut candidates = Vec::new();
        // A folder that cannot be read holds no certificate that could be trusted.
        let _unreadable = walk(archive, "", &mut |file| {
            if looks_like_certificate(file.name()) {
                candidates.push(file);
            }
        });
        self.add_files(archive, &candidates)
    }

    /// Trusts every certificate among `files`, as [`add_from`](Self::add_from).
    pub(super) fn add_files(
        &mut self,
        archive: &dyn Archive,
        files: &[ArchiveFile],
    ) -> Vec<UnusableCertificate> {
        let mut unusable = Vec::new();
        for file in files {
            let mut pem = String::new();
            let read = archive
                .open(file.path())
                .and_then(|reader| reader.take(LONGEST_PEM).read_to_string(&mut pem));
            if read.is_err() || !pem.contains("-----BEGIN CERTIFICATE-----") {
                continue;
            }
            match Certificate::from_pem(&pem) {
                Ok(certificate) => self.add(certificate),
                Err(error) => unusable.push(UnusableCertificate { path: file.path().to_owned(), error }),
            }
        }
        unusable
    }

    /// All of them.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.values()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// One of the certificates of the key.
    pub fn of_key(&self, id: KeyId) -> Option<&Certificate> {
        self.certificates().find(|certificate| certificate.public_key().id() == id)
    }
}

/// By its name.
pub(super) fn looks_like_certificate(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with(".pem") || name.ends_with(".crt")
}
