//! Key exchange with a server until it shows a pinned key.

use std::{borrow::Cow, sync::Arc, time::Duration};

use domain::resources::SshServer;
use russh::{
    ChannelId, Preferred, cipher,
    client::{self, Handle},
    keys::{Algorithm, PublicKey, PublicKeyOrCertificate},
};
use tokio::{sync::oneshot, time::timeout};
use tokio_util::sync::DropGuard;

use crate::{
    CONNECT_TIMEOUT, Place, SshError,
    chain::Via,
    closing::Closing,
    host_key::{self, KeyKind, Pins},
};

/// How often a server is asked for a sign of life within the time after which it is taken for dead.
const KEEP_ALIVES: u32 = 6;

/// Today's processors compute AES-GCM several times as fast as ChaCha20, OpenSSH's server too.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// Bytes a server may send beyond what was taken in: at 30 ms of round trip 2 MiB would be 70 MB/s.
const WINDOW: u32 = 8 << 20;

/// Messages of a channel that wait to be read. A channel that is full holds up its whole session,
/// and a session inside of it would wait for the outer one, which waits for it: so there is room for
/// a whole window in small packets.
const CHANNEL_BUFFER: usize = 4096;

/// Connects until the server shows a pinned key: each attempt leaves out the kinds of keys that it
/// has shown already. A server that is silent for longer than `silence` is taken for dead.
pub(crate) async fn shake_hands(
    server: &SshServer,
    place: &Place,
    via: Via<'_>,
    silence: Duration,
) -> Result<(Handle<PinnedServer>, Closing), SshError> {
    if server.host_keys.is_empty() {
        return Err(place.unpinned());
    }
    let pins = Pins::parse(&server.host_keys).map_err(|problem| place.bad_pin(&problem))?;
    let mut kinds = pins.kinds();
    let mut shown = Vec::new();
    while !kinds.is_empty() {
        match attempt(server, place, via, Some(&pins), &kinds, silence).await {
            Ok(ssh) => return Ok(ssh),
            Err(Refused::Key(key)) => {
                kinds.retain(|kind| *kind != KeyKind::of(&key.algorithm()));
                shown.push(host_key::text(&key));
            }
            Err(Refused::NoSuchKey(_)) if !shown.is_empty() => break,
            Err(Refused::NoSuchKey(error)) => return Err(place.unreachable(error)),
            Err(Refused::Other(error)) => return Err(error),
        }
    }
    Err(place.host_key_changed(&shown, &pins.texts()))
}

/// Why an attempt came to nothing.
pub(crate) enum Refused {
    /// The server showed this key, and it is not pinned.
    Key(Box<PublicKey>),
    /// It has no key of these kinds.
    NoSuchKey(russh::Error),
    /// There is no server, or it does something else.
    Other(SshError),
}

/// One connection, asking for keys of these kinds; without pins every key is refused.
pub(crate) async fn attempt(
    server: &SshServer,
    place: &Place,
    via: Via<'_>,
    pins: Option<&Pins>,
    kinds: &[KeyKind],
    silence: Duration,
) -> Result<(Handle<PinnedServer>, Closing), Refused> {
    let key: Vec<Algorithm> = kinds.iter().flat_map(KeyKind::algorithms).collect();
    let config = client::Config {
        preferred: Preferred { key: Cow::Owned(key), cipher: Cow::Borrowed(CIPHERS), ..Preferred::DEFAULT },
        keepalive_interval: Some(silence / KEEP_ALIVES),
        // The last one is given its time too.
        keepalive_max: KEEP_ALIVES as usize - 1,
        nodelay: true,
        window_size: WINDOW,
        channel_buffer_size: CHANNEL_BUFFER,
        ..client::Config::default()
    };
    let (tell, mut told) = oneshot::channel();
    let (closing, ended) = Closing::new();
    let handler =
        PinnedServer { pins: pins.cloned(), refused: Some(tell), closing: closing.clone(), _ended: ended };
    let stream = via.stream(&server.host, server.port, place).await.map_err(Refused::Other)?;
    // Keepalives are not sent while a write waits, so it has a limit of its own.
    let stream = stream.stalled_after(silence);
    let connecting = client::connect_stream(Arc::new(config), stream, handler);
    let connected = timeout(CONNECT_TIMEOUT, connecting).await;
    let connected = connected.map_err(|error| Refused::Other(place.unreachable(error)))?;
    connected.map(|ssh| (ssh, closing)).map_err(|error| match (told.try_recv(), error) {
        (Ok(key), _) => Refused::Key(Box::new(key)),
        (_, error @ russh::Error::NoCommonAlgo { kind: russh::AlgorithmKind::Key, .. }) => {
            Refused::NoSuchKey(error)
        }
        (_, error) => Refused::Other(place.unreachable(error)),
    })
}

/// Accepts the pinned keys and tells which other one was shown.
pub(crate) struct PinnedServer {
    pins: Option<Pins>,
    refused: Option<oneshot::Sender<PublicKey>>,
    closing: Closing,
    /// The session drops its handler when it ends, however it does.
    _ended: DropGuard,
}

impl client::Handler for PinnedServer {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        // A certificate is judged by the key it is about: the pin says which key, not who vouches.
        let key = shown.public_key();
        let accepted = self.pins.as_ref().is_some_and(|pins| pins.accept(&key));
        if !accepted && let Some(refused) = self.refused.take() {
            // Fails only if nobody waits for the connection any more.
            let _ = refused.send(key);
        }
        Ok(accepted)
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _: &mut client::Session,
    ) -> Result<(), russh::Error> {
        self.closing.closed(channel);
        Ok(())
    }
}
