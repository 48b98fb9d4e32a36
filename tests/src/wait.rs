//! Waiting for something to become true, with a deadline instead of a guess.

use std::time::{Duration, Instant};

use anyhow::bail;

/// Asks `question` every 50 ms until it answers with a value.
///
/// # Errors
/// It did not within `deadline`; the text says what was waited for.
pub async fn until<T>(
    what: &str,
    deadline: Duration,
    mut question: impl AsyncFnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = question().await {
            return Ok(answer);
        }
        if begun.elapsed() > deadline {
            bail!("waited {deadline:?} in vain for {what}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
