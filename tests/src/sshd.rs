//! A real OpenSSH server with SFTP: own configuration, own keys, own port.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use domain::resources::{SshAuth, SshServer};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid},
};
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::{command, ports, process::Process, programs, wait};

/// The kinds of host keys it has, with the bits where there is a choice.
pub const HOST_KEYS: [&str; 5] = ["ed25519", "ecdsa", "ecdsa-384", "ecdsa-521", "rsa"];

/// An SSH server on loopback. The user who runs the test logs in with [`client_key`](Self::client_key);
/// relative SFTP paths start in [`home`](Self::home).
#[derive(Debug)]
pub struct Sshd {
    dir: PathBuf,
    port: u16,
    /// Settings put in front of the configuration: `MaxSessions 0`.
    pub settings: Vec<String>,
    /// What speaks SFTP in the place of sshd itself, a command. It takes effect at the next start.
    pub subsystem: Option<String>,
    process: Option<Process>,
}

impl Sshd {
    /// Makes keys in `dir` and starts the server on a free port.
    ///
    /// # Errors
    /// OpenSSH is missing or does not come up.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(dir.join("home"))?;
        let (dir, port) = (dir.to_owned(), ports::claim()?);
        let mut sshd = Self { dir, port, settings: Vec::new(), subsystem: None, process: None };
        let dir = sshd.dir.clone();
        sshd.new_host_keys()?;
        sshd.make_key("client", "ed25519", "")?;
        fs::copy(dir.join("client.pub"), dir.join("authorized_keys"))?;
        sshd.start_again().await?;
        Ok(sshd)
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

    /// The private key that is let in, as text.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn client_key(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.dir.join("client"))?)
    }

    /// How a tunnel or a target is told of this server: its Ed25519 host key pinned, the client's key as login.
    ///
    /// # Errors
    /// A key cannot be read, or the system does not know this user.
    pub fn described(&self) -> anyhow::Result<SshServer> {
        Ok(SshServer {
            host: "127.0.0.1".into(),
            port: self.port,
            user: self.user()?,
            auth: SshAuth::Key { private_key: self.client_key()?.into(), passphrase: None },
            host_keys: vec![self.host_key("ed25519")?],
        })
    }

    /// Makes a further key of `kind` (`ed25519`, `ecdsa-384`) with a passphrase, lets it in, and returns
    /// its text.
    ///
    /// # Errors
    /// ssh-keygen is missing.
    pub fn let_in_new_key(&self, name: &str, kind: &str, passphrase: &str) -> anyhow::Result<String> {
        self.let_in_new_key_in(name, kind, "RFC4716", passphrase)
    }

    /// The same, its text in a form that ssh-keygen knows: `RFC4716` (OpenSSH's own), `PEM`, `PKCS8`.
    ///
    /// # Errors
    /// ssh-keygen is missing, or does not know this form of this kind.
    pub fn let_in_new_key_in(
        &self,
        name: &str,
        kind: &str,
        form: &str,
        passphrase: &str,
    ) -> anyhow::Result<String> {
        self.make_key_in(name, kind, form, passphrase)?;
        self.let_in(name)
    }

    /// Makes a key of P-256, in OpenSSH's own form, whose number begins with so many bytes of zero, lets it in,
    /// and returns its text.
    ///
    /// # Errors
    /// OpenSSL or ssh-keygen is missing.
    pub fn let_in_key_that_begins_with_zeros(
        &self,
        name: &str,
        zeros: usize,
        passphrase: &str,
    ) -> anyhow::Result<String> {
        let (file, der) = (self.dir.join(name), self.dir.join(format!("{name}.der")));
        let number = [vec![0; zeros], vec![0x5a; 32 - zeros]].concat();
        // ECPrivateKey (RFC 5915, section 3) of secp256r1; OpenSSL reckons the public key.
        let sec1 =
            [&b"\x30\x31\x02\x01\x01\x04\x20"[..], &number, b"\xa0\x0a\x06\x08*\x86H\xce=\x03\x01\x07"];
        fs::write(&der, sec1.concat())?;
        let mut openssl = Command::new("openssl");
        openssl.args(["ec", "-inform", "DER", "-in"]).arg(&der).arg("-out").arg(&file);
        command::run(&mut openssl)?.good()?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        let mut own_form = Command::new("ssh-keygen");
        own_form.args(["-q", "-p", "-m", "RFC4716", "-P", "", "-N", passphrase, "-f"]).arg(&file);
        command::run(&mut own_form)?.good()?;
        let public =
            command::run(Command::new("ssh-keygen").args(["-y", "-P", passphrase, "-f"]).arg(&file))?;
        fs::write(self.dir.join(format!("{name}.pub")), public.good()?)?;
        self.let_in(name)
    }

    fn let_in(&self, name: &str) -> anyhow::Result<String> {
        let authorized = self.dir.join("authorized_keys");
        let both =
            fs::read_to_string(&authorized)? + &fs::read_to_string(self.dir.join(format!("{name}.pub")))?;
        fs::write(authorized, both)?;
        Ok(fs::read_to_string(self.dir.join(name))?)
    }

    /// Where relative SFTP paths start.
    pub fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// The public host key of a kind, as a line.
    ///
    /// # Errors
    /// There is no key of this kind.
    pub fn host_key(&self, kind: &str) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.dir.join(format!("host_{kind}.pub")))?.trim().to_owned())
    }

    /// The fingerprint of the host key of a kind: `SHA256:…`, as ssh-keygen says it.
    ///
    /// # Errors
    /// There is no key of this kind.
    pub fn fingerprint(&self, kind: &str) -> anyhow::Result<String> {
        let file = self.dir.join(format!("host_{kind}.pub"));
        let said = Command::new("ssh-keygen").arg("-l").arg("-f").arg(file).output()?;
        let said = String::from_utf8(said.stdout)?;
        Ok(said.split(' ').nth(1).context("ssh-keygen says no fingerprint")?.to_owned())
    }

    /// Replaces all host keys, as a reinstalled server would have; takes effect at the next start.
    ///
    /// # Errors
    /// ssh-keygen is missing.
    pub fn new_host_keys(&self) -> anyhow::Result<()> {
        HOST_KEYS.iter().try_for_each(|kind| self.make_key(&format!("host_{kind}"), kind, ""))
    }

    fn make_key(&self, name: &str, kind: &str, passphrase: &str) -> anyhow::Result<()> {
        self.make_key_in(name, kind, "RFC4716", passphrase)
    }

    fn make_key_in(&self, name: &str, kind: &str, form: &str, passphrase: &str) -> anyhow::Result<()> {
        let file = self.dir.join(name);
        for old in [file.clone(), file.with_extension("pub")] {
            if old.exists() {
                fs::remove_file(old)?;
            }
        }
        let mut keygen = Command::new("ssh-keygen");
        let (kind, bits) = kind.split_once('-').unwrap_or((kind, ""));
        if !bits.is_empty() {
            keygen.args(["-b", bits]);
        }
        keygen.args(["-q", "-t", kind, "-m", form, "-N", passphrase, "-C", "test", "-f"]).arg(&file);
        let status = keygen.status().context("ssh-keygen is missing: install Debian's openssh-client")?;
        ensure!(status.success(), "ssh-keygen failed");
        Ok(())
    }

    /// Starts the server on its port, after [`stop`](Self::stop).
    ///
    /// # Errors
    /// It does not come up.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let program = programs::installed(&["/usr/sbin/sshd"], "openssh-server")?;
        if geteuid().is_root() {
            // A root server insists on this folder; the package's own service would make it.
            fs::create_dir_all("/run/sshd")?;
        }
        let config = self.dir.join("sshd_config");
        fs::write(&config, self.config_text())?;
        let mut command = Command::new(program);
        command.args(["-D", "-e", "-f"]).arg(&config);
        self.process = Some(Process::start("sshd", &self.dir, &mut command)?);
        let port = self.port;
        wait::until("sshd to greet", Duration::from_secs(60), || async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            let mut greeting = [0; 4];
            stream.read_exact(&mut greeting).await.ok()?;
            (greeting == *b"SSH-").then_some(())
        })
        .await
        .with_context(|| self.process.as_ref().map(Process::output).unwrap_or_default())
    }

    /// Kills the server and every open connection at once.
    ///
    /// # Errors
    /// It was gone already.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let process = self.process.take().context("sshd does not run")?;
        // Each connection has processes of its own, in sessions of their own. The listener first, so
        // that no further ones come.
        let mut connections = descendants(process.id());
        process.signal(Signal::SIGSTOP)?;
        connections.extend(descendants(process.id()));
        process.kill_hard()?;
        for id in connections {
            let _ended_already = kill(Pid::from_raw(id), Signal::SIGKILL);
        }
        Ok(())
    }

    /// Stops the server and every open connection from doing anything, without closing any: a peer that is
    /// silent. [`stop`](Self::stop) ends them.
    ///
    /// # Errors
    /// It was gone already.
    pub fn freeze(&self) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("sshd does not run")?;
        process.signal(Signal::SIGSTOP)?;
        for id in descendants(process.id()) {
            kill(Pid::from_raw(id), Signal::SIGSTOP)?;
        }
        Ok(())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::output).unwrap_or_default()
    }

    fn config_text(&self) -> String {
        let dir = self.dir.display();
        let host_keys: String = HOST_KEYS.iter().map(|kind| format!("HostKey {dir}/host_{kind}\n")).collect();
        format!(
            "{}\nPort {}\nListenAddress 127.0.0.1\n{host_keys}AuthorizedKeysFile {dir}/authorized_keys\nPidFile none\n\
             UsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nMaxStartups 100\nLogLevel VERBOSE\nSubsystem sftp {}\n",
            self.settings.join("\n"),
            self.port,
            self.subsystem.clone().unwrap_or_else(|| format!("internal-sftp -d {dir}/home"))
        )
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if self.process.is_some() {
            let _gone_already = self.stop();
        }
    }
}

/// Children of a process, their children, and so on.
fn descendants(id: u32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse::<u32>().ok());
    children.flat_map(|child| descendants(child).into_iter().chain(i32::try_from(child))).collect()
}
