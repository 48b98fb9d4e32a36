//! Work beside other work of the same task: what is not polled does not go on, and may hold the very lock or
//! connection that is waited for.

use std::pin::pin;

use futures::{StreamExt as _, stream::FuturesUnordered};

/// What `work` comes to, while `others` go on; what they come to is put into `done`.
pub(crate) async fn beside<T, F: Future>(
    work: impl Future<Output = T>,
    others: &mut FuturesUnordered<F>,
    done: &mut Vec<F::Output>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            outcome = &mut work => return outcome,
            Some(outcome) = others.next() => done.push(outcome),
        }
    }
}
