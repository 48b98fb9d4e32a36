//! The sessions of a tunnel, one inside of the other.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use domain::resources::SshTunnel;
use tokio::sync::Mutex;

use crate::{ErrorKind, Place, SILENCE, Session, SshError, Stream, directly};

/// A way through one to three SSH servers. Clones share the sessions, which are made at the first
/// connection and made anew when one of them broke.
#[derive(Clone)]
pub struct Tunnel(Arc<Shared>);

struct Shared {
    tunnel: SshTunnel,
    silence: Duration,
    chain: Mutex<Option<Arc<Chain>>>,
}

/// Sessions from the one reached directly to the last; each goes through the one before it.
pub(crate) struct Chain(Vec<Session>);

impl Chain {
    fn is_usable(&self) -> bool {
        self.0.iter().all(Session::is_usable)
    }

    async fn connect(self: &Arc<Self>, host: &str, port: u16) -> Result<Stream, SshError> {
        let last = self.0.last().expect("a tunnel has at least one server");
        last.forward(host, port, Some(Arc::clone(self))).await
    }
}

impl Tunnel {
    /// The tunnel described; nothing is contacted yet.
    ///
    /// # Panics
    /// It has no server: its validation forbids that.
    pub fn new(tunnel: SshTunnel) -> Self {
        Self::with_silence(tunnel, SILENCE)
    }

    /// The same, its servers taken for dead after another time of silence than [`SILENCE`].
    ///
    /// # Panics
    /// It has no server: its validation forbids that.
    pub fn with_silence(tunnel: SshTunnel, silence: Duration) -> Self {
        assert!(!tunnel.hops.is_empty(), "a tunnel has at least one server");
        Self(Arc::new(Shared { tunnel, silence, chain: Mutex::new(None) }))
    }

    /// After how long a silence its servers are taken for dead.
    pub(crate) fn silence(&self) -> Duration {
        self.0.silence
    }

    /// A connection to `host` at `port` as they are seen from the last server.
    ///
    /// # Errors
    /// See [`ErrorKind`]; the sentence names the server of the tunnel that it stopped at.
    pub async fn connect(&self, host: &str, port: u16) -> Result<Stream, SshError> {
        let (chain, is_new) = self.chain().await?;
        let broke = match chain.connect(host, port).await {
            Ok(stream) => return Ok(stream),
            // The last server is there and says no; a new login would hear the same.
            Err(error)
                if is_new
                    || error.kind() != ErrorKind::Unreachable
                    || chain.is_usable() && !stale(&error) =>
            {
                return Err(error);
            }
            Err(error) => error,
        };
        tracing::debug!(error = %broke, "an SSH tunnel broke and is made anew");
        self.forget(&chain).await;
        self.chain().await?.0.connect(host, port).await
    }

    /// The sessions, and whether they were made now.
    async fn chain(&self) -> Result<(Arc<Chain>, bool), SshError> {
        let mut kept = self.0.chain.lock().await;
        if let Some(chain) = kept.as_ref().filter(|chain| chain.is_usable()) {
            return Ok((Arc::clone(chain), false));
        }
        // The old one is let go before a new one is made: servers limit how many logins there may be.
        *kept = None;
        let chain = Arc::new(self.build().await?);
        *kept = Some(Arc::clone(&chain));
        Ok((chain, true))
    }

    async fn forget(&self, chain: &Arc<Chain>) {
        let mut kept = self.0.chain.lock().await;
        if kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, chain)) {
            *kept = None;
        }
    }

    async fn build(&self) -> Result<Chain, SshError> {
        let mut sessions: Vec<Session> = Vec::new();
        for (number, hop) in self.0.tunnel.hops.iter().enumerate() {
            let via = sessions.last().map_or(Via::Nothing, Via::Session);
            let session = Session::open(hop, &Place::hop(number, hop), via, self.0.silence).await?;
            sessions.push(session);
        }
        Ok(Chain(sessions))
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hops = self.0.tunnel.hops.iter().map(|hop| (&hop.host, hop.port));
        f.debug_list().entries(hops).finish()
    }
}

/// Whether the session itself gave no answer, rather than the server beyond it.
fn stale(error: &SshError) -> bool {
    let channel = std::error::Error::source(error).and_then(|source| source.downcast_ref::<russh::Error>());
    !matches!(channel, Some(russh::Error::ChannelOpenFailure(_)))
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the way to a server goes through.
#[derive(Clone, Copy)]
pub(crate) enum Via<'a> {
    Nothing,
    Session(&'a Session),
    Tunnel(&'a Tunnel),
}

impl Via<'_> {
    /// A byte stream to the server called `place`. Boxed, since the way through a tunnel is made of
    /// ways through sessions.
    pub(crate) fn stream<'a>(
        self,
        host: &'a str,
        port: u16,
        place: &'a Place,
    ) -> BoxFuture<'a, Result<Stream, SshError>>
    where
        Self: 'a,
    {
        match self {
            // Said in the words of what it is.
            Self::Nothing => Box::pin(async move {
                directly(host, port).await.map_err(|error| match error.into_source() {
                    Some(cause) => place.unreachable(cause),
                    None => place.unreachable("no reason was given"),
                })
            }),
            Self::Session(session) => Box::pin(session.forward(host, port, None)),
            Self::Tunnel(tunnel) => Box::pin(tunnel.connect(host, port)),
        }
    }
}
