//! Who is let in: a service account by what it has signed itself, and an HMAC key by its id.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use anyhow::ensure;
use axum::http::HeaderMap;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

const EMAIL: &str = "callseal@acme.iam.gserviceaccount.com";

#[derive(Debug)]
pub(super) struct Tokens {
    dir: PathBuf,
    /// Those that were looked at: OpenSSL takes its time.
    good: Mutex<BTreeSet<String>>,
}

impl Tokens {
    /// Makes the key of the service account.
    pub(super) fn make(dir: &Path) -> anyhow::Result<Self> {
        let script = "openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out account.key 2>/dev/null \
                      || openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out account.key
            openssl pkey -in account.key -pubout -out account.pub";
        let made = Command::new("sh").args(["-ec", script]).current_dir(dir).output()?;
        ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        Ok(Self { dir: dir.to_owned(), good: Mutex::default() })
    }

    pub(super) fn key_file(&self) -> anyhow::Result<String> {
        let file = serde_json::json!({
            "type": "service_account",
            "project_id": "acme",
            "private_key_id": "0123456789abcdef",
            "private_key": fs::read_to_string(self.dir.join("account.key"))?,
            "client_email": EMAIL,
            "client_id": "1234567890",
            "token_uri": "https://oauth2.googleapis.com/token",
        });
        Ok(file.to_string())
    }

    /// Whether whoever asks is let in.
    pub(super) fn let_in(&self, headers: &HeaderMap) -> bool {
        let text = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if let Some(rest) = text.strip_prefix("AWS4-HMAC-SHA256 Credential=") {
            // rclone alone signs so; that its signature is right says nothing about Callseal.
            return rest.split('/').next() == Some(super::ACCESS_KEY_ID);
        }
        text.strip_prefix("Bearer ").is_some_and(|token| self.is_good(token))
    }

    fn is_good(&self, token: &str) -> bool {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.contains(token) {
            return true;
        }
        let is_good = self.verify(token).unwrap_or(false);
        if is_good {
            good.insert(token.to_owned());
        }
        is_good
    }

    /// RFC 7515: the signature covers the first two parts as they stand.
    fn verify(&self, token: &str) -> anyhow::Result<bool> {
        let Some((signed, signature)) = token.rsplit_once('.') else { return Ok(false) };
        let claims = signed.rsplit('.').next().unwrap_or_default();
        let claims: serde_json::Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims)?)?;
        let scope = claims["scope"].as_str().unwrap_or_default();
        if claims["iss"] != EMAIL || !scope.starts_with("https://www.googleapis.com/auth/") {
            return Ok(false);
        }
        let folder = tempfile::tempdir_in(&self.dir)?;
        fs::write(folder.path().join("signed"), signed)?;
        fs::write(folder.path().join("signature"), BASE64_URL_SAFE_NO_PAD.decode(signature)?)?;
        let mut command = Command::new("openssl");
        command.args(["dgst", "-sha256", "-verify"]).arg(self.dir.join("account.pub"));
        command.args(["-signature", "signature", "signed"]).current_dir(folder.path());
        Ok(command.output()?.status.success())
    }
}
