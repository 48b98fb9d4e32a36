//! The control API as an administrator uses it: with curl.

use std::process::Command;

use anyhow::{Context, ensure};
use harness::programs;
use serde_json::Value;

/// The API of one tenant.
#[derive(Debug, Clone)]
pub struct Api {
    /// `http://HOST:PORT/v1/tenants/NAME`.
    pub base: String,
    pub token: &'static str,
}

/// Status and body.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    /// The body as JSON, which it is if all went well.
    pub fn json(&self) -> anyhow::Result<Value> {
        ensure!(self.status == 200, "{}: {}", self.status, self.body);
        Ok(serde_json::from_str(&self.body)?)
    }

    /// The sentence that says why not.
    pub fn error(&self) -> anyhow::Result<String> {
        let body: Value = serde_json::from_str(&self.body).with_context(|| self.body.clone())?;
        Ok(body["error"].as_str().context("no error")?.to_owned())
    }
}

impl Api {
    pub fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask("GET", path, None)
    }

    pub fn put(&self, path: &str, body: &str) -> anyhow::Result<Answer> {
        self.ask("PUT", path, Some(body))
    }

    pub fn post(&self, path: &str, body: &str) -> anyhow::Result<Answer> {
        self.ask("POST", path, Some(body))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&str>) -> anyhow::Result<Answer> {
        let authorization = format!("Authorization: Bearer {}", self.token);
        let mut words = vec!["--header", authorization.as_str(), "--request", method];
        words.extend(body.map(|body| ["--data", body]).into_iter().flatten());
        curl(&words, &format!("{}/{path}", self.base))
    }

    /// Presses the record button of a user's phone: the URL is all that the phone knows.
    pub fn press_button(&self, call_id: &str, user: &str) -> anyhow::Result<Answer> {
        let Self { base, token } = self;
        curl(&[], &format!("{base}/phone-button?call={call_id}&user={user}&token={token}"))
    }
}

fn curl(words: &[&str], url: &str) -> anyhow::Result<Answer> {
    let program = programs::installed(&["/usr/bin/curl"], "curl")?;
    let done = Command::new(program)
        .args(["--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code}"])
        .args(words)
        .arg(url)
        .output()?;
    ensure!(done.status.success(), "curl: {}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8(done.stdout)?;
    let (body, status) = said.rsplit_once('\n').context("curl said no status")?;
    Ok(Answer { status: status.parse()?, body: body.to_owned() })
}
