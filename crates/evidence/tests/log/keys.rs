//! Keys that openssl holds: what signs here is never our own code.

use std::{fs, path::Path, process::Command};

use evidence::{
    Certificate, Signature,
    log::{LogKey, LogKeyStatement, LogPublicKey},
};

/// Runs `program` in `folder`; panics with its words if it fails.
pub fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = format!("{}{}", words(&output.stdout), words(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    words(&output.stdout)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ed25519,
    P256,
}

/// A log's key, in a file.
pub struct TestLogKey {
    folder: tempfile::TempDir,
    kind: Kind,
    pub public: LogKey,
}

impl TestLogKey {
    pub fn new(kind: Kind, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let make: &[&str] = match kind {
            Kind::Ed25519 => &["genpkey", "-algorithm", "ed25519", "-out", "key.pem"],
            Kind::P256 => {
                &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"]
            }
        };
        run("openssl", make, folder.path());
        run(
            "openssl",
            &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public.der"],
            folder.path(),
        );
        let spki = fs::read(folder.path().join("public.der")).unwrap();
        let public = match kind {
            // The point is what SubjectPublicKeyInfo ends with (RFC 8410 § 4).
            Kind::Ed25519 => LogPublicKey::Ed25519(*spki.last_chunk().unwrap()),
            Kind::P256 => LogPublicKey::P256(spki),
        };
        Self { folder, kind, public: LogKey { name: name.to_owned(), public } }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let path = |name: &str| self.folder.path().join(name);
        fs::write(path("message"), message).unwrap();
        let sign: &[&str] = match self.kind {
            Kind::Ed25519 => {
                &["pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "message", "-out", "signature"]
            }
            Kind::P256 => &["dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "message"],
        };
        run("openssl", sign, self.folder.path());
        fs::read(path("signature")).unwrap()
    }

    /// Whether openssl accepts `signature`, exactly as it stands in a note, over `message`.
    pub fn openssl_accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        let path = |name: &str| self.folder.path().join(name);
        fs::write(path("message"), message).unwrap();
        fs::write(path("signature"), signature).unwrap();
        run("openssl", &["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"], self.folder.path());
        let verify: &[&str] = match self.kind {
            Kind::Ed25519 => &[
                "pkeyutl",
                "-verify",
                "-pubin",
                "-inkey",
                "public.pem",
                "-rawin",
                "-in",
                "message",
                "-sigfile",
                "signature",
            ],
            Kind::P256 => &["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"],
        };
        Command::new("openssl")
            .args(verify)
            .current_dir(self.folder.path())
            .output()
            .unwrap()
            .status
            .success()
    }
}

/// The RSA key that vouches for log keys.
pub struct TestRsaKey {
    folder: tempfile::TempDir,
    pub certificate: Certificate,
}

impl TestRsaKey {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let request =
            "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -subj /CN=test -days 9 -out cert.pem";
        run("openssl", &request.split(' ').collect::<Vec<_>>(), folder.path());
        let pem = fs::read_to_string(folder.path().join("cert.pem")).unwrap();
        Self { folder, certificate: Certificate::from_pem(&pem).unwrap() }
    }

    pub fn sign(&self, message: &[u8]) -> Signature {
        fs::write(self.folder.path().join("message"), message).unwrap();
        let sign = "dgst -sha256 -sign key.pem -out signature message";
        run("openssl", &sign.split(' ').collect::<Vec<_>>(), self.folder.path());
        Signature::new(fs::read(self.folder.path().join("signature")).unwrap())
    }

    pub fn statement(&self, key: &LogKey) -> LogKeyStatement {
        let signed_by = self.certificate.public_key().id();
        LogKeyStatement { key: key.clone(), from: "2026-11-22T09:00:00Z".parse().unwrap(), signed_by }
    }
}
