//! A real RSA key of OpenSSL, for tests that are not about the HSM.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use evidence::{Certificate, KeyId, Signature};
use keys::{KeyError, SigningKey};

/// A key in a file.
pub struct FileKey {
    private: PathBuf,
    certificate: String,
    id: KeyId,
    /// As if the HSM were unplugged.
    pub unplugged: AtomicBool,
}

impl FileKey {
    /// Makes a key in `dir`, or takes the one that an earlier call made.
    pub fn new(dir: &Path) -> Self {
        let (private, public) = (dir.join("test-key.pem"), dir.join("test-certificate.pem"));
        if !public.exists() {
            let mut command = Command::new("openssl");
            command
                .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=test"]);
            let made = command.arg("-keyout").arg(&private).arg("-out").arg(&public).output().unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        let certificate = std::fs::read_to_string(&public).unwrap();
        let id = Certificate::from_pem(&certificate).unwrap().public_key().id();
        Self { private, certificate, id, unplugged: AtomicBool::new(false) }
    }
}

impl SigningKey for FileKey {
    fn key_id(&self) -> KeyId {
        self.id
    }

    fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        if self.unplugged.load(Ordering::SeqCst) {
            return Err(KeyError::TokenMissing("test".to_owned()));
        }
        let mut command = Command::new("openssl");
        command.args(["dgst", "-sha256", "-sign"]).arg(&self.private);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(message).unwrap();
        Ok(Signature::new(child.wait_with_output().unwrap().stdout))
    }
}
