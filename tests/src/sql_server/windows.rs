//! Logins of Windows by NTLM, judged by Samba's `ntlm_auth`: neither the journal nor its test says whether an
//! answer to the challenge is the right one.

use std::{io, path::PathBuf, process::Stdio};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::line::broken;
use crate::programs;

/// The one account that there is.
pub struct Windows {
    /// With its domain in front.
    user: &'static str,
    password: &'static str,
    /// The settings and the state of the judge.
    dir: PathBuf,
}

/// A login that has begun.
pub struct Exchange {
    user: &'static str,
    _judge: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Windows {
    pub const fn new(user: &'static str, password: &'static str, dir: PathBuf) -> Self {
        Self { user, password, dir }
    }

    /// The challenge for a client's first message.
    pub async fn challenge(&self, negotiate: &[u8]) -> io::Result<(Exchange, Vec<u8>)> {
        let program = programs::installed(&["/usr/bin/ntlm_auth"], "winbind").map_err(io::Error::other)?;
        let (domain, user) = self.user.split_once('\\').unwrap_or(("", self.user));
        let dir = self.dir.display();
        std::fs::create_dir_all(&self.dir)?;
        let folders = ["lock", "state", "cache", "pid"].map(|folder| format!("{folder} directory = {dir}\n"));
        let config = self.dir.join("smb.conf");
        std::fs::write(
            &config,
            format!(
                "[global]\nworkgroup = {domain}\nnetbios name = PEER\nprivate dir = {dir}\nntlm auth = ntlmv2-only\n{}",
                folders.concat()
            ),
        )?;
        let mut judge = Command::new(program)
            .arg(format!("--configfile={}", config.display()))
            .args(["--helper-protocol=squid-2.5-ntlmssp", "-d", "0"])
            .arg(format!("--domain={domain}"))
            .arg(format!("--username={user}"))
            .arg(format!("--password={}", self.password))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(to), Some(from)) = (judge.stdin.take(), judge.stdout.take()) else {
            return Err(io::Error::other("ntlm_auth without its pipes"));
        };
        let mut exchange = Exchange { user: self.user, _judge: judge, to, from: BufReader::new(from) };
        let said = exchange.ask("YR", negotiate).await?;
        let challenge = said.strip_prefix("TT ").ok_or_else(|| broken("no negotiation of NTLM"))?;
        let challenge = STANDARD.decode(challenge).map_err(io::Error::other)?;
        Ok((exchange, challenge))
    }
}

impl Exchange {
    /// Whether the answer to the challenge is right.
    pub async fn admits(mut self, authenticate: &[u8]) -> io::Result<bool> {
        // It lets in whoever knows the password; and says who that is.
        Ok(self.ask("KK", authenticate).await? == format!("AF {}", self.user))
    }

    async fn ask(&mut self, verb: &str, message: &[u8]) -> io::Result<String> {
        self.to.write_all(format!("{verb} {}\n", STANDARD.encode(message)).as_bytes()).await?;
        let mut said = String::new();
        self.from.read_line(&mut said).await?;
        Ok(said.trim_end().to_owned())
    }
}
