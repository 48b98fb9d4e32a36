//! The journal as a process, against real NATS, SQLite files and a real PostgreSQL server.

#[allow(dead_code, reason = "not all of it is used here")]
mod world;

use std::path::Path;

use callseal_journal::database::{self, JournalDb, Query};
use domain::resources::{JournalDatabase, JournalTarget, SqliteJournal};
use harness::{installation::http_get, ports, postgres::Postgres, wait};
use wire::{
    event_v1::{Fault, event::What},
    recording_v1::JournalRow,
};
use world::{PATIENCE, World};

const LOCAL: &str = "---\nkind: JournalTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {name: local, namespace: acme}\n\
                     spec: {createTable: true, sqlite: {path: journal.sqlite}}\n";

fn remote(server: &Postgres) -> String {
    format!(
        "---\nkind: Secret\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: login, namespace: acme}}\n\
         stringData: {{password: \"{}\"}}\n\
         ---\nkind: JournalTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: remote, namespace: acme}}\n\
         spec: {{table: calls, createTable: true, postgres: {{host: 127.0.0.1, port: {}, database: {}, user: {}, \
         password: {{secretRef: {{name: login, key: password}}}}}}}}\n",
        Postgres::PASSWORD,
        server.port(),
        Postgres::DATABASE,
        Postgres::USER
    )
}

fn local_db(world: &World) -> Box<dyn JournalDb> {
    let target = JournalTarget {
        name: "local".parse().unwrap(),
        table: "recordings".into(),
        create_table: true,
        extra_columns: Vec::new(),
        database: JournalDatabase::Sqlite(SqliteJournal { path: world.path("journal.sqlite") }),
    };
    database::open(&target, Path::new("")).unwrap()
}

async fn remote_rows(server: &Postgres) -> Vec<String> {
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    let rows: Vec<(String,)> =
        sqlx::query_as("SELECT basefilename FROM calls ORDER BY 1").fetch_all(&pool).await.unwrap();
    rows.into_iter().map(|(name,)| name).collect()
}

fn journalled(what: What) -> Option<String> {
    match what {
        What::Journalled(journalled) => Some(journalled.journal),
        _ => None,
    }
}

fn fault(what: What) -> Option<Fault> {
    match what {
        What::Fault(fault) => Some(fault),
        _ => None,
    }
}

fn names(rows: &[JournalRow]) -> Vec<String> {
    let mut names: Vec<String> = rows.iter().map(|row| row.base_file_name.clone()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_row_reaches_every_journal_of_its_recording_and_no_number_reaches_the_log() {
    let server = Postgres::start().await.unwrap();
    let mut world = World::new(&format!("{LOCAL}{}", remote(&server))).await;
    let journal = world.journal(&[]);
    let both = world.seal(&["local", "remote"]).await;
    let mut told = [world.event("journalled", journalled).await, world.event("journalled", journalled).await];
    told.sort();
    assert_eq!(told, ["local", "remote"]);
    let one = world.seal(&["local", "local"]).await;
    assert_eq!(world.event("journalled", journalled).await, "local");
    assert_eq!(names(&local_db(&world).read(&Query::newest(10)).await.unwrap()), names(&[both.clone(), one]));
    assert_eq!(remote_rows(&server).await, [both.base_file_name]);
    let log = journal.output();
    journal.stop(PATIENCE).unwrap();
    for secret in ["+4970311234", "+4922198765", "O'Brien", Postgres::PASSWORD] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn postgresql_stopped_and_started_again_has_each_row_once_and_the_fault_is_told_once() {
    let mut server = Postgres::start().await.unwrap();
    let mut world = World::new(&remote(&server)).await;
    let port = ports::claim().unwrap();
    let _journal = world.journal(&["--http", &format!("127.0.0.1:{port}")]);
    let figure = async |line: &str| {
        let (_, metrics) = http_get(port, "/metrics").await.unwrap();
        let value = metrics.lines().find_map(|found| found.strip_prefix(line));
        value.map_or(0.0, |value| value.trim().parse::<f64>().unwrap())
    };
    let unreachable = r#"callseal_journal_errors_total{journal="remote",kind="unreachable",tenant="acme"}"#;
    let lag = r#"callseal_journal_lag_seconds{journal="remote",tenant="acme"}"#;
    let mut rows = vec![world.seal(&["remote"]).await];
    assert_eq!(world.event("journalled", journalled).await, "remote");
    server.crash().unwrap();
    for _ in 0..5 {
        rows.push(world.seal(&["remote"]).await);
    }
    let told = world.event("the fault", fault).await;
    assert!(told.r#where == "journal remote" && told.will_retry, "{told:?}");
    assert!(figure(unreachable).await >= 1.0, "the metric counts the attempts that failed");
    wait::until("the lag to be shown", PATIENCE, async || (figure(lag).await > 0.0).then_some(()))
        .await
        .unwrap();
    server.start_again().await.unwrap();
    for _ in 0..5 {
        // Faults in between: the server that starts may be called "not ready" once more.
        world.event("journalled", journalled).await;
    }
    wait::until("the lag to end", PATIENCE, async || (figure(lag).await == 0.0).then_some(())).await.unwrap();
    assert_eq!(remote_rows(&server).await, names(&rows));
}

#[tokio::test]
async fn a_crash_after_any_step_loses_no_row_and_writes_none_twice() {
    for step in ["announced", "taken-in", "row-written", "noted-done"] {
        let world = World::new(LOCAL).await;
        let row = world.seal(&["local"]).await;
        let mut journal = world.journal(&["--fail-at", step]);
        wait::until("the journal to die", PATIENCE, || std::future::ready(journal.ended().unwrap()))
            .await
            .unwrap_or_else(|error| panic!("{step}: {error}"));
        let journal = world.journal(&[]);
        let second = world.seal(&["local"]).await;
        let db = local_db(&world);
        wait::until("the second row", PATIENCE, || async {
            let rows = db.read(&Query::newest(10)).await.ok()?;
            rows.contains(&second).then_some(())
        })
        .await
        .unwrap();
        journal.stop(PATIENCE).unwrap();
        assert_eq!(names(&db.read(&Query::newest(10)).await.unwrap()), names(&[row, second]), "{step}");
    }
}
