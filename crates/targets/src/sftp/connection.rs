//! One SSH connection with SFTP on it.

use std::{
    borrow::Cow,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::resources::{SshAuth, SshServer};
use russh::{
    Preferred,
    client::{self, AuthResult},
    keys::{Algorithm, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, decode_secret_key},
};
use russh_sftp::client::{Config, SftpSession, error::Error as SftpError};
use tokio::{
    net::TcpStream,
    sync::{OnceCell, oneshot},
    time::timeout,
};

use super::{
    fault::Server,
    host_key::{self, KeyKind, Pins},
    rename_over::RenameOver,
};
use crate::{ErrorKind, TargetError};

/// How long connecting, and logging in, may take each.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A server that does not answer a request for so long is away. A slow disk's fsync fits in.
const REQUEST_TIMEOUT_SECS: u64 = 60;
/// Writes under way at once: at 30 ms round trip 64 of them give 38 MB/s, one gives 1.
const CONCURRENT: usize = 64;

pub(super) struct Connection {
    sftp: SftpSession,
    ssh: client::Handle<PinnedServer>,
    server: Server,
    broken: AtomicBool,
    /// `None` inside: the server does not know how.
    rename_over: OnceCell<Option<RenameOver>>,
}

impl Connection {
    pub(super) async fn open(target: &SshServer, server: &Server) -> Result<Self, TargetError> {
        let pins = Pins::parse(&target.host_keys).map_err(|problem| server.bad_pin(&problem))?;
        let mut ssh = shake_hands(target, server, &pins).await?;
        timeout(CONNECT_TIMEOUT, log_in(&mut ssh, target, server))
            .await
            .map_err(|e| server.unreachable(e))??;
        let sftp =
            timeout(CONNECT_TIMEOUT, start_sftp(&ssh, server)).await.map_err(|e| server.unreachable(e))??;
        Ok(Self {
            sftp,
            ssh,
            server: server.clone(),
            broken: AtomicBool::new(false),
            rename_over: OnceCell::new(),
        })
    }

    pub(super) const fn sftp(&self) -> &SftpSession {
        &self.sftp
    }

    /// Renames over a file that has the new name; `None` if the server cannot do that in one step.
    pub(super) async fn rename_over(&self, from: &str, to: &str) -> Option<Result<(), SftpError>> {
        let renaming = self.rename_over.get_or_init(|| RenameOver::open(&self.ssh)).await;
        Some(renaming.as_ref()?.rename(from, to).await)
    }

    pub(super) fn is_usable(&self) -> bool {
        !self.broken.load(Ordering::Relaxed) && !self.ssh.is_closed()
    }

    pub(super) fn fault(&self, doing: &str, error: SftpError) -> TargetError {
        self.remember(self.server.fault(doing, error))
    }

    pub(super) fn io_fault(&self, doing: &str, error: io::Error) -> TargetError {
        self.remember(self.server.io_fault(doing, error))
    }

    /// A connection that failed once is not used again.
    fn remember(&self, error: TargetError) -> TargetError {
        if error.kind() == ErrorKind::Unreachable {
            self.broken.store(true, Ordering::Relaxed);
        }
        error
    }
}

/// Connects until the server shows a pinned key: each attempt leaves out the kinds of keys that it
/// has shown already.
async fn shake_hands(
    target: &SshServer,
    server: &Server,
    pins: &Pins,
) -> Result<client::Handle<PinnedServer>, TargetError> {
    let mut kinds = pins.kinds();
    let mut shown = Vec::new();
    while !kinds.is_empty() {
        let attempt = timeout(CONNECT_TIMEOUT, connect(target, pins, &kinds)).await;
        match attempt.map_err(|error| server.unreachable(error))? {
            Ok(ssh) => return Ok(ssh),
            Err(Refused::Key(key)) => {
                kinds.retain(|kind| *kind != KeyKind::of(&key.algorithm()));
                shown.push(host_key::text(&key));
            }
            Err(Refused::Ssh(russh::Error::NoCommonAlgo { kind: russh::AlgorithmKind::Key, .. }))
                if !shown.is_empty() =>
            {
                break;
            }
            Err(Refused::Ssh(error)) => return Err(server.unreachable(error)),
        }
    }
    Err(server.host_key_changed(&shown, &pins.texts()))
}

enum Refused {
    Key(Box<PublicKey>),
    Ssh(russh::Error),
}

async fn connect(
    target: &SshServer,
    pins: &Pins,
    kinds: &[KeyKind],
) -> Result<client::Handle<PinnedServer>, Refused> {
    let key: Vec<Algorithm> = kinds.iter().flat_map(KeyKind::algorithms).collect();
    let config = client::Config {
        preferred: Preferred { key: Cow::Owned(key), ..Preferred::DEFAULT },
        keepalive_interval: Some(Duration::from_secs(15)),
        nodelay: true,
        ..client::Config::default()
    };
    let (tell, mut told) = oneshot::channel();
    let handler = PinnedServer { pins: pins.clone(), refused: Some(tell) };
    let io = |error| Refused::Ssh(russh::Error::IO(error));
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await.map_err(io)?;
    stream.set_nodelay(true).map_err(io)?;
    client::connect_stream(Arc::new(config), stream, handler).await.map_err(|error| match told.try_recv() {
        Ok(key) => Refused::Key(Box::new(key)),
        Err(_) => Refused::Ssh(error),
    })
}

async fn log_in(
    ssh: &mut client::Handle<PinnedServer>,
    target: &SshServer,
    server: &Server,
) -> Result<(), TargetError> {
    let (method, answer) = match &target.auth {
        SshAuth::Password(password) => {
            ("password", ssh.authenticate_password(&target.user, password.expose()).await)
        }
        SshAuth::Key { private_key, passphrase } => {
            let passphrase = passphrase.as_ref().map(|p| p.expose().as_str());
            let key =
                decode_secret_key(private_key.expose(), passphrase).map_err(|e| server.unusable_key(e))?;
            let hash = ssh.best_supported_rsa_hash().await.map_err(|e| server.unreachable(e))?.flatten();
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            ("private key", ssh.authenticate_publickey(&target.user, key).await)
        }
    };
    match answer.map_err(|error| server.unreachable(error))? {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { .. } => Err(server.login_refused(method)),
    }
}

async fn start_sftp(ssh: &client::Handle<PinnedServer>, server: &Server) -> Result<SftpSession, TargetError> {
    let channel = ssh.channel_open_session().await.map_err(|error| server.no_sftp(error))?;
    channel.request_subsystem(true, "sftp").await.map_err(|error| server.no_sftp(error))?;
    let config = Config {
        max_concurrent_reads: CONCURRENT,
        max_concurrent_writes: CONCURRENT,
        request_timeout_secs: REQUEST_TIMEOUT_SECS,
        ..Config::default()
    };
    SftpSession::new_with_config(channel.into_stream(), config).await.map_err(|error| server.no_sftp(error))
}

/// Accepts the pinned keys and tells which other one was shown.
pub(super) struct PinnedServer {
    pins: Pins,
    refused: Option<oneshot::Sender<PublicKey>>,
}

impl client::Handler for PinnedServer {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        // A certificate is judged by the key it is about: the pin says which key, not who vouches.
        let key = shown.public_key();
        let accepted = self.pins.accept(&key);
        if !accepted && let Some(refused) = self.refused.take() {
            // Fails only if nobody waits for the connection any more.
            let _ = refused.send(key);
        }
        Ok(accepted)
    }
}
