//! Whom a server runs as that refuses to run as root: the user of its Debian package.

use std::{
    os::unix::{fs::chown, process::CommandExt as _},
    path::Path,
    process::Command,
};

use anyhow::Context;
use nix::unistd::{User, geteuid};

/// A user of this machine, and the package that makes it.
#[derive(Debug, Clone, Copy)]
pub struct ServerUser {
    /// The user's name.
    pub name: &'static str,
    /// Debian's package.
    pub package: &'static str,
}

impl ServerUser {
    /// Has the command run as it, where root runs the tests.
    ///
    /// # Errors
    /// There is no such user: the package is not installed.
    pub fn runs(self, command: &mut Command) -> anyhow::Result<()> {
        if let Some(user) = self.found()? {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        Ok(())
    }

    /// Gives it a file or a folder, where root runs the tests.
    ///
    /// # Errors
    /// As [`Self::runs`]; or the path cannot be given away.
    pub fn owns(self, path: &Path) -> anyhow::Result<()> {
        if let Some(user) = self.found()? {
            chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        Ok(())
    }

    /// `None`: the server runs as whoever runs the test.
    fn found(self) -> anyhow::Result<Option<User>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let Self { name, package } = self;
        let user = User::from_name(name)?;
        Ok(Some(user.with_context(|| format!("there is no user {name}: install Debian's {package}"))?))
    }
}
