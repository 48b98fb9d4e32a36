//! NATS, a configuration, and the journal as a process of its own.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use bus::{Bus, BusOptions, server::NatsServer};
use domain::RecordingId;
use harness::{events::Events, process::Process, wait};
use tempfile::TempDir;
use wire::{
    event_v1::event::What,
    recording_v1::{JournalRow, RecordingSealed},
};

/// NATS sets the size of the streams aside: a test does not need a large disk.
const CALLS_MAX_BYTES: i64 = 64 << 20;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct World {
    dir: TempDir,
    bus: Bus,
    events: Events,
    nats: NatsServer,
}

impl World {
    /// With these resources beside the tenant acme.
    pub async fn new(resources: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let nats =
            NatsServer::start(&bus::server::find_program().unwrap(), &dir.path().join("nats"), None).unwrap();
        let options = BusOptions { calls_max_bytes: CALLS_MAX_BYTES, ..BusOptions::new(nats.url(), "test") };
        let bus = Bus::connect(options).await.unwrap();
        harness::streams::ensure(&bus).await.unwrap();
        let events = Events::from_now(&bus).await.unwrap();
        let text = format!(
            "apiVersion: callseal.io/v1alpha1\nkind: Tenant\nmetadata: {{name: acme}}\n\
             spec: {{country: DE, timeZone: Europe/Berlin, whenUndecided: record}}\n{resources}"
        );
        let world = Self { dir, bus, events, nats };
        fs::create_dir_all(world.path("config")).unwrap();
        fs::write(world.path("config/resources.yaml"), text).unwrap();
        world
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Starts the journal; it retries after 0.1 s, at least each second.
    pub fn journal(&self, further: &[&str]) -> Process {
        self.journal_with(&format!("sqlite:{}", self.path("state.sqlite").display()), further)
    }

    /// The same with this state database.
    pub fn journal_with(&self, state: &str, further: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callseal-journal"));
        command.arg(format!("--calls-max-bytes={CALLS_MAX_BYTES}"));
        if !further.contains(&"--http") {
            command.args(["--http", "127.0.0.1:0"]);
        }
        command.args(["--retry-after", "0.1", "--retry-at-least-every", "1"]);
        command.arg("--nats").arg(self.nats.url()).arg("--config").arg(self.path("config"));
        command.arg("--data").arg(self.dir.path()).args(further);
        command.args(["--state", state]);
        Process::start("journal", self.dir.path(), &mut command).unwrap()
    }

    /// Waits until the journal has taken in so many.
    pub async fn until_all_are_on_the_list(&self, count: i64) {
        let url = format!("sqlite:{}", self.path("state.sqlite").display());
        let list = sqlx::SqlitePool::connect(&url).await.unwrap();
        wait::until("all to be on the list", PATIENCE, || async {
            let all = sqlx::query_as("SELECT count(*) FROM delivery_orders").fetch_one(&list);
            let (orders,): (i64,) = all.await.ok()?;
            (orders == count).then_some(())
        })
        .await
        .unwrap();
        list.close().await;
    }

    /// Announces a sealed recording for `journals`; returns its row.
    pub async fn seal(&self, journals: &[&str]) -> JournalRow {
        self.seal_with(journals, |_| {}).await
    }

    /// The same with a row that `change` has changed.
    pub async fn seal_with(&self, journals: &[&str], change: impl FnOnce(&mut JournalRow)) -> JournalRow {
        let id = RecordingId::new();
        let mut row = row(id);
        change(&mut row);
        let sealed = RecordingSealed {
            recording_id: id.to_string(),
            tenant: "acme".into(),
            journals: journals.iter().map(|name| (*name).to_owned()).collect(),
            row: Some(row.clone()),
            ..Default::default()
        };
        self.bus.publish_sealed(&sealed).await.unwrap();
        row
    }

    /// The next event for which `choose` has an answer; one that it passes over comes again.
    pub async fn event<T>(&mut self, what: &str, choose: impl FnMut(What) -> Option<T>) -> T {
        self.events.next(choose).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }
}

/// A row of a recording.
pub fn row(id: RecordingId) -> JournalRow {
    JournalRow {
        base_file_name: format!("20260701-220000.000Z_in_+4970311234_+4922198765_{id}"),
        direction: "in".into(),
        time_unix_ms: 1_782_943_200_000,
        call_id: "a84b4c76e66710@pbx".into(),
        caller_name: "Jürgen O'Brien; \"DROP\"".into(),
        caller: "+4970311234".into(),
        callee: "+4922198765".into(),
        setting: "desk".into(),
        signature: "c2lnbmF0dXJl".into(),
        ..JournalRow::default()
    }
}
