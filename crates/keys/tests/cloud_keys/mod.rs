//! What tests of keys in clouds have in common: OpenSSL judges.

use std::{error::Error, fs, path::Path, process::Command};

use evidence::log::LogPublicKey;
use keys::{CertificateSubject, KeySet, NewKey, RsaBits};

/// Runs blocking work beside the servers of a test.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("the work panicked")
}

/// What a key is made as.
pub fn new_key() -> NewKey {
    let subject = CertificateSubject {
        holder: "Acme".to_owned(),
        installation: "test".to_owned(),
        valid_from: jiff::Timestamp::now(),
        years: 5,
    };
    // 3072 bits take OpenSSL seconds on a busy machine.
    NewKey { subject, bits: RsaBits::Rsa2048 }
}

/// What a shell prints; it has to succeed.
pub fn shell(dir: &Path, script: &str) -> String {
    let done = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
    assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Signs with both keys, and lets OpenSSL verify it with what everybody has.
pub fn openssl_accepts(keys: &KeySet, dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    let message = b"which OpenSSL reads too";
    fs::write(dir.join("message"), message).unwrap();
    fs::write(dir.join("certificate.pem"), keys.signing.certificate_pem()).unwrap();
    fs::write(dir.join("rsa.sig"), keys.signing.sign(message).unwrap().as_bytes()).unwrap();
    let LogPublicKey::P256(spki) = keys.log.public() else { panic!("clouds have no Ed25519") };
    fs::write(dir.join("log.der"), spki).unwrap();
    fs::write(dir.join("log.sig"), keys.log.sign(message).unwrap()).unwrap();
    let told = shell(
        dir,
        "openssl x509 -in certificate.pem -noout -pubkey > key.pem
         openssl dgst -sha256 -verify key.pem -signature rsa.sig message
         openssl dgst -sha256 -verify log.der -keyform DER -signature log.sig message
         openssl verify -CAfile certificate.pem certificate.pem",
    );
    assert_eq!(told, "Verified OK\nVerified OK\ncertificate.pem: OK\n");
}

/// An error with all that it came from.
pub fn told(error: &dyn Error) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
