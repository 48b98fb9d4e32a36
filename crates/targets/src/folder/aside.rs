//! Blocking file work, done aside of the threads that carry on everything else.
//!
//! A folder may be mounted from elsewhere, and the kernel waits for a server that is gone for as long as it takes:
//! such a call cannot be taken back, only left behind. What is asked of a folder has a time in which it is
//! answered, and once some calls are overdue no further one is begun, so that a mount that hangs for weeks costs a
//! few threads and not one for each attempt.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::stream;
use tokio_util::io::StreamReader;

use crate::content::{BLOCK, Reader};

/// How many calls may be overdue before no other one is begun.
const MOST_OVERDUE: usize = 4;

/// What is asked of one folder. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct Aside {
    /// In this time a call is answered.
    limit: Duration,
    calls: Arc<Mutex<Calls>>,
}

/// The calls under way: when each was begun.
#[derive(Debug, Default)]
struct Calls {
    begun: BTreeMap<u64, Instant>,
    last: u64,
}

/// A call under way, for as long as its thread is in it, whether anybody waits for it or not.
struct Call {
    calls: Arc<Mutex<Calls>>,
    number: u64,
}

impl Aside {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, calls: Arc::default() }
    }

    /// Carries `work` out. Error: its own, or [`io::ErrorKind::TimedOut`] when there is no answer in time, or is to
    /// be none since others wait for theirs still.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let call = self.begin()?;
        let working = tokio::task::spawn_blocking(move || {
            let _until_it_returns = call;
            work()
        });
        match tokio::time::timeout(self.limit, working).await {
            Ok(done) => done.map_err(io::Error::other).flatten(),
            Err(_) => Err(self.overdue()),
        }
    }

    /// What is left of `file`, each block read in its time.
    pub(super) fn read(&self, file: impl io::Read + Send + 'static) -> Reader {
        let blocks = stream::try_unfold((file, self.clone()), |(mut file, aside)| async move {
            let (block, file) = aside
                .run(move || {
                    let mut block = Vec::with_capacity(BLOCK);
                    file.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
                    Ok((Bytes::from(block), file))
                })
                .await?;
            let more = !block.is_empty();
            Ok::<_, io::Error>(more.then_some((block, (file, aside))))
        });
        Box::pin(StreamReader::new(Box::pin(blocks)))
    }

    fn begin(&self) -> io::Result<Call> {
        let mut calls = locked(&self.calls);
        if calls.begun.values().filter(|begun| begun.elapsed() >= self.limit).count() >= MOST_OVERDUE {
            return Err(self.overdue());
        }
        calls.last += 1;
        let number = calls.last;
        calls.begun.insert(number, Instant::now());
        Ok(Call { calls: Arc::clone(&self.calls), number })
    }

    fn overdue(&self) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", self.limit.as_secs()))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        locked(&self.calls).begun.remove(&self.number);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
