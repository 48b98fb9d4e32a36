//! Holding transfers to so many bytes a second.
//!
//! A bucket of a quarter second's bytes, which may be overdrawn by one block and is waited for then. All
//! that share a pace share its rate; the rate is asked again at each block, so a change counts at once.

use std::{
    future::Future,
    io,
    num::NonZeroU64,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, Sleep},
};

use crate::content::{BLOCK, Reader};

/// The longest sleep before the rate is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// A rate that transfers share.
pub struct Pace {
    rate: Box<dyn Fn() -> Option<NonZeroU64> + Send + Sync>,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    /// Bytes that may go; negative when overdrawn.
    bytes: f64,
    filled: Instant,
}

tokio::task_local! {
    /// What is read back from a target goes at this pace.
    static READING_BACK: Arc<Pace>;
}

impl Pace {
    /// As many bytes a second as `rate` says; `None`: as many as go.
    pub fn new(rate: impl Fn() -> Option<NonZeroU64> + Send + Sync + 'static) -> Arc<Self> {
        let bucket = Mutex::new(Bucket { bytes: 0.0, filled: Instant::now() });
        Arc::new(Self { rate: Box::new(rate), bucket })
    }

    /// `reader`, held to this pace.
    pub fn hold(self: &Arc<Self>, reader: Reader) -> Reader {
        Box::pin(Paced { reader, pace: Arc::clone(self), sleep: None })
    }

    /// Lets `work` on a target read back at this pace; what it brings is held by its content.
    pub async fn reading_back<F: Future>(self: &Arc<Self>, work: F) -> F::Output {
        READING_BACK.scope(Arc::clone(self), work).await
    }

    /// How long to wait, or how many bytes may be read now.
    fn next(&self) -> Result<usize, Duration> {
        let Some(rate) = (self.rate)() else { return Ok(BLOCK) };
        let rate = rate.get() as f64;
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        bucket.bytes = (bucket.bytes + (now - bucket.filled).as_secs_f64() * rate).min(rate / 4.0);
        bucket.filled = now;
        if bucket.bytes < 0.0 {
            return Err(Duration::from_secs_f64((-bucket.bytes / rate).min(ASK_AGAIN.as_secs_f64())));
        }
        // Small blocks at small rates: a flow, not a stutter.
        Ok(((rate / 16.0) as usize).clamp(1, BLOCK))
    }

    fn taken(&self, bytes: usize) {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner).bytes -= bytes as f64;
    }
}

/// A reader of what comes back from a target, at the pace of the work that reads it.
pub(crate) fn reading_back(reader: Reader) -> Reader {
    match READING_BACK.try_with(Arc::clone) {
        Ok(pace) => pace.hold(reader),
        Err(_) => reader,
    }
}

struct Paced {
    reader: Reader,
    pace: Arc<Pace>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let most = loop {
            if let Some(sleep) = &mut this.sleep {
                std::task::ready!(sleep.as_mut().poll(context));
                this.sleep = None;
            }
            match this.pace.next() {
                Ok(most) => break most,
                Err(wait) => this.sleep = Some(Box::pin(tokio::time::sleep(wait))),
            }
        };
        let most = most.min(into.remaining());
        let mut block = ReadBuf::new(into.initialize_unfilled_to(most));
        std::task::ready!(this.reader.as_mut().poll_read(context, &mut block))?;
        let read = block.filled().len();
        into.advance(read);
        this.pace.taken(read);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::io::AsyncReadExt as _;

    use super::*;

    async fn read(pace: &Arc<Pace>, bytes: usize) -> Duration {
        let begun = Instant::now();
        let mut reader = pace.hold(Box::pin(io::Cursor::new(vec![7; bytes])));
        let mut found = Vec::new();
        reader.read_to_end(&mut found).await.unwrap();
        assert_eq!(found, vec![7; bytes]);
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn readers_share_a_rate_and_a_changed_rate_counts_at_once() {
        let rate = Arc::new(AtomicU64::new(10_000));
        let asked = Arc::clone(&rate);
        let pace = Pace::new(move || NonZeroU64::new(asked.load(Ordering::Relaxed)));
        let together = tokio::join!(read(&pace, 50_000), read(&pace, 50_000));
        let longest = together.0.max(together.1).as_secs_f64();
        assert!((9.0..10.5).contains(&longest), "{longest}");

        let (slow, ()) = tokio::join!(read(&pace, 1_000_000), async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            rate.store(0, Ordering::Relaxed);
        });
        assert!((4.0..6.0).contains(&slow.as_secs_f64()), "{slow:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_back_is_held_only_where_the_work_says_so() {
        let pace = Pace::new(|| NonZeroU64::new(1_000));
        let all = || async {
            let mut reader = reading_back(Box::pin(io::Cursor::new(vec![0; 5_000])));
            let begun = Instant::now();
            reader.read_to_end(&mut Vec::new()).await.unwrap();
            begun.elapsed()
        };
        assert!(all().await < Duration::from_millis(1));
        assert!(pace.reading_back(all()).await > Duration::from_secs(4));
    }
}
