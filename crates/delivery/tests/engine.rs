//! The engine: workers, replicas, drain.

mod list_of_test;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use delivery::{
    Asked, Backoff, Claim, Destination, Engine, EngineOptions, Fault, Manners, Metrics, Notice, Order, State,
    Terms, VerifiedFile, Work, WorkList,
};
use domain::RecordingId;
use harness::{postgres::Postgres, wait};
use jiff::Timestamp;
use list_of_test::{destination, order_for};
use prometheus::Registry;
use sql::Database;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(20), ceiling: Duration::from_millis(100) };
const OPTIONS: EngineOptions = EngineOptions {
    concurrency: 2,
    transfers: 16,
    // Nobody dies in these tests: a worker that a busy machine holds up is not taken for dead.
    lease: Duration::from_secs(600),
    look_over: Duration::from_millis(50),
    orphan_after: Duration::from_millis(200),
    done_kept: Duration::from_secs(3600),
};

/// Notes what was done where; destinations in `dead` fail, those in `hanging` never end, recordings in
/// `poison` make it panic.
#[derive(Default)]
struct Noting {
    done: Mutex<BTreeMap<Destination, Vec<RecordingId>>>,
    complete: Mutex<BTreeSet<RecordingId>>,
    notices: Mutex<Vec<Notice>>,
    dead: Mutex<BTreeSet<Destination>>,
    hanging: Mutex<BTreeSet<Destination>>,
    poison: Mutex<BTreeSet<RecordingId>>,
    /// Panics when it is told that these were carried out.
    jumpy: Mutex<BTreeSet<RecordingId>>,
    /// Orders of this destination wait until they may end, and are treated so.
    slow: Mutex<Option<(Destination, Manners)>>,
    /// How many of those have begun, and whether they may end.
    begun: Mutex<usize>,
    may_end: tokio::sync::Notify,
}

#[async_trait]
impl Work for Noting {
    type Report = ();

    fn manners(&self, order: &Order) -> Manners {
        let slow = self.slow.lock().unwrap().clone();
        slow.filter(|(destination, _)| *destination == order.destination).map(|it| it.1).unwrap_or_default()
    }

    async fn carry_out(&self, order: &Order) -> Result<(), Fault> {
        let is_slow = self.slow.lock().unwrap().as_ref().is_some_and(|it| it.0 == order.destination);
        if is_slow {
            *self.begun.lock().unwrap() += 1;
            self.may_end.notified().await;
        }
        if self.hanging.lock().unwrap().contains(&order.destination) {
            std::future::pending::<()>().await;
        }
        if self.dead.lock().unwrap().contains(&order.destination) {
            return Err(Fault::passing("is down"));
        }
        let is_poison = self.poison.lock().unwrap().contains(&order.recording);
        assert!(!is_poison, "as a bug would");
        self.done.lock().unwrap().entry(order.destination.clone()).or_default().push(order.recording);
        Ok(())
    }

    fn carried_out(&self, order: &Order, (): ()) {
        let is_jumpy = self.jumpy.lock().unwrap().contains(&order.recording);
        assert!(!is_jumpy, "as a bug would");
    }

    async fn complete(&self, order: &Order) {
        self.complete.lock().unwrap().insert(order.recording);
    }

    fn notice(&self, notice: Notice) {
        self.notices.lock().unwrap().push(notice);
    }
}

impl Noting {
    fn count(&self, name: &str) -> usize {
        self.done.lock().unwrap().get(&destination(name)).map_or(0, Vec::len)
    }
}

/// Without terms of their own.
fn usual(names: &[&str]) -> BTreeMap<Destination, Terms> {
    names.iter().map(|name| (destination(name), Terms::default())).collect()
}

fn start(
    list: &WorkList,
    work: &Arc<Noting>,
    names: &[&str],
    stop: &CancellationToken,
) -> watch::Sender<BTreeMap<Destination, Terms>> {
    let metrics = Metrics::register("test", &Registry::new()).unwrap();
    start_with(list, work, names, stop, OPTIONS, metrics)
}

fn start_with(
    list: &WorkList,
    work: &Arc<Noting>,
    names: &[&str],
    stop: &CancellationToken,
    options: EngineOptions,
    metrics: Metrics,
) -> watch::Sender<BTreeMap<Destination, Terms>> {
    let (tell, existing) = watch::channel(usual(names));
    let engine = Engine::new(list.clone(), Arc::clone(work), options, metrics);
    tokio::spawn(engine.run(existing, stop.clone()));
    tell
}

async fn sqlite(dir: &std::path::Path) -> WorkList {
    let db = Database::open(&format!("sqlite:{}", dir.join("state.sqlite").display())).await.unwrap();
    WorkList::open(db, BACKOFF).await.unwrap()
}

#[tokio::test]
async fn a_recording_that_makes_the_work_panic_is_set_aside_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (list, work, stop) =
        (sqlite(dir.path()).await, Arc::new(Noting::default()), CancellationToken::new());
    let ids: Vec<RecordingId> = (0..10).map(|_| RecordingId::new()).collect();
    work.poison.lock().unwrap().insert(ids[0]);
    let _tell = start(&list, &work, &["alive"], &stop);
    for id in &ids {
        list.enqueue(&[order_for("alive", *id)], Timestamp::now()).await.unwrap();
    }
    wait::until("the others to be done and the one set aside", PATIENCE, || async {
        let states = list.states_of(&destination("alive").tenant, ids[0]).await.unwrap();
        (work.count("alive") == 9 && states[0].1 == State::SetAside).then_some(())
    })
    .await
    .unwrap();
    stop.cancel();
}

#[tokio::test]
async fn a_panic_outside_of_an_attempt_ends_no_worker() {
    let dir = tempfile::tempdir().unwrap();
    let (list, work, stop) =
        (sqlite(dir.path()).await, Arc::new(Noting::default()), CancellationToken::new());
    let ids: Vec<RecordingId> = (0..6).map(|_| RecordingId::new()).collect();
    // More than there are workers.
    work.jumpy.lock().unwrap().extend(&ids[..3]);
    let _tell = start(&list, &work, &["alive"], &stop);
    for id in &ids {
        list.enqueue(&[order_for("alive", *id)], Timestamp::now()).await.unwrap();
    }
    wait::until("all to be done", PATIENCE, || async {
        list.backlog().await.unwrap().is_empty().then_some(())
    })
    .await
    .unwrap();
    stop.cancel();
}

#[tokio::test]
async fn neither_a_dead_nor_a_hanging_destination_holds_up_another() {
    let dir = tempfile::tempdir().unwrap();
    let (list, work, stop) =
        (sqlite(dir.path()).await, Arc::new(Noting::default()), CancellationToken::new());
    work.dead.lock().unwrap().insert(destination("dead"));
    work.hanging.lock().unwrap().insert(destination("hanging"));
    let _tell = start(&list, &work, &["dead", "hanging", "alive"], &stop);
    let ids: Vec<RecordingId> = (0..10).map(|_| RecordingId::new()).collect();
    for id in &ids {
        let orders = ["dead", "hanging", "alive"].map(|name| order_for(name, *id));
        list.enqueue(&orders, Timestamp::now()).await.unwrap();
    }
    wait::until("the living one to have all", PATIENCE, || async {
        (work.count("alive") == 10).then_some(())
    })
    .await
    .unwrap();
    assert!(work.complete.lock().unwrap().is_empty());
    let told = |wanted: fn(&Notice) -> bool| {
        let work = &work;
        move || async move { work.notices.lock().unwrap().iter().any(wanted).then_some(()) }
    };
    let is_failing = |n: &Notice| matches!(n, Notice::Failing { .. });
    wait::until("people to be told of the dead one", PATIENCE, told(is_failing)).await.unwrap();

    work.dead.lock().unwrap().clear();
    wait::until("the dead one to have all", PATIENCE, || async { (work.count("dead") == 10).then_some(()) })
        .await
        .unwrap();
    let has_recovered =
        |n: &Notice| matches!(n, Notice::Recovered { destination: d, .. } if *d == destination("dead"));
    wait::until("people to be told that it is back", PATIENCE, told(has_recovered)).await.unwrap();
    let notices = work.notices.lock().unwrap().clone();
    let failing = notices.iter().filter(|n| is_failing(n)).count();
    assert_eq!(failing, 1, "told on change, not on each attempt: {notices:?}");
    stop.cancel();
}

#[tokio::test]
async fn a_removed_destination_leaves_orphans_that_wait_for_a_person_also_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let (list, work, stop) =
        (sqlite(dir.path()).await, Arc::new(Noting::default()), CancellationToken::new());
    let tell = start(&list, &work, &[], &stop);
    let (old, new) = (RecordingId::new(), RecordingId::new());
    list.enqueue(&[order_for("archive", old)], Timestamp::now()).await.unwrap();
    let tenant = destination("archive").tenant;
    let is = |id, wanted| {
        let (list, tenant) = (&list, &tenant);
        async move { (list.states_of(tenant, id).await.unwrap()[0].1 == wanted).then_some(()) }
    };
    wait::until("the order to be orphaned", PATIENCE, || is(old, State::Orphaned)).await.unwrap();

    tell.send_replace(usual(&["archive"]));
    list.enqueue(&[order_for("archive", new)], Timestamp::now()).await.unwrap();
    wait::until("the new order to be done", PATIENCE, || is(new, State::Done)).await.unwrap();
    assert!(is(old, State::Orphaned).await.is_some());
    let archive = || destination("archive");
    let told =
        [Notice::Orphaned { destination: archive() }, Notice::Returned { destination: archive(), orders: 1 }];
    wait::until("people to be told, once", PATIENCE, || async {
        (*work.notices.lock().unwrap() == told).then_some(())
    })
    .await
    .unwrap();

    assert_eq!(list.release(&archive(), Timestamp::now()).await.unwrap(), 1);
    wait::until("the old order to be done", PATIENCE, || is(old, State::Done)).await.unwrap();
    stop.cancel();
}

#[tokio::test]
async fn a_destination_that_is_missing_for_a_moment_makes_no_orphans() {
    let dir = tempfile::tempdir().unwrap();
    let (list, work, stop) =
        (sqlite(dir.path()).await, Arc::new(Noting::default()), CancellationToken::new());
    let id = RecordingId::new();
    // The announcement is there before the configuration that it comes from.
    list.enqueue(&[order_for("archive", id)], Timestamp::now()).await.unwrap();
    // However slow the machine is, the destination is back before that.
    let patient = EngineOptions { orphan_after: Duration::from_secs(3600), ..OPTIONS };
    let registry = Registry::new();
    let metrics = Metrics::register("test", &registry).unwrap();
    let tell = start_with(&list, &work, &[], &stop, patient, metrics);
    wait::until("the order to be seen without its destination", PATIENCE, || async {
        registry.gather().iter().any(|family| family.name() == "callseal_test_orders").then_some(())
    })
    .await
    .unwrap();
    tell.send_replace(usual(&["archive"]));
    wait::until("the order to be done", PATIENCE, || async { (work.count("archive") == 1).then_some(()) })
        .await
        .unwrap();
    assert_eq!(*work.notices.lock().unwrap(), []);
    stop.cancel();
}

#[tokio::test]
async fn what_is_under_way_when_the_service_drains_is_free_for_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (list, work, stop) =
        (sqlite(dir.path()).await, Arc::new(Noting::default()), CancellationToken::new());
    work.hanging.lock().unwrap().insert(destination("archive"));
    let (tell, existing) = watch::channel(usual(&["archive"]));
    let metrics = Metrics::register("test", &Registry::new()).unwrap();
    let engine = tokio::spawn(
        Engine::new(list.clone(), Arc::clone(&work), OPTIONS, metrics).run(existing, stop.clone()),
    );
    let id = RecordingId::new();
    list.enqueue(&[order_for("archive", id)], Timestamp::now()).await.unwrap();
    let tenant = destination("archive").tenant;
    let state = || async { list.states_of(&tenant, id).await.unwrap()[0].1 };
    wait::until("the order to be taken", PATIENCE, || async {
        (state().await == State::Running).then_some(())
    })
    .await
    .unwrap();
    stop.cancel();
    tokio::time::timeout(PATIENCE, engine).await.unwrap().unwrap();
    assert_eq!(state().await, State::Queued);
    drop(tell);
}

#[tokio::test]
async fn replicas_on_postgresql_share_the_work_and_each_order_is_carried_out_once() {
    let postgres = Postgres::start().await.unwrap();
    let url = format!("{}?schema=shipper", postgres.url());
    let stop = CancellationToken::new();
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let list = WorkList::open(Database::open(&url).await.unwrap(), BACKOFF).await.unwrap();
        let work = Arc::new(Noting::default());
        let metrics = Metrics::register("test", &Registry::new()).unwrap();
        let tell = start_with(&list, &work, &["one", "two"], &stop, OPTIONS, metrics);
        replicas.push((list, work, tell));
    }
    let ids: Vec<RecordingId> = (0..60).map(|_| RecordingId::new()).collect();
    for id in &ids {
        replicas[0]
            .0
            .enqueue(&[order_for("one", *id), order_for("two", *id)], Timestamp::now())
            .await
            .unwrap();
    }
    wait::until("all orders to be done", PATIENCE, || async {
        replicas[0].0.backlog().await.unwrap().is_empty().then_some(())
    })
    .await
    .unwrap();
    for name in ["one", "two"] {
        let mut done: Vec<RecordingId> = replicas
            .iter()
            .flat_map(|(_, work, _)| {
                work.done.lock().unwrap().get(&destination(name)).cloned().unwrap_or_default()
            })
            .collect();
        done.sort_unstable();
        assert_eq!(done, ids, "{name}");
    }
    let complete = || {
        replicas
            .iter()
            .flat_map(|(_, work, _)| work.complete.lock().unwrap().clone())
            .collect::<BTreeSet<_>>()
    };
    wait::until("every recording to be called complete", PATIENCE, || async {
        (complete().len() == 60).then_some(())
    })
    .await
    .unwrap();
    stop.cancel();
}

#[tokio::test]
async fn files_shipments_and_a_persons_word_are_kept_on_postgresql_as_well() {
    let postgres = Postgres::start().await.unwrap();
    let url = format!("{}?schema=shipper", postgres.url());
    let list = WorkList::open(Database::open(&url).await.unwrap(), BACKOFF).await.unwrap();
    let (now, ids) = (Timestamp::now(), [RecordingId::new(), RecordingId::new()]);
    list.enqueue(&ids.map(|id| order_for("archive", id)), now).await.unwrap();
    let claim = list.claim(&destination("archive"), OPTIONS.lease, now).await.unwrap();
    let Claim::Order(order) = claim else { panic!("{claim:?}") };
    list.keep_bookmark(&order, ".wav", Some(vec![1, 2]), now).await.unwrap();
    assert_eq!(list.bookmark(&order, ".wav").await.unwrap(), Some(vec![1, 2]));
    list.keep_bookmark(&order, ".wav", None, now).await.unwrap();
    assert_eq!(list.bookmark(&order, ".wav").await.unwrap(), None);
    let (file, stored_name) = (".wav".to_owned(), "x.wav".to_owned());
    let verified = VerifiedFile { file, stored_name, verified_by: "read-back".to_owned(), at: now };
    list.note_verified(&order, &[verified]).await.unwrap();
    assert_eq!(list.verified_files(&order).await.unwrap().len(), 1);
    list.failed(&order, &Fault::passing("is down"), now, 0.0).await.unwrap();
    assert_eq!(list.retry_recording(order.recording, now).await.unwrap(), 1);
    assert_eq!(
        list.orphan(&BTreeSet::from([destination("archive")]), Timestamp::MAX).await.unwrap().len(),
        1
    );
    assert_eq!(list.abandon(&destination("archive"), "by jane", now).await.unwrap().len(), 2);
    let asked = Asked { recording: Some(order.recording), ..Asked::default() };
    let shown = list.shipments(&asked).await.unwrap().shipments;
    assert_eq!((shown.len(), shown[0].state, shown[0].files.len()), (1, State::Abandoned, 1));
    list.done(&order, now).await.unwrap();
    list.forget_done(Duration::ZERO, now + Duration::from_secs(60)).await.unwrap();
    assert_eq!(list.shipments(&Asked::default()).await.unwrap().shipments.len(), 1);
}

#[tokio::test]
async fn what_waits_for_anothers_answer_gives_its_turn_back_to_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (list, work, stop) =
        (sqlite(dir.path()).await, Arc::new(Noting::default()), CancellationToken::new());
    let manners = Manners { counts_for: Some(Duration::from_millis(50)), ..Manners::default() };
    *work.slow.lock().unwrap() = Some((destination("mailbox"), manners));
    let metrics = Metrics::register("test", &Registry::new()).unwrap();
    // One turn for all: whoever waits with it lets nobody else work.
    let options = EngineOptions { transfers: 1, ..OPTIONS };
    let _tell = start_with(&list, &work, &["mailbox", "archive"], &stop, options, metrics);
    list.enqueue(&[order_for("mailbox", RecordingId::new())], Timestamp::now()).await.unwrap();
    wait::until("the mail server to be asked", PATIENCE, || async {
        (*work.begun.lock().unwrap() == 1).then_some(())
    })
    .await
    .unwrap();
    list.enqueue(&[order_for("archive", RecordingId::new())], Timestamp::now()).await.unwrap();
    wait::until("the archive to have its recording", PATIENCE, || async {
        (work.count("archive") == 1).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(work.count("mailbox"), 0);
    work.may_end.notify_one();
    wait::until("the mail to be handed over", PATIENCE, || async {
        (work.count("mailbox") == 1).then_some(())
    })
    .await
    .unwrap();
    stop.cancel();
}

#[tokio::test]
async fn what_has_begun_where_nobody_can_be_asked_is_finished_before_the_engine_stops() {
    let dir = tempfile::tempdir().unwrap();
    let list = sqlite(dir.path()).await;
    for (within, done) in [(PATIENCE, 1), (Duration::from_millis(20), 0)] {
        let (work, stop) = (Arc::new(Noting::default()), CancellationToken::new());
        let manners = Manners { finishes_within: within, ..Manners::default() };
        *work.slow.lock().unwrap() = Some((destination("mailbox"), manners));
        let (_tell, existing) = watch::channel(usual(&["mailbox"]));
        let metrics = Metrics::register("test", &Registry::new()).unwrap();
        let engine = Engine::new(list.clone(), Arc::clone(&work), OPTIONS, metrics);
        let engine = tokio::spawn(engine.run(existing, stop.clone()));
        let id = RecordingId::new();
        list.enqueue(&[order_for("mailbox", id)], Timestamp::now()).await.unwrap();
        wait::until("the mail server to be asked", PATIENCE, || async {
            (*work.begun.lock().unwrap() == 1).then_some(())
        })
        .await
        .unwrap();
        stop.cancel();
        if done == 1 {
            work.may_end.notify_one();
        }
        tokio::time::timeout(PATIENCE, engine).await.unwrap().unwrap();
        assert_eq!(work.count("mailbox"), done);
        // What was noted is what was done: it is not repeated at the next start.
        let states = list.states_of(&destination("mailbox").tenant, id).await.unwrap();
        assert_eq!(states[0].1 == State::Done, done == 1, "{states:?}");
    }
}
