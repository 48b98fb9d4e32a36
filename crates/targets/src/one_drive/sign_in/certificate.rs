//! An app's certificate, and the assertion that its key signs: a JWT by PS256 that names the
//! certificate by SHA-256, as Microsoft's "certificate credentials" describes it.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::{
    rand::{SecureRandom as _, SystemRandom},
    rsa::KeyPair,
    signature::RSA_PSS_SHA256,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use x509_cert::{Certificate as X509, der::Decode as _};

use crate::{ErrorKind, Expiry, TargetError};

/// How long an assertion is good for, seconds.
const LASTS: i64 = 300;

pub(super) struct Certificate {
    key: KeyPair,
    thumbprint: String,
    ends: Timestamp,
}

impl Certificate {
    /// Reads PEM: the private key (RSA), and the certificate of that key among all that stand there.
    pub(super) fn from_pem(pem: &str) -> Result<Self, TargetError> {
        let unusable = |why: &str| {
            TargetError::new(ErrorKind::LoginRefused, format!("the client certificate cannot be used: {why}"))
        };
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| {
            unusable("its private key cannot be read; one with a passphrase must be decrypted before")
        })?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => KeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => KeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(unusable("its key is not RSA")),
        };
        let key = key.map_err(|_| unusable("its key is not RSA of 2048 to 4096 bits"))?;
        for der in CertificateDer::pem_slice_iter(pem.as_bytes()).flatten() {
            let Ok(parsed) = X509::from_der(&der) else { continue };
            let certified = parsed.tbs_certificate().subject_public_key_info();
            if certified.subject_public_key.raw_bytes() != key.public().as_ref() {
                continue;
            }
            let ends = parsed.tbs_certificate().validity().not_after.to_unix_duration();
            let ends = Timestamp::from_second(ends.as_secs().cast_signed()).unwrap_or(Timestamp::MAX);
            let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&der));
            return Ok(Self { key, thumbprint, ends });
        }
        Err(unusable("no certificate in it belongs to its private key"))
    }

    /// Says to the token endpoint `audience` that this is the application `client_id`.
    pub(super) fn assertion(&self, client_id: &str, audience: &str) -> Result<String, TargetError> {
        let random = SystemRandom::new();
        let mut id = [0; 16];
        let no_random = |_| TargetError::new(ErrorKind::Io, "the system gives no random numbers");
        random.fill(&mut id).map_err(no_random)?;
        let now = Timestamp::now().as_second();
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": audience, "iss": client_id, "sub": client_id, "jti": hex::encode(id),
            "nbf": now, "iat": now, "exp": now + LASTS,
        });
        let encode = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
        let text = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PSS_SHA256, &random, text.as_bytes(), &mut signature).map_err(no_random)?;
        Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    pub(super) fn expiry(&self) -> Expiry {
        Expiry { what: "the client certificate".to_owned(), at: self.ends }
    }
}
