//! A real Samba server: own configuration, own accounts, own port.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::{Pid, User, geteuid},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{ports, process::Process, programs, wait};

/// The share.
pub const SHARE: &str = "archive";
/// The password of the user who runs the test.
pub const PASSWORD: &str = "correct horse";

/// A Samba server on loopback with one share. The user who runs the test logs in with [`PASSWORD`].
#[derive(Debug)]
pub struct Samba {
    dir: PathBuf,
    port: u16,
    /// Settings of the server: `server signing = mandatory`. They take effect at the next start.
    pub settings: Vec<String>,
    /// Settings of the share: `read only = yes`.
    pub share_settings: Vec<String>,
    process: Option<Process>,
}

impl Samba {
    /// Starts a server with its data in `dir` on a free port.
    ///
    /// # Errors
    /// Samba is missing or does not come up.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        Self::start_with(dir, &[]).await
    }

    /// Starts one with these settings.
    ///
    /// # Errors
    /// Samba is missing or does not come up.
    pub async fn start_with(dir: &Path, settings: &[&str]) -> anyhow::Result<Self> {
        let settings = settings.iter().map(ToString::to_string).collect();
        let mut samba = Self {
            dir: dir.to_owned(),
            port: ports::claim()?,
            settings,
            share_settings: Vec::new(),
            process: None,
        };
        for folder in ["private", "state", "ncalrpc", SHARE] {
            fs::create_dir_all(dir.join(folder))?;
        }
        samba.write_config()?;
        let user = samba.user()?;
        samba.let_in(&user, PASSWORD)?;
        samba.start_again().await?;
        Ok(samba)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The login name: who runs the test.
    ///
    /// # Errors
    /// The system does not know this user.
    pub fn user(&self) -> anyhow::Result<String> {
        Ok(User::from_uid(geteuid())?.context("the user who runs the test has no name")?.name)
    }

    /// The folder behind the share.
    pub fn share(&self) -> PathBuf {
        self.dir.join(SHARE)
    }

    /// Gives a user of this machine a password for the share, or another one.
    ///
    /// # Errors
    /// The system does not know the user.
    pub fn let_in(&self, user: &str, password: &str) -> anyhow::Result<()> {
        let mut command = Command::new("smbpasswd");
        command.arg("-c").arg(self.config()).args(["-s", "-a", user]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.context("smbpasswd is missing: install Debian's samba (make test does)")?;
        let mut input = child.stdin.take().context("smbpasswd has no input")?;
        write!(input, "{password}\n{password}\n")?;
        drop(input);
        let done = child.wait_with_output()?;
        ensure!(done.status.success(), "smbpasswd failed: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    /// Changes an account by `pdbedit`: `["-c", "[D]"]` switches it off, `["-c", "[L]"]` locks it,
    /// `["-K", "1000000"]` ends it at that second of the epoch.
    ///
    /// # Errors
    /// There is no such account.
    pub fn change_account(&self, user: &str, change: &[&str]) -> anyhow::Result<()> {
        self.pdbedit(&[&["-r", "-u", user], change].concat())
    }

    /// Sets a rule for all accounts: `maximum password age`, in seconds.
    ///
    /// # Errors
    /// There is no such rule.
    pub fn account_policy(&self, rule: &str, value: u32) -> anyhow::Result<()> {
        self.pdbedit(&["-P", rule, "-C", &value.to_string()])
    }

    fn pdbedit(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let done = Command::new("pdbedit").arg("-s").arg(self.config()).args(arguments).output();
        let done = done.context("pdbedit is missing: install Debian's samba")?;
        ensure!(done.status.success(), "pdbedit failed: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    /// Runs commands of `smbclient`, a client that is not ours, and returns what it says.
    ///
    /// # Errors
    /// It is missing, or one of the commands failed.
    pub fn smbclient(&self, commands: &str) -> anyhow::Result<String> {
        let login = format!("{}%{PASSWORD}", self.user()?);
        let mut client = Command::new("smbclient");
        client.args(["-s", "/dev/null", "-p", &self.port.to_string(), "-U", &login]);
        client.arg(format!("//127.0.0.1/{SHARE}")).args(["-c", commands]);
        let done = client.output().context("smbclient is missing: install Debian's smbclient")?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        ensure!(done.status.success() && !said.contains("NT_STATUS"), "smbclient failed: {said}");
        Ok(said)
    }

    /// Starts the server on its port, after [`stop`](Self::stop).
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let program = programs::installed(&["/usr/sbin/smbd"], "samba")?;
        self.write_config()?;
        let mut command = Command::new(program);
        command.args(["--foreground", "--debug-stdout", "-s"]).arg(self.config());
        self.process = Some(Process::start("smbd", &self.dir, &mut command)?);
        let port = self.port;
        wait::until("smbd to take connections", Duration::from_secs(60), || async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            // What is no SMB it answers by hanging up, once it reads at all.
            stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0]).await.ok()?;
            stream.read(&mut [0]).await.ok().map(|_| ())
        })
        .await
        .with_context(|| self.log())
    }

    /// Kills the server and every open connection at once.
    ///
    /// # Errors
    /// It was gone already.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let process = self.process.take().context("smbd does not run")?;
        // In the foreground it makes a process group of its own; each connection is a process in it.
        killpg(Pid::from_raw(i32::try_from(process.id())?), Signal::SIGKILL).context("smbd has no group")?;
        // Dropping it waits for its end.
        drop(process);
        Ok(())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::output).unwrap_or_default()
    }

    fn config(&self) -> PathBuf {
        self.dir.join("smb.conf")
    }

    fn write_config(&self) -> anyhow::Result<()> {
        let dir = self.dir.display();
        let text = format!(
            "[global]\nserver role = standalone server\nworkgroup = CALLSEAL\nnetbios name = ARCHIVE\n\
             smb ports = {}\nbind interfaces only = yes\ninterfaces = 127.0.0.1/8\ndisable netbios = yes\n\
             disable spoolss = yes\nload printers = no\npassdb backend = tdbsam:{dir}/private/passdb.tdb\n\
             private dir = {dir}/private\nstate directory = {dir}/state\ncache directory = {dir}/state\n\
             lock directory = {dir}/state\npid directory = {dir}/state\nncalrpc dir = {dir}/ncalrpc\n\
             map to guest = never\nlog level = 1\n{}\n[{SHARE}]\npath = {dir}/{SHARE}\nread only = no\n{}\n",
            self.port,
            self.settings.join("\n"),
            self.share_settings.join("\n"),
        );
        Ok(fs::write(self.config(), text)?)
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        if self.process.is_some() {
            let _gone_already = self.stop();
        }
    }
}
