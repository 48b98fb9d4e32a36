//! Whose turn it is: transfers of the whole process are given out in turn between tenants.
//!
//! A tenant with a thousand waiting recordings gets as many transfers as there are while nobody else
//! wants any; from the moment that another does, they alternate. Where there are several tenants a
//! quarter of the transfers is kept for those who have none: nobody waits for another's dead servers.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::TenantId;
use tokio::sync::oneshot;

/// Gives out transfers; cheap to clone.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    reserve: usize,
    most: usize,
    held: BTreeMap<TenantId, usize>,
    /// Who waits; the tenants in the order of their next turn, each once.
    waiting: BTreeMap<TenantId, VecDeque<oneshot::Sender<Turn>>>,
    next: VecDeque<TenantId>,
}

/// Leave for one transfer, given back when dropped.
pub(crate) struct Turn {
    turns: Turns,
    tenant: TenantId,
}

impl Turns {
    /// So many transfers at once.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self(Arc::new(Mutex::new(State {
            free: most,
            reserve: 0,
            most,
            held: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next: VecDeque::new(),
        })))
    }

    /// How many tenants share the transfers.
    pub(crate) fn shared_by(&self, tenants: usize) {
        let mut state = self.lock();
        state.reserve = if tenants > 1 { state.most / 4 } else { 0 };
        drop(state);
        self.give_out();
    }

    /// Waits for this tenant's turn.
    pub(crate) async fn wait(&self, tenant: &TenantId) -> Turn {
        loop {
            let (tell, told) = oneshot::channel();
            {
                let mut state = self.lock();
                if !state.waiting.contains_key(tenant) {
                    state.next.push_back(tenant.clone());
                }
                state.waiting.entry(tenant.clone()).or_default().push_back(tell);
            }
            self.give_out();
            // The sender is dropped only with the turns themselves, which `self` keeps.
            if let Ok(turn) = told.await {
                return turn;
            }
        }
    }

    fn give_out(&self) {
        while let Some((tell, turn)) = self.next() {
            // Whoever does not wait any more gives it back by dropping it, once the lock is free.
            drop(tell.send(turn));
        }
    }

    fn next(&self) -> Option<(oneshot::Sender<Turn>, Turn)> {
        let mut state = self.lock();
        for _ in 0..state.next.len() {
            let tenant = state.next.pop_front()?;
            if !state.may_take(&tenant) {
                state.next.push_back(tenant);
                continue;
            }
            let queue = state.waiting.get_mut(&tenant)?;
            while queue.front().is_some_and(oneshot::Sender::is_closed) {
                queue.pop_front();
            }
            let tell = queue.pop_front();
            if queue.is_empty() {
                state.waiting.remove(&tenant);
            } else {
                state.next.push_back(tenant.clone());
            }
            let Some(tell) = tell else { continue };
            state.free -= 1;
            *state.held.entry(tenant.clone()).or_default() += 1;
            drop(state);
            return Some((tell, Turn { turns: self.clone(), tenant }));
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn may_take(&self, tenant: &TenantId) -> bool {
        let has_none = !self.held.contains_key(tenant);
        self.free > if has_none { 0 } else { self.reserve }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.lock();
        state.free += 1;
        if let Some(held) = state.held.get_mut(&self.tenant) {
            *held -= 1;
            if *held == 0 {
                state.held.remove(&self.tenant);
            }
        }
        drop(state);
        self.turns.give_out();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    /// Who gets a turn when all that `turns` has are given back one after the other.
    async fn order_of(turns: &Turns, wants: &[&'static str]) -> Vec<&'static str> {
        let held = turns.wait(&tenant("other")).await;
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for name in wants {
            let (turns, tell, name) = (turns.clone(), tell.clone(), *name);
            let waiting = turns.lock().waiting.values().map(VecDeque::len).sum::<usize>();
            let asking = turns.clone();
            tokio::spawn(async move {
                let turn = asking.wait(&tenant(name)).await;
                tell.send(name).unwrap();
                drop(turn);
            });
            while turns.lock().waiting.values().map(VecDeque::len).sum::<usize>() == waiting {
                tokio::task::yield_now().await;
            }
        }
        drop((held, tell));
        let mut order = Vec::new();
        while let Some(name) = told.recv().await {
            order.push(name);
        }
        order
    }

    #[tokio::test]
    async fn tenants_take_turns_however_much_one_of_them_wants() {
        let order = order_of(&Turns::new(1), &["a", "a", "a", "a", "b", "c", "b"]).await;
        assert_eq!(order, ["a", "b", "c", "a", "b", "a", "a"]);
    }

    #[tokio::test]
    async fn whoever_waits_no_more_loses_nobody_a_turn() {
        let turns = Turns::new(1);
        let held = turns.wait(&tenant("a")).await;
        let gone = tokio::time::timeout(Duration::from_millis(1), turns.wait(&tenant("b"))).await;
        assert!(gone.is_err());
        drop(held);
        assert_eq!(turns.lock().free, 1);
        drop(turns.wait(&tenant("c")).await);
        assert_eq!(turns.lock().free, 1);
    }

    #[tokio::test]
    async fn a_quarter_is_kept_for_tenants_that_have_none_where_there_are_several() {
        let turns = Turns::new(4);
        turns.shared_by(2);
        let _held =
            [turns.wait(&tenant("a")).await, turns.wait(&tenant("a")).await, turns.wait(&tenant("a")).await];
        let a = tenant("a");
        let mut fourth = std::pin::pin!(turns.wait(&a));
        tokio::select! {
            biased;
            _ = &mut fourth => panic!("the last one is not theirs"),
            () = std::future::ready(()) => {}
        }
        drop(turns.wait(&tenant("b")).await);
        turns.shared_by(1);
        drop(fourth.await);
    }
}
