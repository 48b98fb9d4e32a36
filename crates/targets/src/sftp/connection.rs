//! One login with several SFTP channels on it.
//!
//! A server answers the requests of one channel one after the other, a sync of the disk too. Files
//! that are brought at the same time therefore go over several channels of the same connection, as
//! many as the server allows.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::resources::SshServer;
use tokio::sync::Mutex;
use tunnel::{Session, Tunnel};

use super::{channel::Channel, fault::Server};
use crate::{ErrorKind, TargetError};

/// Channels of one connection. OpenSSH allows ten (`MaxSessions`).
const MOST_CHANNELS: usize = 4;

pub(super) struct Connection {
    ssh: Session,
    server: Server,
    broken: Arc<AtomicBool>,
    channels: Mutex<Channels>,
}

struct Channels {
    open: Vec<Arc<Channel>>,
    /// The server takes no further one.
    complete: bool,
}

impl Connection {
    pub(super) async fn open(
        target: &SshServer,
        server: &Server,
        via: Option<&Tunnel>,
    ) -> Result<Self, TargetError> {
        let ssh = Session::connect(target, server.place(), via).await?;
        let broken = Arc::new(AtomicBool::new(false));
        let first = Channel::open(&ssh, server, &broken).await?;
        let channels = Mutex::new(Channels { open: vec![Arc::new(first)], complete: false });
        Ok(Self { ssh, server: server.clone(), broken, channels })
    }

    /// False once a request has failed for want of an answer, or the connection is known to be gone.
    pub(super) fn is_usable(&self) -> bool {
        !self.broken.load(Ordering::Relaxed) && self.ssh.is_usable()
    }

    /// The channel with the least to do; a further one while all of them are busy.
    pub(super) async fn channel(&self) -> Result<Arc<Channel>, TargetError> {
        let mut channels = self.channels.lock().await;
        // Whoever holds a channel uses it.
        let idlest = channels.open.iter().min_by_key(|channel| Arc::strong_count(channel));
        let idlest = Arc::clone(idlest.expect("the first channel is opened with the connection"));
        // Two now: the list's and ours.
        if Arc::strong_count(&idlest) == 2 || channels.complete {
            return Ok(idlest);
        }
        match Channel::open(&self.ssh, &self.server, &self.broken).await {
            Ok(channel) => {
                let channel = Arc::new(channel);
                channels.open.push(Arc::clone(&channel));
                channels.complete = channels.open.len() == MOST_CHANNELS;
                Ok(channel)
            }
            Err(error) if error.kind() == ErrorKind::Denied => {
                tracing::debug!(channels = channels.open.len(), "the SFTP server takes no further channel");
                channels.complete = true;
                Ok(idlest)
            }
            Err(error) => Err(error),
        }
    }
}
