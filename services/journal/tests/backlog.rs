//! Thousands of rows wait: they are written in batches, once each, whatever dies meanwhile.

#[allow(dead_code, reason = "only sealing is used here")]
mod world;

use std::{
    fs,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use harness::{mariadb::MariaDb, postgres::Postgres, process::Process, wait};
use world::World;

/// Thousands of transactions on a slow disk.
const LONG: Duration = Duration::from_secs(240);

/// Rows of the outage, in `make test`; `ROWS=100000` in `make soak`.
const ROWS: usize = 5_000;

fn rows_of_the_outage() -> usize {
    std::env::var("ROWS").map_or(ROWS, |rows| rows.parse().expect("a number of rows"))
}

fn journal(kind: &str, port: u16, database: &str, user: &str, password: &str) -> String {
    format!(
        "---\nkind: Secret\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: login, namespace: acme}}\n\
         stringData: {{password: \"{password}\"}}\n\
         ---\nkind: JournalTarget\napiVersion: callseal.io/v1alpha1\nmetadata: {{name: remote, namespace: acme}}\n\
         spec: {{table: calls, createTable: true, {kind}: {{host: 127.0.0.1, port: {port}, database: {database}, \
         user: {user}, password: {{secretRef: {{name: login, key: password}}}}}}}}\n"
    )
}

async fn seal(world: &World, count: usize) {
    stream::iter(0..count).map(|_| world.seal(&["remote"])).buffer_unordered(32).count().await;
}

/// The most memory that the process has had resident, KiB.
fn most_resident_kib(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn thousands_of_rows_are_written_once_each_after_an_outage_and_take_no_memory() {
    let rows = rows_of_the_outage();
    let mut server = Postgres::start().await.unwrap();
    let (port, user) = (server.port(), Postgres::USER);
    let world = World::new(&journal("postgres", port, Postgres::DATABASE, user, Postgres::PASSWORD)).await;
    let running = world.journal(&[]);
    seal(&world, 500).await;
    until_written(&server, 500).await;
    let before = most_resident_kib(&running);
    server.stop().unwrap();
    let begun = Instant::now();
    seal(&world, rows).await;
    let sealed = begun.elapsed();
    server.start_again().await.unwrap();
    let begun = Instant::now();
    until_written(&server, 500 + rows).await;
    let grown = most_resident_kib(&running) - before;
    println!("{rows} rows sealed in {sealed:.1?}, written in {:.1?} after the outage", begun.elapsed());
    println!("{before} KiB after 500 rows, {grown} KiB more after {rows} more");
    // 5,000 take 5 MB on the bus, and several times that in memory; 100,000 take
    // 100 MB there, and the memory stops growing long before that.
    let limit = if rows > ROWS { 48 } else { 24 };
    assert!(grown < limit * 1024, "{grown} KiB more");
}

async fn until_written(server: &Postgres, count: usize) {
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    wait::until("the rows to be written", LONG.max(Duration::from_millis(count as u64 * 20)), || async {
        let rows: (i64, i64) = sqlx::query_as("SELECT count(*), count(DISTINCT basefilename) FROM calls")
            .fetch_one(&pool)
            .await
            .ok()?;
        assert_eq!(rows.0, rows.1, "one is there twice");
        (rows.0 == count as i64).then_some(())
    })
    .await
    .unwrap();
    pool.close().await;
}

#[tokio::test]
async fn a_server_and_a_journal_that_are_killed_in_mid_batch_leave_each_row_once() {
    let mut server = MariaDb::start().await.unwrap();
    let (port, user) = (server.port(), MariaDb::USER);
    let world = World::new(&journal("mysql", port, MariaDb::DATABASE, user, MariaDb::PASSWORD)).await;
    let running = world.journal(&[]);
    seal(&world, 200).await;
    some_more_than(&server, 0).await;
    server.crash().unwrap();
    world.until_all_are_on_the_list(200).await;
    server.start_again().await.unwrap();
    let (written, _) = count(&server).unwrap_or_default();
    some_more_than(&server, written).await;
    running.kill_hard().unwrap();
    let mut dying = world.journal(&["--fail-at", "row-written"]);
    // It dies between the commit of a batch and the note of it, or has found nothing left to write.
    wait::until("the journal to die", LONG, || {
        let done = count(&server).is_some_and(|(rows, _)| rows == 200);
        let died = dying.ended().unwrap().is_some();
        std::future::ready((died || done).then_some(()))
    })
    .await
    .unwrap();
    drop(dying);
    let _running = world.journal(&[]);
    wait::until("all rows", LONG, || {
        std::future::ready(count(&server).filter(|(rows, _)| *rows == 200).map(|_| ()))
    })
    .await
    .unwrap();
    assert_eq!(count(&server), Some((200, 200)), "one is there twice");
}

async fn some_more_than(server: &MariaDb, rows: u64) {
    wait::until("some rows to be written", LONG, || {
        std::future::ready(count(server).filter(|(now, _)| *now > rows || *now == 200).map(|_| ()))
    })
    .await
    .unwrap();
}

/// Rows, and rows that differ.
fn count(server: &MariaDb) -> Option<(u64, u64)> {
    let text = server
        .sql(&format!("SELECT count(*), count(DISTINCT basefilename) FROM {}.calls", MariaDb::DATABASE))
        .ok()?;
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}
