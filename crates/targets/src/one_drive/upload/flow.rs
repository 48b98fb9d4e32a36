//! Content on its way into a request: as a stream that says when it stands still.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{Stream, stream};
use tokio::io::AsyncReadExt as _;

use crate::Reader;

/// Bytes handed over at once: so few that a slow line takes one every few seconds.
const PART: usize = 64 * 1024;

/// How a body is getting on.
pub(super) struct Flow(Mutex<State>);

struct State {
    moved: Instant,
    /// The source is being waited for; a slow disk, or a limit of bandwidth, is no stall of the network.
    reading: bool,
    broken: Option<io::Error>,
}

impl Flow {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { moved: Instant::now(), reading: false, broken: None })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exactly `length` bytes of `reader`. A source that ends before is broken.
    pub(super) fn body(
        self: &Arc<Self>,
        reader: Reader,
        length: u64,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let flow = Arc::clone(self);
        stream::try_unfold((reader, length, flow), async |(mut reader, left, flow)| {
            if left == 0 {
                return Ok(None);
            }
            flow.note(true);
            let mut part = vec![0; PART.min(usize::try_from(left).unwrap_or(PART))];
            let read = match reader.read(&mut part).await {
                Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                read => read,
            };
            flow.note(false);
            match read {
                Ok(read) => {
                    part.truncate(read);
                    Ok(Some((Bytes::from(part), (reader, left - read as u64, flow))))
                }
                Err(error) => {
                    flow.lock().broken = Some(error);
                    Err(io::Error::other("the source is broken"))
                }
            }
        })
    }

    fn note(&self, reading: bool) {
        let mut state = self.lock();
        (state.moved, state.reading) = (Instant::now(), reading);
    }

    /// What was wrong with the source, if it was the source.
    pub(super) fn broken(&self) -> Option<io::Error> {
        self.lock().broken.take()
    }

    /// Returns when nothing has moved for `limit`.
    pub(super) async fn stalled(&self, limit: Duration) {
        loop {
            let left = {
                let state = self.lock();
                if state.reading { limit } else { limit.saturating_sub(state.moved.elapsed()) }
            };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}
