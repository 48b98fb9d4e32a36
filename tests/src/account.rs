//! A login account of this machine, for as long as a test needs it.

use std::{fs, process::Command};

use anyhow::{Context, ensure};

const PREFIX: &str = "callseal-test-";

/// An account with a password and without a home. It is removed when it is dropped; what a killed
/// test left is removed by the next one.
#[derive(Debug)]
pub struct Account {
    name: String,
}

impl Account {
    /// Makes the account.
    ///
    /// # Errors
    /// The test does not run as root, or Debian's passwd is missing.
    pub fn with_password(password: &str) -> anyhow::Result<Self> {
        remove_left_overs()?;
        let hashed = Command::new("openssl").args(["passwd", "-6", password]).output()?;
        let hashed = String::from_utf8(hashed.stdout)?;
        let account = Self { name: format!("{PREFIX}{}", std::process::id()) };
        let mut useradd = Command::new("useradd");
        useradd.args(["--no-create-home", "--shell", "/usr/sbin/nologin", "--password", hashed.trim()]);
        let made =
            useradd.arg(&account.name).output().context("useradd is missing: install Debian's passwd")?;
        ensure!(made.status.success(), "useradd failed: {}", String::from_utf8_lossy(&made.stderr));
        Ok(account)
    }

    /// The login name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

fn remove(name: &str) {
    let _gone_already = Command::new("userdel").arg("--force").arg(name).output();
}

/// Accounts of test processes that do not live any more.
fn remove_left_overs() -> anyhow::Result<()> {
    for line in fs::read_to_string("/etc/passwd")?.lines() {
        let name = line.split(':').next().unwrap_or_default();
        let dead = |id: &str| !fs::exists(format!("/proc/{id}")).unwrap_or(true);
        if name.strip_prefix(PREFIX).is_some_and(dead) {
            remove(name);
        }
    }
    Ok(())
}
