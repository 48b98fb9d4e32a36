//! Orders that are carried out together because they wait.

mod list_of_test;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use delivery::{Backoff, Engine, EngineOptions, Fault, Metrics, Notice, Order, State, Terms, Work, WorkList};
use domain::RecordingId;
use harness::wait;
use jiff::Timestamp;
use list_of_test::{destination, order_for};
use prometheus::Registry;
use sql::Database;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(5), ceiling: Duration::from_millis(20) };

/// A database that takes rows in transactions, as far as the engine sees it.
#[derive(Default)]
struct Rows {
    /// What each transaction wrote.
    transactions: Mutex<Vec<Vec<RecordingId>>>,
    /// Cannot be stored.
    bad: Mutex<BTreeSet<RecordingId>>,
    /// The server dies of it each time.
    deadly: Mutex<BTreeSet<RecordingId>>,
    set_aside: Mutex<BTreeSet<RecordingId>>,
}

impl Rows {
    fn write(&self, orders: &[Order]) -> Result<(), Fault> {
        let rows: Vec<RecordingId> = orders.iter().map(|order| order.recording).collect();
        if rows.iter().any(|row| self.deadly.lock().unwrap().contains(row)) {
            return Err(Fault::passing("the connection broke"));
        }
        if rows.iter().any(|row| self.bad.lock().unwrap().contains(row)) {
            return Err(Fault::record("too long"));
        }
        self.transactions.lock().unwrap().push(rows);
        Ok(())
    }

    fn written(&self) -> Vec<RecordingId> {
        self.transactions.lock().unwrap().concat()
    }
}

#[async_trait]
impl Work for Rows {
    type Report = ();

    async fn carry_out(&self, order: &Order) -> Result<(), Fault> {
        self.write(std::slice::from_ref(order))
    }

    fn most_together(&self) -> usize {
        10
    }

    async fn carry_out_together(&self, orders: &[Order]) -> Result<Vec<()>, Fault> {
        self.write(orders)?;
        Ok(vec![(); orders.len()])
    }

    fn carried_out(&self, _: &Order, (): ()) {}

    async fn complete(&self, _: &Order) {}

    fn notice(&self, notice: Notice) {
        if let Notice::SetAside { recording, .. } = notice {
            self.set_aside.lock().unwrap().insert(recording);
        }
    }
}

/// A list on which so many orders wait for `x`, oldest first; nothing works on it yet.
async fn waiting(dir: &std::path::Path, count: usize) -> (WorkList, Vec<RecordingId>) {
    let db = Database::open(&format!("sqlite:{}", dir.join("state.sqlite").display())).await.unwrap();
    let list = WorkList::open(db, BACKOFF).await.unwrap();
    let ids: Vec<RecordingId> = (0..count).map(|_| RecordingId::new()).collect();
    let orders: Vec<_> = ids.iter().map(|id| order_for("x", *id)).collect();
    list.enqueue(&orders, Timestamp::now()).await.unwrap();
    (list, ids)
}

fn work_on(
    list: &WorkList,
    rows: &Arc<Rows>,
) -> (CancellationToken, watch::Sender<BTreeMap<delivery::Destination, Terms>>) {
    let stop = CancellationToken::new();
    let (tell, existing) = watch::channel(BTreeMap::from([(destination("x"), Terms::default())]));
    let options =
        EngineOptions { concurrency: 1, look_over: Duration::from_millis(50), ..EngineOptions::default() };
    let metrics = Metrics::register("test", &Registry::new()).unwrap();
    tokio::spawn(Engine::new(list.clone(), Arc::clone(rows), options, metrics).run(existing, stop.clone()));
    (stop, tell)
}

async fn until_written(rows: &Rows, count: usize) {
    wait::until("the rows to be written", PATIENCE, || {
        std::future::ready((rows.written().len() >= count).then_some(()))
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_waits_is_written_together_in_the_order_in_which_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let (list, ids) = waiting(dir.path(), 95).await;
    let rows = Arc::new(Rows::default());
    let _working = work_on(&list, &rows);
    until_written(&rows, 95).await;
    assert_eq!(rows.written(), ids);
    let sizes: Vec<usize> = rows.transactions.lock().unwrap().iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 10, 10, 10, 10, 10, 10, 10, 5]);
    let tenant = destination("x").tenant;
    for id in ids {
        wait::until("it to be noted as done", PATIENCE, || async {
            let states = list.states_of(&tenant, id).await.unwrap();
            (states == [(destination("x"), State::Done)]).then_some(())
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_stored_is_set_aside_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (list, ids) = waiting(dir.path(), 30).await;
    let rows = Arc::new(Rows::default());
    rows.bad.lock().unwrap().extend([ids[0], ids[17]]);
    let _working = work_on(&list, &rows);
    until_written(&rows, 28).await;
    wait::until("both to be set aside", PATIENCE, || {
        std::future::ready((rows.set_aside.lock().unwrap().len() == 2).then_some(()))
    })
    .await
    .unwrap();
    let good: Vec<_> = ids.iter().copied().filter(|id| *id != ids[0] && *id != ids[17]).collect();
    assert_eq!(rows.written(), good, "each once, in order");
}

#[tokio::test]
async fn a_row_on_which_the_server_dies_each_time_keeps_the_others_waiting_only_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let (list, ids) = waiting(dir.path(), 40).await;
    let rows = Arc::new(Rows::default());
    rows.deadly.lock().unwrap().insert(ids[5]);
    let _working = work_on(&list, &rows);
    until_written(&rows, 39).await;
    let mut written = rows.written();
    written.sort();
    let mut good: Vec<_> = ids.iter().copied().filter(|id| *id != ids[5]).collect();
    good.sort();
    assert_eq!(written, good, "each once");
}
