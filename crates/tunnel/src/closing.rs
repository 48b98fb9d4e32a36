//! Hearing that a channel or its session is gone.
//!
//! Whoever waits for a channel's send window hears of nothing else from the SSH library: no window comes
//! any more once the server has closed the channel or the session has ended. These signals end that wait.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use russh::ChannelId;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The signals of one session: for each channel, and one for all of them.
#[derive(Debug, Clone)]
pub(crate) struct Closing {
    session: CancellationToken,
    /// A channel is in here from whichever comes first of its being used and its being closed by the
    /// server until the other has come as well. Numbers are never used again within a session.
    channels: Arc<Mutex<HashMap<ChannelId, CancellationToken>>>,
}

impl Closing {
    /// The signals, and what gives that of the session when it is dropped: it belongs to the session's
    /// own task.
    pub(crate) fn new() -> (Self, DropGuard) {
        let session = CancellationToken::new();
        let guard = session.clone().drop_guard();
        (Self { session, channels: Arc::default() }, guard)
    }

    /// The signal of a channel that has just been opened; to be asked for once.
    pub(crate) fn of(&self, channel: ChannelId) -> CancellationToken {
        match self.channels().entry(channel) {
            Entry::Occupied(closed) => closed.remove(),
            Entry::Vacant(open) => open.insert(self.session.child_token()).clone(),
        }
    }

    /// The signal of the session.
    pub(crate) const fn session(&self) -> &CancellationToken {
        &self.session
    }

    /// The server has closed a channel.
    pub(crate) fn closed(&self, channel: ChannelId) {
        match self.channels().entry(channel) {
            Entry::Occupied(open) => open.remove().cancel(),
            Entry::Vacant(unused) => unused.insert(self.session.child_token()).cancel(),
        }
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<ChannelId, CancellationToken>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
