//! Which accepted messages are safe: acknowledged by JetStream or synced to the spool.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// Tickets of accepted messages.
#[derive(Debug, Default)]
pub(super) struct Settled {
    state: Mutex<State>,
    progress: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    open: BTreeSet<u64>,
}

impl Settled {
    /// A ticket for a message that was just accepted.
    pub fn accept(&self) -> u64 {
        let mut state = self.lock();
        let ticket = state.next;
        state.next += 1;
        state.open.insert(ticket);
        ticket
    }

    /// These are safe.
    pub fn settle(&self, tickets: &[u64]) {
        let mut state = self.lock();
        for ticket in tickets {
            state.open.remove(ticket);
        }
        drop(state);
        self.progress.notify_waiters();
    }

    /// Waits until all that were accepted before this call are safe.
    pub async fn all_so_far(&self) {
        let end = self.lock().next;
        loop {
            let progress = self.progress.notified();
            tokio::pin!(progress);
            // Before the look, so that no progress is missed between the two.
            progress.as_mut().enable();
            if self.lock().open.first().is_none_or(|first| *first >= end) {
                return;
            }
            progress.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn waiting_ends_when_all_earlier_messages_are_safe_and_later_ones_do_not_matter() {
        let settled = Settled::default();
        let (first, second) = (settled.accept(), settled.accept());
        let mut waiting = Box::pin(settled.all_so_far());
        assert!((&mut waiting).now_or_never().is_none());
        settled.accept();
        settled.settle(&[second]);
        assert!((&mut waiting).now_or_never().is_none());
        settled.settle(&[first]);
        assert!(waiting.now_or_never().is_some());
    }
}
