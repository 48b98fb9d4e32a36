//! The auditor's own key, which signs the report.

use std::{fs, path::Path};

use anyhow::{Context, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};

/// `SubjectPublicKeyInfo` up to the key itself: RFC 8410 § 4, and RFC 5480 § 2 for P-256.
const SPKI_ED25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const SPKI_P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// An Ed25519 or P-256 key.
pub(super) enum ReportKey {
    /// Signs the bytes of the report (RFC 8032).
    Ed25519(Ed25519KeyPair),
    /// Signs their SHA-256.
    P256(EcdsaKeyPair),
}

impl ReportKey {
    /// Reads `-----BEGIN PRIVATE KEY-----` (PKCS#8, as `openssl genpkey` writes it).
    ///
    /// # Errors
    /// It is something else.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let pem = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&pem).with_context(|| format!("{} cannot sign the report", path.display()))
    }

    fn parse(pem: &str) -> anyhow::Result<Self> {
        let body =
            pem.split_once("-----BEGIN PRIVATE KEY-----").and_then(|(_, rest)| rest.split_once("-----END"));
        let Some((body, _)) = body else {
            bail!(
                "expected an unencrypted PKCS#8 key (BEGIN PRIVATE KEY); `openssl pkcs8 -topk8 -nocrypt` makes one"
            );
        };
        let packed: String = body.split_ascii_whitespace().collect();
        let der = BASE64_STANDARD.decode(packed).context("its base64 is damaged")?;
        // OpenSSL leaves the public half out of Ed25519 keys.
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
            return Ok(Self::Ed25519(key));
        }
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &SystemRandom::new());
        key.map(Self::P256).ok().context("expected a key of Ed25519 or of the curve P-256")
    }

    /// The public half, PEM.
    pub(super) fn public_pem(&self) -> String {
        let der = match self {
            Self::Ed25519(key) => [SPKI_ED25519, key.public_key().as_ref()].concat(),
            Self::P256(key) => [SPKI_P256, key.public_key().as_ref()].concat(),
        };
        let text = BASE64_STANDARD.encode(der);
        let lines: Vec<&str> =
            (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// How the signature is verified, with the public key in `public.pem`.
    pub(super) fn command(&self, report: &str) -> String {
        match self {
            Self::Ed25519(_) => format!(
                "openssl pkeyutl -verify -rawin -pubin -inkey public.pem -in '{report}' -sigfile '{report}.sig'"
            ),
            Self::P256(_) => {
                format!("openssl dgst -sha256 -verify public.pem -signature '{report}.sig' '{report}'")
            }
        }
    }

    /// The signature over `message`: 64 bytes, or DER.
    ///
    /// # Errors
    /// The machine gives no random numbers.
    pub(super) fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        Ok(match self {
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::P256(key) => {
                let signature = key.sign(&SystemRandom::new(), message);
                signature.ok().context("this machine gives no random numbers")?.as_ref().to_vec()
            }
        })
    }
}
