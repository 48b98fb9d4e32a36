//! Keys, their versions, and signing by OpenSSL.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, bail, ensure};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::Vault;

/// What keeps a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// An HSM.
    Hsm,
    /// Software: what a vault of the standard tier has.
    Software,
}

/// The kind of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Rsa(u64),
    P256,
}

/// One version of a key.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) protection: Protection,
    pub(super) enabled: bool,
    created: u64,
    private: PathBuf,
    public: Value,
}

impl Version {
    /// The key as the interface shows it.
    pub(super) fn to_json(&self, vault: &str, name: &str) -> Value {
        let mut key = self.public.clone();
        key["kid"] = json!(format!("{vault}/keys/{name}/{}", self.id));
        key["key_ops"] = json!(["sign", "verify"]);
        json!({ "key": key, "attributes": self.attributes(), "tags": {} })
    }

    /// Its entry in a list.
    pub(super) fn to_item(&self, vault: &str, name: &str) -> Value {
        json!({ "kid": format!("{vault}/keys/{name}/{}", self.id), "attributes": self.attributes() })
    }

    fn attributes(&self) -> Value {
        json!({
            "enabled": self.enabled, "created": self.created, "updated": self.created, "exportable": false,
            "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
        })
    }

    /// The signature of a digest as the interface returns it.
    pub(super) fn sign(&self, algorithm: &str, digest: &[u8]) -> anyhow::Result<Vec<u8>> {
        ensure!(digest.len() == 32, "a digest of SHA-256 has 32 bytes");
        match (self.kind, algorithm) {
            (Kind::Rsa(_), "RS256") | (Kind::P256, "ES256") => {}
            _ => bail!("{algorithm} is not an algorithm of this key"),
        }
        let digest_file = self.private.with_extension(format!("{}.digest", uuid()));
        fs::write(&digest_file, digest)?;
        let mut openssl = Command::new("openssl");
        openssl.args(["pkeyutl", "-sign", "-pkeyopt", "digest:sha256", "-inkey"]).arg(&self.private);
        let signed = openssl.arg("-in").arg(&digest_file).output()?;
        fs::remove_file(&digest_file)?;
        ensure!(signed.status.success(), "openssl: {}", String::from_utf8_lossy(&signed.stderr));
        match self.kind {
            Kind::Rsa(_) => Ok(signed.stdout),
            Kind::P256 => plain(&signed.stdout),
        }
    }
}

impl Vault {
    /// Makes a version of a key.
    pub(super) fn add_version(
        &self,
        name: &str,
        kind: Kind,
        protection: Protection,
    ) -> anyhow::Result<Version> {
        let id = uuid();
        let private = self.dir.join(format!("{name}-{id}.pem"));
        let make = match kind {
            Kind::Rsa(bits) => format!("openssl genrsa -out \"$1\" {bits}"),
            Kind::P256 => "openssl ecparam -name prime256v1 -genkey -noout -out \"$1\"".to_owned(),
        };
        let script = format!("{make} 2>/dev/null; openssl pkey -in \"$1\" -pubout -outform DER");
        let made = Command::new("sh").args(["-ec", &script, "sh"]).arg(&private).output()?;
        ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        let public = match kind {
            Kind::Rsa(_) => {
                let modulus = Command::new("openssl")
                    .args(["rsa", "-modulus", "-noout", "-in"])
                    .arg(&private)
                    .output()?;
                let modulus = String::from_utf8(modulus.stdout)?;
                let modulus = modulus.trim().strip_prefix("Modulus=").context("no modulus")?.to_owned();
                let hsm = if protection == Protection::Hsm { "RSA-HSM" } else { "RSA" };
                json!({ "kty": hsm, "n": BASE64_URL_SAFE_NO_PAD.encode(from_hex(&modulus)?), "e": "AQAB" })
            }
            Kind::P256 => {
                let (x, y) = made.stdout[made.stdout.len() - 64..].split_at(32);
                let [x, y] = [x, y].map(|number| BASE64_URL_SAFE_NO_PAD.encode(number));
                let hsm = if protection == Protection::Hsm { "EC-HSM" } else { "EC" };
                json!({ "kty": hsm, "crv": "P-256", "x": x, "y": y })
            }
        };
        let mut state = self.lock();
        let versions = state.keys.entry(name.to_owned()).or_default();
        let created = 1_700_000_000 + versions.len() as u64;
        versions.push(Version { id, kind, protection, enabled: true, created, private, public });
        Ok(versions[versions.len() - 1].clone())
    }

    pub(super) fn add_version_like_the_last(&self, name: &str) -> anyhow::Result<()> {
        let last = self.lock().keys.get(name).and_then(|versions| versions.last().cloned());
        let last = last.with_context(|| format!("no key {name}"))?;
        self.add_version(name, last.kind, last.protection).map(drop)
    }
}

fn uuid() -> String {
    let mut bytes = [0; 16];
    // Unique within this process is enough.
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    bytes[8..].copy_from_slice(&count.to_be_bytes());
    bytes[..4].copy_from_slice(&std::process::id().to_be_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> anyhow::Result<Vec<u8>> {
    let digits = (0..text.len()).step_by(2);
    Ok(digits.map(|at| u8::from_str_radix(&text[at..at + 2], 16)).collect::<Result<_, _>>()?)
}

/// OpenSSL's `SEQUENCE { INTEGER r, INTEGER s }` as two numbers of 32 bytes.
fn plain(der: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut rest = der.get(2..).context("cut short")?;
    let mut out = Vec::new();
    for _ in 0..2 {
        let length = usize::from(*rest.get(1).context("cut short")?);
        let number = rest.get(2..2 + length).context("cut short")?;
        let digits: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        out.resize(out.len() + 32 - digits.len(), 0);
        out.extend(digits);
        rest = &rest[2 + length..];
    }
    Ok(out)
}
