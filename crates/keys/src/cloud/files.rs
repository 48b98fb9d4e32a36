//! The files beside a key in a cloud: its certificate, and the public half of its log key.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use evidence::{Certificate, KeyId};
use x509_cert::der::{Document, pem::LineEnding};

use super::error::CloudError;

/// The certificate of a key, with those above it.
#[derive(Debug, Clone)]
pub(crate) struct CertificateFile {
    pub(crate) certificate: Certificate,
    /// The certificate alone, PEM, LF.
    pub(crate) pem: String,
    /// Certificates of CAs, from its issuer up, PEM, LF.
    pub(crate) chain: String,
}

/// The folder with the files of all keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyFiles {
    folder: PathBuf,
}

impl KeyFiles {
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the certificate of that key lies.
    pub(crate) fn certificate_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{}.pem", file_name(name)))
    }

    /// Where the public half of that log key lies.
    pub(crate) fn log_key_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{}.public.pem", file_name(name)))
    }

    /// The certificate of that key, if there is one.
    pub(crate) fn certificate(&self, name: &str) -> Result<Option<CertificateFile>, CloudError> {
        let path = self.certificate_path(name);
        read(&path)?.map(|text| parse_certificates(&text, &path)).transpose()
    }

    /// Which key is to be behind the name of that log key, if that was ever written down.
    pub(crate) fn log_key(&self, name: &str) -> Result<Option<KeyId>, CloudError> {
        let path = self.log_key_path(name);
        let Some(text) = read(&path)? else { return Ok(None) };
        let key = Document::from_pem(&text).ok().filter(|(label, _)| *label == "PUBLIC KEY");
        let unusable = || CloudError::FileUnusable { file: path, why: "it holds no public key".to_owned() };
        key.map(|(_, der)| Some(KeyId::of_spki_der(der.as_bytes()))).ok_or_else(unusable)
    }

    /// Keeps the certificate of a key, in place of another: that one stays under a name with its
    /// fingerprint.
    pub(crate) fn keep_certificate(&self, name: &str, new: &CertificateFile) -> Result<(), CloudError> {
        let path = self.certificate_path(name);
        if let Some(old) = self.certificate(name)? {
            let old_text = format!("{}{}", old.pem, old.chain);
            let fingerprint = old.certificate.fingerprint().to_string();
            let aside = self.folder.join(format!("{}.{}.pem", file_name(name), &fingerprint[..8]));
            write(&aside, old_text.as_bytes())?;
        }
        write(&path, format!("{}{}", new.pem, new.chain).as_bytes())
    }

    /// Writes down which log key belongs to a name.
    pub(crate) fn keep_log_key(&self, name: &str, spki: &[u8]) -> Result<(), CloudError> {
        let path = self.log_key_path(name);
        let unusable = |error: x509_cert::der::Error| CloudError::FileUnusable {
            file: path.clone(),
            why: error.to_string(),
        };
        let document = Document::try_from(spki).map_err(unusable)?;
        let text = document.to_pem("PUBLIC KEY", LineEnding::LF).map_err(unusable)?;
        write(&path, text.as_bytes())
    }
}

/// A name as a file has it: of an ARN or a version, colons and slashes become underscores.
fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    name.chars().map(safe).collect()
}

/// Reads a certificate and those above it: the leaf first, as CAs and TLS servers write them.
pub(crate) fn parse_certificates(text: &str, path: &Path) -> Result<CertificateFile, CloudError> {
    let unusable = |why: String| CloudError::FileUnusable { file: path.to_owned(), why };
    let certificate = Certificate::from_pem(text).map_err(|error| unusable(error.to_string()))?;
    let pem = certificate.to_pem().map_err(|error| unusable(error.to_string()))?;
    const END: &str = "-----END CERTIFICATE-----";
    let rest = text.find(END).map_or("", |at| text[at + END.len()..].trim_start());
    let chain = match rest.replace("\r\n", "\n").trim_end() {
        "" => String::new(),
        rest => format!("{rest}\n"),
    };
    Ok(CertificateFile { certificate, pem, chain })
}

fn read(path: &Path) -> Result<Option<String>, CloudError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CloudError::File(path.to_owned(), error)),
    }
}

/// Under another name first: a crash must not leave half a certificate.
fn write(path: &Path, content: &[u8]) -> Result<(), CloudError> {
    let new = path.with_extension("new");
    let done = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let mut file = fs::File::create(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    done().map_err(|error| CloudError::File(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_keys_stay_inside_the_folder() {
        let files = KeyFiles::new("/keys".into());
        for (name, file) in [
            ("callseal", "/keys/callseal.pem"),
            ("acme-2026/0123abcd", "/keys/acme-2026_0123abcd.pem"),
            ("../../etc/passwd", "/keys/.._.._etc_passwd.pem"),
            ("arn:aws:kms:eu-central-1:1:key/2-3", "/keys/arn_aws_kms_eu-central-1_1_key_2-3.pem"),
        ] {
            assert_eq!(files.certificate_path(name), Path::new(file));
        }
    }

    #[test]
    fn a_log_key_is_known_again_by_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let files = KeyFiles::new(dir.path().join("made"));
        assert_eq!(files.log_key("callseal-log").unwrap(), None);
        let spki = super::super::service::p256_spki(&[1; 32], &[2; 32]).unwrap();
        files.keep_log_key("callseal-log", &spki).unwrap();
        assert_eq!(files.log_key("callseal-log").unwrap(), Some(KeyId::of_spki_der(&spki)));
        fs::write(files.log_key_path("callseal-log"), "rubbish").unwrap();
        assert!(matches!(files.log_key("callseal-log"), Err(CloudError::FileUnusable { .. })));
    }
}
