//! One connection to a server, kept from one use to the next. One is enough: rows are written one batch
//! after the other. A pool would try a refused connection again and again, and then say only that it
//! took too long.

use std::{pin::Pin, time::Duration};

use sqlx::Connection;
use tokio::{sync::Mutex, time::timeout};

/// How long connecting and logging in may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a kept connection may take to say that it lives.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a batch, a look at the table or a page may take. A server that was switched off answers nothing.
const USE_TIMEOUT: Duration = Duration::from_secs(90);

/// What `using` comes to, in time. Too late, it is dropped, and its connection with it.
pub(super) fn in_time<'a, T, E: From<sqlx::Error>>(
    using: impl Future<Output = Result<T, E>> + Send + 'a,
) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>> {
    let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    let limited = timeout(USE_TIMEOUT, using);
    Box::pin(async move { limited.await.map_err(late)? })
}

/// The connection of the last use.
pub(super) struct Kept<C>(Mutex<Option<C>>);

impl<C: Connection> Kept<C> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// The connection of the last use, if it still lives, or a new one. It is taken out: one that is
    /// broken off in the middle is not used again.
    pub(super) async fn take<E: From<sqlx::Error>>(
        &self,
        connect: impl Future<Output = Result<C, E>>,
    ) -> Result<C, E> {
        if let Some(mut kept) = self.0.lock().await.take()
            && matches!(timeout(PING_TIMEOUT, kept.ping()).await, Ok(Ok(())))
        {
            return Ok(kept);
        }
        let late = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
        timeout(CONNECT_TIMEOUT, connect).await.map_err(late)?
    }

    /// Keeps it for the next use.
    pub(super) async fn keep(&self, connection: C) {
        *self.0.lock().await = Some(connection);
    }
}
