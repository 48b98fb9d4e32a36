//! A whole delivering service over a real NATS: announcements in, questions answered.

mod list_of_test;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bus::{Bus, BusOptions, server::NatsServer, subjects};
use config::Watched;
use delivery::{
    Announced, Delivering, EngineOptions, Fault, Intake, Metrics, Notice, Order, Poison, Role, Terms, Work,
};
use domain::{RecordingId, resources::Resources};
use futures::StreamExt as _;
use harness::wait;
use list_of_test::sqlite;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;
use wire::{
    delivery_v1::{
        Change, ChangeRequest, ChangeResponse, Destination, ListDestinationsRequest,
        ListDestinationsResponse, ListShipmentsRequest, ListShipmentsResponse,
    },
    event_v1::event::What,
    recording_v1::RecordingSealed,
};

const PATIENCE: Duration = Duration::from_secs(60);
const ROLE: Role = Role {
    service: "shipper",
    destination: "target",
    cargo: "recordings",
    terms: |tenant| tenant.storage_targets.keys().map(|name| (name.clone(), Terms::default())).collect(),
};

struct Targets;

impl Intake for Targets {
    fn orders<'a>(&self, sealed: &'a RecordingSealed) -> Result<(&'a [String], Vec<u8>), Poison> {
        if sealed.staging_prefix.is_empty() {
            return Err(Poison("it lies nowhere".into()));
        }
        Ok((&sealed.targets, Vec::new()))
    }

    fn taken_in(&self, _: Announced<'_>, _: Option<usize>) {}
}

/// Refuses every recording until it is told otherwise.
#[derive(Default)]
struct Refusing {
    willing: Mutex<bool>,
    done: Mutex<BTreeSet<RecordingId>>,
}

#[async_trait]
impl Work for Refusing {
    type Report = ();

    async fn carry_out(&self, order: &Order) -> Result<(), Fault> {
        if !*self.willing.lock().unwrap() {
            return Err(Fault::permanent("refuses the login"));
        }
        self.done.lock().unwrap().insert(order.recording);
        Ok(())
    }

    fn carried_out(&self, _: &Order, (): ()) {}
    async fn complete(&self, _: &Order) {}
    fn notice(&self, _: Notice) {}
}

fn resources() -> Resources {
    let dir = tempfile::tempdir().unwrap();
    let text = "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\nspec: {country: DE, timeZone: Europe/Berlin}\n\
                ---\nkind: StorageTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {name: archive, namespace: acme}\n\
                spec: {folder: {path: archive}}\n";
    std::fs::write(dir.path().join("resources.yaml"), text).unwrap();
    let loaded = config::load(dir.path()).unwrap();
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    Resources::clone(&loaded.resources)
}

fn sealed(targets: &[&str], staging_prefix: &str) -> RecordingSealed {
    RecordingSealed {
        recording_id: RecordingId::new().to_string(),
        tenant: "acme".into(),
        targets: targets.iter().map(|name| (*name).to_owned()).collect(),
        staging_prefix: staging_prefix.into(),
        ..Default::default()
    }
}

async fn destinations(bus: &Bus) -> Vec<Destination> {
    let subject = subjects::destinations("shipper");
    let answer: ListDestinationsResponse =
        bus.request(&subject, &ListDestinationsRequest {}, PATIENCE).await.unwrap();
    assert_eq!(answer.error, "");
    answer.destinations
}

async fn change(bus: &Bus, name: &str, change: Change) -> ChangeResponse {
    let request = ChangeRequest {
        tenant: "acme".into(),
        name: name.into(),
        change: change.into(),
        ..Default::default()
    };
    bus.request(&subjects::change_destination("shipper"), &request, PATIENCE).await.unwrap()
}

#[tokio::test]
async fn a_person_sees_what_waits_and_why_and_has_it_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let nats =
        NatsServer::start(&bus::server::find_program().unwrap(), &dir.path().join("nats"), None).unwrap();
    // NATS sets the size of the streams aside: a test does not need a large disk.
    let options = BusOptions { calls_max_bytes: 64 << 20, ..BusOptions::new(nats.url(), "test") };
    let bus = Bus::connect(options).await.unwrap();
    harness::streams::ensure(&bus).await.unwrap();
    let (work, stop) = (Arc::new(Refusing::default()), CancellationToken::new());
    let delivering = Delivering {
        role: ROLE,
        bus: bus.clone(),
        config: Watched::fixed(resources()),
        list: sqlite(dir.path()).await,
        intake: Targets,
        work: Arc::clone(&work),
        options: EngineOptions {
            look_over: Duration::from_millis(50),
            orphan_after: Duration::from_millis(100),
            ..EngineOptions::default()
        },
        metrics: Metrics::register("test", &Registry::new()).unwrap(),
    };
    let running = tokio::spawn(delivering.run(stop.clone()));

    let both = sealed(&["archive", "gone"], "sealed/acme/x");
    bus.publish_sealed(&sealed(&["archive"], "")).await.unwrap();
    bus.publish_sealed(&both).await.unwrap();
    let state_of = |told: &Destination| told.waiting.first().map(|waiting| waiting.state.clone());
    let told = wait::until("both to be in trouble", PATIENCE, || async {
        let told = destinations(&bus).await;
        (told.len() == 2 && told[0].trouble.is_some() && state_of(&told[1]).as_deref() == Some("orphaned"))
            .then_some(told)
    })
    .await
    .unwrap();
    let trouble = told[0].trouble.clone().unwrap();
    assert_eq!((told[0].name.as_str(), told[0].configured), ("archive", true));
    assert_eq!((trouble.problem.as_str(), trouble.needs_person), ("refuses the login", true));
    assert!(trouble.next_attempt_unix_ms - trouble.since_unix_ms > 2_000_000, "{trouble:?}");
    // The message that cannot be used made no order, and held up nobody.
    assert_eq!((told[0].waiting[0].orders, told[1].name.as_str(), told[1].configured), (1, "gone", false));

    let refused = change(&bus, "gone", Change::Release).await;
    assert!(refused.error.contains("not in the configuration"), "{refused:?}");
    assert!(!change(&bus, "Not a name", Change::Retry).await.error.is_empty());
    assert!(!change(&bus, "archive", Change::Unspecified).await.error.is_empty());
    // Where each recording is, and why it is not everywhere.
    let request = ListShipmentsRequest { recording_id: both.recording_id.clone(), ..Default::default() };
    let shown: ListShipmentsResponse =
        bus.request(&subjects::shipments("shipper"), &request, PATIENCE).await.unwrap();
    let where_it_is: Vec<_> =
        shown.shipments.iter().map(|s| (s.name.as_str(), s.state.as_str(), s.last_error.as_str())).collect();
    assert_eq!(where_it_is, [("archive", "queued", "refuses the login"), ("gone", "orphaned", "")]);

    // Given up only with a name and a reason, and the log is told.
    assert!(change(&bus, "gone", Change::Abandon).await.error.contains("a reason"));
    let mut events = Box::pin(bus.events_from_now(None).await.unwrap());
    let request = ChangeRequest {
        tenant: "acme".into(),
        name: "gone".into(),
        change: Change::Abandon.into(),
        reason: "the server was sold".into(),
        by: "jane".into(),
        ..Default::default()
    };
    let answer: ChangeResponse =
        bus.request(&subjects::change_destination("shipper"), &request, PATIENCE).await.unwrap();
    assert_eq!((answer.orders, answer.error.as_str()), (1, ""));
    let told = async {
        loop {
            let event = events.next().await.expect("the events go on");
            if let Some(What::Deleted(deleted)) = event.what {
                return (event.recording_id, deleted.targets, deleted.by);
            }
        }
    };
    let told = tokio::time::timeout(PATIENCE, told).await.unwrap();
    assert_eq!(told, (both.recording_id.clone(), vec!["gone".to_owned()], "jane".to_owned()));

    *work.willing.lock().unwrap() = true;
    assert_eq!(
        change(&bus, "archive", Change::Retry).await,
        ChangeResponse { orders: 1, error: String::new() }
    );
    wait::until("the target to have it", PATIENCE, || async {
        work.done.lock().unwrap().contains(&both.recording_id.parse().unwrap()).then_some(())
    })
    .await
    .unwrap();
    // The target has it a moment before that is noted.
    wait::until("nothing to wait there any more", PATIENCE, || async {
        let told = destinations(&bus).await;
        (told[0].waiting.is_empty() && told[0].trouble.is_none()).then_some(())
    })
    .await
    .unwrap();
    stop.cancel();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
}
