//! The engine keeps to the terms of each destination, also when they change, and is fair to tenants.

mod list_of_test;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use delivery::{
    Destination, Engine, EngineOptions, Fault, Hours, Metrics, NewOrder, Notice, Order, State, Terms, Work,
    WorkList,
};
use domain::{RecordingId, resources::Windows};
use harness::wait;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use list_of_test::{destination, order_for, sqlite};
use prometheus::Registry;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);

/// Every order waits for leave; counts how many do at the same time.
struct Waiting {
    leave: Semaphore,
    now: Mutex<BTreeMap<Destination, usize>>,
    done: Mutex<Vec<Destination>>,
}

/// Also when the work is broken off.
struct Present<'a>(&'a Waiting, &'a Destination);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        *self.0.now.lock().unwrap().get_mut(self.1).unwrap() -= 1;
    }
}

#[async_trait]
impl Work for Waiting {
    type Report = ();

    async fn carry_out(&self, order: &Order) -> Result<(), Fault> {
        *self.now.lock().unwrap().entry(order.destination.clone()).or_default() += 1;
        let _present = Present(self, &order.destination);
        self.leave.acquire().await.unwrap().forget();
        Ok(())
    }

    fn carried_out(&self, order: &Order, (): ()) {
        self.done.lock().unwrap().push(order.destination.clone());
    }

    async fn complete(&self, _: &Order) {}

    fn notice(&self, _: Notice) {}
}

struct Running {
    list: WorkList,
    work: Arc<Waiting>,
    tell: watch::Sender<BTreeMap<Destination, Terms>>,
    stop: CancellationToken,
    _dir: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    async fn start(terms: &[(Destination, Terms)], transfers: usize, leave: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (list, stop) = (sqlite(dir.path()).await, CancellationToken::new());
        let (now, done) = (Mutex::default(), Mutex::default());
        let work = Arc::new(Waiting { leave: Semaphore::new(leave), now, done });
        let options =
            EngineOptions { transfers, look_over: Duration::from_millis(50), ..EngineOptions::default() };
        let (tell, existing) = watch::channel(terms.iter().cloned().collect());
        let metrics = Metrics::register("test", &Registry::new()).unwrap();
        let engine = Engine::new(list.clone(), Arc::clone(&work), options, metrics);
        tokio::spawn(engine.run(existing, stop.clone()));
        Self { list, work, tell, stop, _dir: dir }
    }

    fn now(&self, at: &Destination) -> usize {
        self.work.now.lock().unwrap().get(at).copied().unwrap_or_default()
    }

    async fn until_now(&self, at: &Destination, count: usize) {
        let is = || async { (self.now(at) == count).then_some(()) };
        wait::until(&format!("{count} at the same time at {at}"), PATIENCE, is).await.unwrap();
    }

    async fn until_done(&self, count: usize) {
        let is = || async { (self.work.done.lock().unwrap().len() == count).then_some(()) };
        wait::until(&format!("{count} to be done"), PATIENCE, is).await.unwrap();
    }

    fn change(&self, at: &Destination, terms: Terms) {
        self.tell.send_modify(|known| {
            known.insert(at.clone(), terms);
        });
    }
}

fn concurrency(concurrency: usize) -> Terms {
    Terms { concurrency: Some(concurrency), ..Terms::default() }
}

/// Open or closed now, and for hours.
fn windows(open: bool) -> Terms {
    let from = if open { Timestamp::now() - 2.hours() } else { Timestamp::now() + 4.hours() };
    let clock = |at: Timestamp| at.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string();
    let window = format!("{}-{}", clock(from), clock(from + 6.hours()));
    let windows = Windows::new(vec![window.parse().unwrap()]);
    Terms { hours: Hours::Windows { windows, zone: TimeZone::UTC }, ..Terms::default() }
}

async fn enqueue(list: &WorkList, at: &Destination, count: usize) {
    let orders: Vec<NewOrder> = (0..count)
        .map(|_| NewOrder { destination: at.clone(), ..order_for("any", RecordingId::new()) })
        .collect();
    list.enqueue(&orders, Timestamp::now()).await.unwrap();
}

#[tokio::test]
async fn as_many_are_carried_out_at_once_as_the_terms_say_also_when_they_change() {
    let at = destination("archive");
    let running = Running::start(&[(at.clone(), concurrency(1))], 16, 0).await;
    enqueue(&running.list, &at, 20).await;
    running.until_now(&at, 1).await;
    running.change(&at, concurrency(5));
    running.until_now(&at, 5).await;
    // Fewer: those under way are carried out, and not replaced.
    running.change(&at, concurrency(2));
    running.work.leave.add_permits(5);
    running.until_done(5).await;
    running.until_now(&at, 2).await;
    running.work.leave.add_permits(15);
    running.until_done(20).await;
}

#[tokio::test]
async fn nothing_is_sent_outside_of_the_windows_and_what_is_under_way_when_one_closes_is_broken_off() {
    let at = destination("archive");
    let running = Running::start(&[(at.clone(), windows(true))], 16, 0).await;
    enqueue(&running.list, &at, 1).await;
    running.until_now(&at, 1).await;
    running.change(&at, windows(false));
    running.until_now(&at, 0).await;
    let state = || async {
        let backlog = running.list.backlog().await.unwrap();
        (backlog[0].state == State::Queued && backlog[0].last_error.is_none()).then_some(())
    };
    wait::until("the order to wait, without a fault", PATIENCE, state).await.unwrap();
    // Another destination gets its order, so this one would have had the time for it.
    let other = destination("other");
    running.change(&other, Terms::default());
    running.work.leave.add_permits(1);
    enqueue(&running.list, &other, 1).await;
    running.until_done(1).await;
    assert_eq!((running.now(&at), running.work.done.lock().unwrap().clone()), (0, vec![other]));
    running.change(&at, windows(true));
    running.work.leave.add_permits(1);
    running.until_done(2).await;
}

#[tokio::test]
async fn orders_of_an_incomplete_destination_wait_until_it_is_complete() {
    let (at, other) = (destination("new"), destination("other"));
    let incomplete = Terms { incomplete: Some("no host key is pinned".into()), ..Terms::default() };
    let running =
        Running::start(&[(at.clone(), incomplete), (other.clone(), Terms::default())], 16, 10).await;
    enqueue(&running.list, &at, 1).await;
    enqueue(&running.list, &other, 3).await;
    running.until_done(3).await;
    assert!(running.work.done.lock().unwrap().iter().all(|done| *done == other));
    running.change(&at, Terms::default());
    running.until_done(4).await;
}

#[tokio::test]
async fn a_tenant_with_five_hundred_recordings_holds_up_no_other_tenants_one() {
    let (large, small) = (
        Destination { tenant: "large".parse().unwrap(), name: "archive".parse().unwrap() },
        Destination { tenant: "small".parse().unwrap(), name: "archive".parse().unwrap() },
    );
    let terms = [(large.clone(), concurrency(8)), (small.clone(), concurrency(8))];
    let running = Running::start(&terms, 4, 0).await;
    enqueue(&running.list, &large, 500).await;
    // The last quarter is kept for who has none.
    running.until_now(&large, 3).await;
    enqueue(&running.list, &small, 1).await;
    running.until_now(&small, 1).await;
    // From here on all that are under way get on at the same pace.
    running.work.leave.add_permits(4);
    running.until_done(4).await;
    let done = running.work.done.lock().unwrap().clone();
    assert_eq!(done.iter().filter(|done| **done == small).count(), 1, "{done:?}");
}
