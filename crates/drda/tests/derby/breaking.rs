//! Whatever breaks in the middle: each row is there once.
//!
//! The journal's way: look and write in one transaction with the table locked, and after a break do both
//! again over a new connection.

use std::time::Duration;

use drda::{Connection, DrdaError, Options, Value};

use crate::{
    TABLE, connect,
    derby::Derby,
    options,
    scissors::{Cut, Scissors},
    wait,
};

/// Cuts are made after so many bytes at most.
const KILOBYTE: usize = 1024;

/// Every so many of them are tried, a prime number; with `ALL_CUTS=1` all are.
const SOME_CUTS: usize = 7;

fn row(name: &str) -> Vec<Value> {
    vec![name.into(), "in".into(), 1_700_000_000_000_i64.into(), "c2lnbmF0dXJl".repeat(20).into()]
}

/// Writes those of `names` that are not there, in one transaction.
async fn write_once(connection: &mut Connection, names: &[String]) -> Result<u64, DrdaError> {
    connection.execute_immediate("LOCK TABLE recordings IN EXCLUSIVE MODE").await?;
    let look = connection.prepare("SELECT 1 FROM recordings WHERE basefilename = ?").await?;
    let mut missing = Vec::new();
    for name in names {
        if connection.query_prepared(&look, &[name.as_str().into()], 1).await?.is_empty() {
            missing.push(row(name));
        }
    }
    let insert = connection.prepare("INSERT INTO recordings VALUES (?, ?, ?, ?)").await?;
    let written = connection.execute_batch(&insert, &missing).await?;
    connection.commit().await?;
    connection.close(look);
    connection.close(insert);
    Ok(written)
}

async fn count(connection: &mut Connection, condition: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM recordings {condition}");
    let count = connection.query(&sql, &[], 1).await.unwrap()[0].number(0).unwrap();
    connection.commit().await.unwrap();
    count
}

/// Tries until it is written.
async fn write_in_the_end(options: &Options, names: &[String]) {
    wait::until("the rows to be written", Duration::from_secs(60), async || {
        let mut connection = Connection::connect(options).await.ok()?;
        write_once(&mut connection, names).await.ok()
    })
    .await
    .unwrap();
}

/// Cuts after numbers of bytes of the first kilobyte in one direction, of two rows' insert.
async fn cut_everywhere(cut: impl Fn(usize) -> Cut) {
    let server = Derby::start().await.unwrap();
    let mut direct = connect(&server).await;
    direct.execute_immediate(TABLE).await.unwrap();
    direct.commit().await.unwrap();
    let scissors = Scissors::to(server.port()).await.unwrap();
    let through = Options { port: scissors.port(), ..options(&server) };
    let step = if std::env::var_os("ALL_CUTS").is_some() { 1 } else { SOME_CUTS };
    let (mut tried, mut broke) = (0, 0);
    for after in (1..=KILOBYTE).step_by(step) {
        tried += 1;
        let names = [format!("a{after}"), format!("b{after}")];
        let mut connection = Connection::connect(&through).await.unwrap();
        // The insert and its commit are what is cut: statements are prepared before.
        connection.execute_immediate("LOCK TABLE recordings IN EXCLUSIVE MODE").await.unwrap();
        let insert = connection.prepare("INSERT INTO recordings VALUES (?, ?, ?, ?)").await.unwrap();
        scissors.cut(cut(after));
        let written = async {
            connection.execute_batch(&insert, &names.each_ref().map(|name| row(name))).await?;
            connection.commit().await
        };
        if let Err(error) = written.await {
            assert!(error.is_lost(), "{after}: {error:?}");
            assert!(!connection.is_usable());
            assert!(matches!(connection.commit().await, Err(DrdaError::Broken | DrdaError::MustRollBack)));
            broke += 1;
        }
        scissors.cut(Cut::Never);
        drop(connection);
        // Waits for the lock of the one that broke, until the server has rolled it back.
        let written = write_once(&mut direct, &names).await.unwrap();
        assert!([0, 2].contains(&written), "{after}: all or nothing, not {written}");
    }
    assert!(broke > 100 / step, "only {broke} of {tried} broke");
    assert_eq!(count(&mut direct, "").await, 2 * tried);
    let names = "WHERE basefilename IN (SELECT basefilename FROM recordings GROUP BY basefilename HAVING COUNT(*) > 1)";
    assert_eq!(count(&mut direct, names).await, 0);
}

#[tokio::test]
async fn a_connection_cut_after_any_byte_of_an_insert_leaves_each_row_once() {
    cut_everywhere(Cut::There).await;
}

#[tokio::test]
async fn a_connection_cut_after_any_byte_of_the_answers_leaves_each_row_once() {
    cut_everywhere(Cut::Back).await;
}

#[tokio::test]
async fn a_server_killed_in_mid_batch_has_each_row_once_when_it_is_back() {
    let mut server = Derby::start().await.unwrap();
    let mut connection = connect(&server).await;
    connection.execute_immediate(TABLE).await.unwrap();
    connection.commit().await.unwrap();
    let names: Vec<String> = (0..6_000).map(|n| format!("2026-11-22_{n}")).collect();
    let first: Vec<String> = names[..100].to_vec();
    assert_eq!(write_once(&mut connection, &first).await.unwrap(), 100);

    // Half of a batch is done, as its first part's answers prove; then the server dies.
    let insert = connection.prepare("INSERT INTO recordings VALUES (?, ?, ?, ?)").await.unwrap();
    let begun: Vec<Vec<Value>> = names[100..3_000].iter().map(|name| row(name)).collect();
    assert_eq!(connection.execute_batch(&insert, &begun).await.unwrap(), 2_900);
    let rest: Vec<Vec<Value>> = names[3_000..].iter().map(|name| row(name)).collect();
    let (went_on, ()) =
        tokio::join!(connection.execute_batch(&insert, &rest), async { server.crash().unwrap() });
    let committed = match went_on {
        Ok(_) => connection.commit().await,
        Err(error) => Err(error),
    };
    let error = committed.unwrap_err();
    assert!(error.is_lost(), "{error:?}");
    assert!(!connection.is_usable());

    server.start_again().await.unwrap();
    write_in_the_end(&options(&server), &names).await;
    let mut connection = connect(&server).await;
    assert_eq!(count(&mut connection, "").await, 6_000);
    let distinct =
        connection.query("SELECT COUNT(DISTINCT basefilename) FROM recordings", &[], 1).await.unwrap();
    assert_eq!(distinct[0].number(0), Some(6_000));
}

#[tokio::test]
async fn whoever_does_not_wait_for_an_answer_finds_the_connection_unusable_and_the_row_not_there() {
    let server = Derby::start().await.unwrap();
    let (mut holder, mut waiter) = (connect(&server).await, connect(&server).await);
    holder.execute_immediate(TABLE).await.unwrap();
    holder.commit().await.unwrap();
    let insert = waiter.prepare("INSERT INTO recordings VALUES (?, ?, ?, ?)").await.unwrap();
    waiter.commit().await.unwrap();
    holder.execute_immediate("LOCK TABLE recordings IN EXCLUSIVE MODE").await.unwrap();
    let values = row("late");
    let left = tokio::time::timeout(Duration::from_millis(200), waiter.execute(&insert, &values)).await;
    assert!(left.is_err(), "the lock was held");
    assert!(!waiter.is_usable());
    assert!(matches!(waiter.commit().await, Err(DrdaError::Broken)));
    assert!(matches!(waiter.rollback().await, Err(DrdaError::Broken)));
    drop(waiter);

    // The same by the connection's own limit.
    let limited = Options { answer_timeout: Duration::from_millis(200), ..options(&server) };
    let mut limited = Connection::connect(&limited).await.unwrap();
    let error = limited.execute_immediate("DELETE FROM recordings").await.unwrap_err();
    assert!(matches!(error, DrdaError::TimedOut(_)) && error.is_lost(), "{error:?}");
    drop(limited);
    holder.commit().await.unwrap();
    // Both are gone when the table can be locked, and what they began is undone.
    holder.execute_immediate("LOCK TABLE recordings IN EXCLUSIVE MODE").await.unwrap();
    assert_eq!(count(&mut holder, "").await, 0);
}
